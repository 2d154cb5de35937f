"""One child order: what was planned, and what the account's journal and risk say became of it."""

from decimal import Decimal

from trading.algorithms.facts import ChildPlanned
from trading.algorithms.parameters import ChildRole, Listing
from trading.commands import SubmitOrder
from trading.events import OrderCanceled, OrderDenied, OrderEvent, OrderExpired, OrderFilled
from trading.identifiers import ClientOrderId, machine_name
from trading.order import Order
from trading.values import ZERO, OrderStatus, OrderType, TimeInForce

_RESTING_TYPES = frozenset({OrderType.LIMIT, OrderType.STOP_MARKET, OrderType.STOP_LIMIT})
_RESTING_TIMES = frozenset({TimeInForce.DAY, TimeInForce.GTC})
_STOP_TYPES = frozenset({OrderType.STOP_MARKET, OrderType.STOP_LIMIT})


class Child:
    """A fold over the facts about one child.

    Attributes
    ----------
    index : int
        Its place among the children of the parent, counted from 0.
    step : int
        The slice that it belongs to.
    planned_at : int
        Host time (ns UTC).
    is_cancel_planned : bool
        The desk itself wants it ended.
    kept_qty : Decimal
        Units that the venue kept as its fee.
    """

    __slots__ = (
        "_denial",
        "_order",
        "_risk",
        "_told_qty",
        "index",
        "is_cancel_planned",
        "kept_qty",
        "planned_at",
        "request",
        "role",
        "step",
        "venue",
    )

    def __init__(self, fact: ChildPlanned, index: int) -> None:
        request = fact.order
        self.request: SubmitOrder = request
        self.venue = fact.venue
        self.role: ChildRole = fact.role
        self.step = fact.step
        self.index = index
        self.planned_at = fact.ts_init
        self.is_cancel_planned = False
        self.kept_qty = ZERO
        self._risk = machine_name("risk", request.account_id)
        self._order = Order(request.client_order_id, request.strategy_id, request.instrument_id)
        self._denial: OrderDenied | None = None
        self._told_qty: Decimal | None = None

    @property
    def client_order_id(self) -> ClientOrderId:
        return self.request.client_order_id

    @property
    def listing(self) -> Listing:
        return Listing(self.venue, self.request.account_id, self.request.instrument_id)

    def apply(self, event: OrderEvent) -> None:
        """Fold one fact: of the account's stream, or a refusal in the stream of risk.

        Risk may refuse a repeat of an order that the account knows already; the account is right.
        """
        if isinstance(event, OrderDenied) and event.causation_id == self._risk:
            self._denial = self._denial or event
            return
        if isinstance(event, OrderFilled) and event.trade_id not in self._order.trade_ids:
            self.kept_qty += event.commission_qty
        elif isinstance(event, OrderCanceled | OrderExpired):
            self._told_qty = event.filled_qty
        self._order.apply(event)

    @property
    def status(self) -> OrderStatus:
        return self._order.status if self._denied is None else OrderStatus.DENIED

    @property
    def _denied(self) -> OrderDenied | None:
        """The refusal of risk, if the account knows nothing of the child."""
        return self._denial if self._order.status is OrderStatus.INITIALIZED else None

    @property
    def is_seen(self) -> bool:
        """True when some journal names it: what was sent has arrived."""
        return self.status is not OrderStatus.INITIALIZED

    @property
    def is_open(self) -> bool:
        """True while it may still fill: on its way, in doubt, or at the venue."""
        return not self.status.is_terminal

    @property
    def filled_qty(self) -> Decimal:
        return self._order.filled_qty

    @property
    def cost(self) -> Decimal:
        """Sum of quantity times price of its fills."""
        return self._order.cost

    @property
    def is_refused(self) -> bool:
        """True when risk, the broker or the venue said no before anything was filled."""
        is_no = self.status in (OrderStatus.DENIED, OrderStatus.REJECTED)
        return is_no and not self.filled_qty

    @property
    def code(self) -> str:
        """Why it was refused: a `RefusalCode`, or the venue's own."""
        return self._order.code if self._denied is None else self._denied.code

    @property
    def reason(self) -> str:
        """Why it was refused, in the words of whoever refused it."""
        return f"{self.code}: {(self._order if self._denied is None else self._denied).reason}"

    @property
    def ended_at(self) -> int:
        """Host time (ns UTC) of the fact that ended it; 0 while it is open."""
        if self.is_open:
            return 0
        return self._order.ts_last if self._denied is None else self._denied.ts_init

    @property
    def was_misjudged(self) -> bool:
        """True when it worked or filled after it had counted as over: its rest may have been used twice."""
        has_revived = (
            self.status is not OrderStatus.DENIED and OrderDenied.__name__ in self._order.story
        )
        return has_revived or bool(self._order.late_fill_count)

    @property
    def was_taken_away(self) -> bool:
        """True when it rested and somebody else cancelled it: an operator, a kill switch, the venue."""
        may_rest = (
            self.request.order_type in _RESTING_TYPES
            and self.request.time_in_force in _RESTING_TIMES
        )
        return may_rest and self.status is OrderStatus.CANCELED and not self.is_cancel_planned

    def settled_at(self, settle_ns: int) -> int:
        """Return the host time (ns UTC) from which on its unfilled rest may be used again.

        Fills may come behind the news that an order has ended. Until then its rest counts as working. There
        is nothing to wait for when it was filled or refused, or was a stop that nothing triggered.
        """
        if self.status in (OrderStatus.FILLED, OrderStatus.REJECTED):
            return self.ended_at
        if self.status is OrderStatus.DENIED and not self._order.was_never_sent:
            return self.ended_at
        if self._told_qty is not None and self.filled_qty >= self._told_qty:
            return self.ended_at
        is_untouched_stop = self.request.order_type in _STOP_TYPES and not self._order.is_triggered
        if is_untouched_stop and not self.filled_qty:
            return self.ended_at
        return self.ended_at + settle_ns

    def reserved(self, now: int, settle_ns: int) -> Decimal:
        """Return the units that it may still fill."""
        if self._told_qty is not None and not self.is_open:
            return max(self._told_qty - self.filled_qty, ZERO)
        rest = max(self.request.quantity - self.filled_qty, ZERO)
        if self.is_open or now < self.settled_at(settle_ns):
            return rest
        return ZERO

    def durable(self) -> tuple[object, ...]:
        """Return what two equal folds have in common."""
        return (
            self.client_order_id,
            self.role,
            self.step,
            self.is_cancel_planned,
            self.status,
            self.filled_qty,
            self.cost,
            self.kept_qty,
            sorted(self._order.trade_ids),
        )
