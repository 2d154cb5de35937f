"""Executions of the day, each with its commission, each told once whatever TWS repeats or corrects."""

from dataclasses import dataclass

from actors.venues.ib.messages import Commission, Execution
from actors.venues.ib.parse import trade_id
from trading.identifiers import ClientOrderId, TradeId


@dataclass(slots=True)
class Fill:
    """One execution: its first revision, which counts for ever, and what it cost.

    `is_told` is set by whoever reported it.
    """

    execution: Execution
    commission: Commission | None = None
    is_told: bool = False

    @property
    def is_complete(self) -> bool:
        return self.commission is not None


@dataclass(frozen=True, slots=True)
class Correction:
    """IB changed an execution after it was known."""

    first: Execution
    corrected: Execution

    def __str__(self) -> str:
        was, now = self.first, self.corrected
        return (
            f"IB corrected execution {was.exec_id} ({was.side} {was.shares} at {was.price}) to "
            f"{now.exec_id} ({now.side} {now.shares} at {now.price}); the first one stays booked"
        )


class Fills:
    """Executions by id without revision, and commissions that came before them."""

    def __init__(self) -> None:
        self._fills: dict[TradeId, Fill] = {}
        self._early: dict[str, Commission] = {}
        self._revisions: set[str] = set()
        self._order_refs: set[str] = set()

    def executed(self, execution: Execution) -> Fill | Correction | None:
        """Take one execution: a new fill, a correction of an old one, or None for a repeat."""
        key = trade_id(execution.exec_id)
        self._order_refs.add(execution.order_ref)
        known = self._fills.get(key)
        if known is None:
            fill = Fill(execution, self._early.pop(execution.exec_id, None))
            self._fills[key] = fill
            self._revisions.add(execution.exec_id)
            return fill
        if execution.exec_id in self._revisions:
            return None
        self._revisions.add(execution.exec_id)
        if not known.is_told and execution.exec_id < known.execution.exec_id:
            known.execution, execution = execution, known.execution
        first = known.execution
        is_same = (first.side, first.shares, first.price) == (
            execution.side,
            execution.shares,
            execution.price,
        )
        return None if is_same else Correction(first, execution)

    def commissioned(self, commission: Commission) -> Fill | None:
        """Take one commission; return the fill that has just become complete."""
        fill = self._fills.get(trade_id(commission.exec_id))
        if fill is None:
            self._early[commission.exec_id] = commission
            return None
        if fill.is_complete:
            return None
        fill.commission = commission
        return fill

    def find(self, exec_id: str) -> Fill | None:
        return self._fills.get(trade_id(exec_id))

    def has_order(self, key: ClientOrderId) -> bool:
        """Say whether an order with this id of ours has traded today."""
        return key in self._order_refs

    def highest_order_id(self, client_id: int) -> int:
        """Return the highest order number of `client_id` that has traded today; 0 when none has."""
        executions = (fill.execution for fill in self._fills.values())
        return max((each.order_id for each in executions if each.client_id == client_id), default=0)
