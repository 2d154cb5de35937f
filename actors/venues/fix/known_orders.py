"""What is known of the orders and executions of a session: a fold over its record."""

import msgspec

from actors.venues.fix.dialect import Dialect
from actors.venues.fix.messages import Fields, SentOrder
from actors.venues.fix.order_ids import foreign_id, ours_of
from actors.venues.fix.parse import ExecType, Execution
from trading.identifiers import ClientOrderId, TradeId
from trading.reports import FillReport


class KnownOrders:
    """Orders by our id, executions by that of the venue, each once.

    Attributes
    ----------
    orders : dict
        Those that we sent, and those that the venue spoke of.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._rules = dialect.ids
        self.orders: dict[ClientOrderId, SentOrder] = {}
        self._ours: dict[str, ClientOrderId] = {}
        self._fills: dict[str, FillReport] = {}
        self._seen: set[tuple[str, str]] = set()
        self._firsts: dict[str, str] = {}

    def add_order(self, sent: SentOrder) -> None:
        self.orders[sent.client_order_id] = sent
        self._ours[sent.cl_ord_id] = sent.client_order_id

    def find(self, fields: Fields) -> SentOrder | None:
        """Return the order that a message speaks of."""
        ours = ours_of(fields, self._rules)
        if ours is None:
            ids = (fields.get(41, ""), fields.get(11, ""))
            named = (self._ours[each] for each in ids if each in self._ours)
            ours = next(named, foreign_id(fields.get(37, "")))
        return self.orders.get(ours)

    def add(self, execution: Execution) -> bool:
        """Take a report; False when it was taken before (PossResend), and changes nothing.

        A correction goes on under the id of the execution that it corrects, so that it is never
        counted besides it; one that is taken back is not told any more.
        """
        if not self._is_new(execution):
            return False
        self.add_order(execution.sent)
        fill = execution.fill
        if execution.exec_type == ExecType.TRADE_CANCEL:
            self._fills.pop(self._first(execution), None)
        elif execution.exec_type == ExecType.TRADE_CORRECT and fill is not None:
            first = self._first(execution)
            self._fills[first] = msgspec.structs.replace(fill, trade_id=TradeId(first))
        elif fill is not None:
            self._fills[fill.trade_id] = fill
        return True

    def fills_since(self, since: int) -> tuple[FillReport, ...]:
        """Return executions from market time `since` (ns UTC) on, oldest first."""
        found = (fill for fill in self._fills.values() if fill.ts_event >= since)
        return tuple(sorted(found, key=lambda fill: fill.ts_event))

    def open_orders(self) -> list[SentOrder]:
        return [sent for sent in self.orders.values() if sent.is_open]

    def close(self, sent: SentOrder) -> None:
        """Forget that an order is open: the venue does not know it."""
        self.orders[sent.client_order_id] = msgspec.structs.replace(sent, is_open=False)

    def _is_new(self, execution: Execution) -> bool:
        if execution.exec_type == ExecType.ORDER_STATUS or not execution.exec_id:
            return True
        key = (execution.exec_id, execution.exec_type)
        is_new = key not in self._seen
        self._seen.add(key)
        return is_new

    def _first(self, execution: Execution) -> str:
        """Return the id under which an execution was told first, before it was corrected."""
        first = self._firsts.get(execution.ref_id, execution.ref_id)
        self._firsts[execution.exec_id] = first
        return first
