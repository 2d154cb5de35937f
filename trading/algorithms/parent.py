"""One parent order: a fold over what its desk journalled and over the facts about its children."""

from collections.abc import Iterable
from decimal import Decimal

from trading.algorithms.child import Child
from trading.algorithms.facts import (
    ChildCancelPlanned,
    ChildPlanned,
    ExecutionCancelRequested,
    ExecutionEnded,
    ExecutionEvent,
    ExecutionStarted,
    StopLossTriggered,
)
from trading.algorithms.parameters import Bracket, ChildRole, Listing
from trading.commands import ExecuteOrder
from trading.identifiers import ClientOrderId, derive_client_order_id
from trading.position import average_price
from trading.values import ZERO, OrderSide

PARTS = frozenset({ChildRole.PART})
EXITS = frozenset({ChildRole.TAKE_PROFIT, ChildRole.STOP_LOSS})


class ParentOrder:
    """What is known of one execution. An algorithm decides from this alone, the market and the clock.

    Attributes
    ----------
    started_at : int
        Host time (ns UTC): start of the window.
    children : dict
        By id, in the order in which they were planned.
    cancel_reason : str or None
        Why somebody asked for the end; None when nobody did.
    is_stopped_out : bool
        The stop loss that the desk watches was reached.
    """

    def __init__(self, fact: ExecutionStarted) -> None:
        self.order: ExecuteOrder = fact.order
        self.arrival_px = fact.arrival_px
        self.started_at = fact.ts_init
        self.ts_event = fact.ts_event
        self.children: dict[ClientOrderId, Child] = {}
        self.cancel_reason: str | None = None
        self.is_stopped_out = False
        self.ended: ExecutionEnded | None = None

    @property
    def key(self) -> ClientOrderId:
        return self.order.client_order_id

    @property
    def exit_side(self) -> OrderSide:
        """Side of what gets out: the other one for a bracket, the own one for an OCO."""
        is_bracket = isinstance(self.order.algorithm, Bracket)
        return self.order.side.opposite if is_bracket else self.order.side

    def apply(self, event: ExecutionEvent) -> None:
        match event:
            case ChildPlanned():
                child = Child(event, len(self.children))
                self.children.setdefault(child.client_order_id, child)
            case ChildCancelPlanned():
                self.children[event.client_order_id].is_cancel_planned = True
            case ExecutionCancelRequested():
                self.cancel_reason = event.reason
            case StopLossTriggered():
                self.is_stopped_out = True
            case ExecutionEnded():
                self.ended = event
            case _:
                raise AssertionError(f"{type(event).__name__} is none of a running execution")

    def of(self, roles: Iterable[ChildRole]) -> list[Child]:
        """Return the children with these roles, oldest first."""
        return [child for child in self.children.values() if child.role in roles]

    def open_children(self) -> list[Child]:
        return [child for child in self.children.values() if child.is_open]

    def filled(self, roles: Iterable[ChildRole] = PARTS) -> Decimal:
        return sum((child.filled_qty for child in self.of(roles)), ZERO)

    def entered(self) -> Decimal:
        """Return what there is to get out of: bought less what venues kept of it, sold as it is."""
        kept = sum((child.kept_qty for child in self.of(PARTS)), ZERO)
        return self.filled() - kept if self.order.side is OrderSide.BUY else self.filled()

    def reserved(self, roles: Iterable[ChildRole], now: int, settle_ns: int) -> Decimal:
        """Return the units that children with these roles may still fill."""
        return sum((child.reserved(now, settle_ns) for child in self.of(roles)), ZERO)

    def avg_px(self) -> Decimal:
        """Return the average price of the parts; 0 when nothing was filled."""
        cost = sum((child.cost for child in self.of(PARTS)), ZERO)
        return average_price(cost, self.filled())

    def refused_in_a_row(self, roles: Iterable[ChildRole] = PARTS) -> list[Child]:
        """Return the newest children that were refused, back to the last that was not."""
        run: list[Child] = []
        for child in reversed(self.of(roles)):
            if not child.is_refused:
                break
            run.append(child)
        return run[::-1]

    def child_id(self, listing: Listing, index: int) -> ClientOrderId:
        """Return the id of child number `index`: a restart that decides again derives the same."""
        return derive_client_order_id(
            listing.account_id,
            self.order.strategy_id,
            listing.instrument_id,
            self.ts_event,
            self.key,
            index,
        )

    def durable(self) -> tuple[object, ...]:
        """Return what two equal folds have in common."""
        return (
            self.order,
            self.arrival_px,
            self.started_at,
            [child.durable() for child in self.children.values()],
            self.cancel_reason,
            self.is_stopped_out,
            self.ended,
        )

    def validate(self) -> None:
        """Assert what an algorithm may never break; what a venue does beyond its word is not its doing."""
        assert all(child.request.parent_order_id == self.key for child in self.children.values())
        if any(child.was_misjudged for child in self.children.values()):
            return  # what works too much is cancelled
        asked = sum((child.request.quantity for child in self.of(PARTS) if child.is_open), ZERO)
        done = sum((child.filled_qty for child in self.of(PARTS) if not child.is_open), ZERO)
        over = sum(
            (max(c.filled_qty - c.request.quantity, ZERO) for c in self.children.values()), ZERO
        )
        assert asked + done <= self.order.quantity + over, f"{self.key}: more than was asked for"
