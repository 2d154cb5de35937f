"""The state machine of one order: a fold over its facts, with every legal transition in one table."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Self

from trading.commands import SubmitOrder
from trading.errors import InvalidTransition
from trading.events import (
    OrderAccepted,
    OrderAmbiguous,
    OrderCanceled,
    OrderCancelRejected,
    OrderDenied,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderSubmitted,
    OrderTriggered,
    OrderUpdated,
    OrderUpdateRejected,
)
from trading.identifiers import (
    ClientOrderId,
    InstrumentId,
    StrategyId,
    TradeId,
    VenueOrderId,
)
from trading.position import EXACT, average_price
from trading.refusals import RefusalCode
from trading.values import ZERO, OrderSide, OrderStatus

_S = OrderStatus
STAYS = None
"""The status does not change (it may still become FILLED, or stop being it, by quantity)."""

_Row = Mapping[type[OrderEvent], OrderStatus | None]
_CLOSED_BY_VENUE: _Row = {
    OrderRejected: _S.REJECTED,
    OrderCanceled: _S.CANCELED,
    OrderExpired: _S.EXPIRED,
}
_ANSWERS: _Row = {OrderCancelRejected: STAYS, OrderUpdateRejected: STAYS}
_IN_FLIGHT: _Row = {
    OrderAccepted: _S.ACCEPTED,
    OrderDenied: _S.DENIED,
    OrderFilled: _S.PARTIALLY_FILLED,
    **_CLOSED_BY_VENUE,
    **_ANSWERS,
}
_WORKING: _Row = {
    OrderFilled: _S.PARTIALLY_FILLED,
    OrderTriggered: STAYS,
    OrderUpdated: STAYS,
    **_CLOSED_BY_VENUE,
    **_ANSWERS,
}

TRANSITIONS: Mapping[OrderStatus, _Row] = {
    _S.INITIALIZED: {OrderSubmitted: _S.SUBMITTED, OrderDenied: _S.DENIED},
    _S.SUBMITTED: {OrderAmbiguous: _S.AMBIGUOUS, **_IN_FLIGHT},
    _S.AMBIGUOUS: _IN_FLIGHT,
    _S.ACCEPTED: _WORKING,
    _S.PARTIALLY_FILLED: _WORKING,
    _S.FILLED: {OrderFilled: STAYS, OrderUpdated: STAYS},
    _S.CANCELED: {OrderFilled: STAYS, OrderUpdated: STAYS},
    _S.EXPIRED: {OrderFilled: STAYS, OrderUpdated: STAYS},
    _S.REJECTED: {OrderFilled: STAYS},
    _S.DENIED: {OrderFilled: STAYS},
    _S.PENDING_CANCEL: {},
    _S.PENDING_UPDATE: {},
}
"""What may follow what. Three rules stand beside the table:

* an order is FILLED whenever its fills add up to its quantity, whatever else happened; a larger
  quantity (`OrderUpdated` that arrives behind the fills) opens it again;
* once submitted, only `ORDER_NEVER_SENT` denies an order, and that order comes back to life when the
  venue reports it accepted or filled (then it goes on as if it had been ambiguous);
* PENDING_CANCEL and PENDING_UPDATE are no facts: see `Order.pending`.
"""
_REVIVALS: _Row = {OrderAccepted: _S.ACCEPTED, OrderFilled: _S.PARTIALLY_FILLED}


class Order:
    """One order as a fold over its facts. Repeated fills (by `trade_id`) change nothing.

    Fills are facts and always apply: before the acknowledgement, after a cancel, on an order that
    is closed (`late_fill_count`), and beyond the quantity (`is_overfilled`).

    Attributes
    ----------
    request : SubmitOrder or None
        What was asked for; None when we refused the order without keeping it.
    status : OrderStatus
        The durable status, a function of the facts alone.
    pending : OrderStatus or None
        PENDING_CANCEL or PENDING_UPDATE while a request about the order is under way. Volatile:
        set by the owner, cleared by the next fact that answers it, gone after a restart.
    quantity, filled_qty : Decimal
        Units.
    cost : Decimal
        Sum of last_qty * last_px, exact.
    code, reason : str
        Why the order was denied or rejected, else empty.
    ts_last : int
        `ts_init` of the newest fact (ns UTC).
    """

    __slots__ = (
        "_base",
        "client_order_id",
        "code",
        "cost",
        "filled_qty",
        "instrument_id",
        "is_triggered",
        "late_fill_count",
        "pending",
        "price",
        "quantity",
        "reason",
        "request",
        "status",
        "story",
        "strategy_id",
        "trade_ids",
        "trigger_price",
        "ts_last",
        "venue_order_id",
    )

    def __init__(
        self, client_order_id: ClientOrderId, strategy_id: StrategyId, instrument_id: InstrumentId
    ) -> None:
        self.client_order_id = client_order_id
        self.strategy_id = strategy_id
        self.instrument_id = instrument_id
        self.request: SubmitOrder | None = None
        self.venue_order_id: VenueOrderId | None = None
        self.quantity: Decimal = ZERO
        self.price: Decimal | None = None
        self.trigger_price: Decimal | None = None
        self.filled_qty: Decimal = ZERO
        self.cost: Decimal = ZERO
        self.trade_ids: frozenset[TradeId] = frozenset()
        self.late_fill_count = 0
        self.is_triggered = False
        self.code = ""
        self.reason = ""
        self.ts_last = 0
        self.story: tuple[str, ...] = ()
        self.pending: OrderStatus | None = None
        self.status: OrderStatus = OrderStatus.INITIALIZED
        self._base: OrderStatus = (
            OrderStatus.INITIALIZED
        )  # the status when quantities are not asked

    @classmethod
    def of(cls, event: OrderEvent) -> Self:
        """Return the order, not yet begun, that `event` speaks of."""
        return cls(event.client_order_id, event.strategy_id, event.instrument_id)

    def copy(self) -> "Order":
        """Return an independent copy (all fields are values)."""
        twin = Order(self.client_order_id, self.strategy_id, self.instrument_id)
        for name in Order.__slots__:
            setattr(twin, name, getattr(self, name))
        return twin

    @property
    def side(self) -> OrderSide | None:
        return None if self.request is None else self.request.side

    @property
    def leaves_qty(self) -> Decimal:
        """Units still to be filled; 0 for a closed order."""
        if self.status.is_terminal:
            return ZERO
        return max(EXACT.subtract(self.quantity, self.filled_qty), ZERO)

    @property
    def avg_px(self) -> Decimal:
        """Average price of the fills to 28 digits; 0 when there are none."""
        return average_price(self.cost, self.filled_qty)

    @property
    def is_open(self) -> bool:
        """True while the venue has it, or may have it."""
        return not self.status.is_terminal and self.status is not OrderStatus.INITIALIZED

    @property
    def is_in_flight(self) -> bool:
        """True while we do not know whether the venue has it."""
        return self.status in (OrderStatus.SUBMITTED, OrderStatus.AMBIGUOUS)

    @property
    def was_never_sent(self) -> bool:
        return self.status is OrderStatus.DENIED and self.code == RefusalCode.ORDER_NEVER_SENT

    @property
    def is_overfilled(self) -> bool:
        """True when the venue filled more than was asked for."""
        return self.filled_qty > self.quantity

    @property
    def shown_status(self) -> OrderStatus:
        """The status for people: the pending request comes before the durable status."""
        return self.pending if self.pending is not None and self.is_open else self.status

    def apply(self, event: OrderEvent) -> None:
        """Fold one fact in.

        Raises
        ------
        InvalidTransition
            If the table does not allow the event in this status; nothing was changed.
        """
        assert event.client_order_id == self.client_order_id, "a fact about another order"
        if isinstance(event, OrderFilled) and event.trade_id in self.trade_ids:
            return
        target = self._target(event)
        self._fold(event)
        self._base = target
        is_complete = self.filled_qty >= self.quantity > 0
        self.status = OrderStatus.FILLED if is_complete else target
        self.ts_last = max(self.ts_last, event.ts_init)
        self.story = (*self.story, type(event).__name__)
        if self.status.is_terminal:
            self.pending = None

    def _target(self, event: OrderEvent) -> OrderStatus:
        row = TRANSITIONS[self.status]
        if self.was_never_sent:
            row = _REVIVALS
        kind = type(event)
        was_submitted = self.status is not OrderStatus.INITIALIZED
        is_denial = isinstance(event, OrderDenied) and event.code != RefusalCode.ORDER_NEVER_SENT
        if kind not in row or (was_submitted and is_denial):
            raise InvalidTransition(self.client_order_id, self.status, kind.__name__, self.story)
        target = row[kind]
        return self._base if target is STAYS else target

    def _fold(self, event: OrderEvent) -> None:
        match event:
            case OrderSubmitted(order=request):
                self._begin(request)
            case OrderAccepted():
                self.venue_order_id, self.code, self.reason = event.venue_order_id, "", ""
            case OrderFilled():
                self._fill(event)
            case OrderDenied(code=code, reason=reason, order=request):
                if request is not None:
                    self._begin(request)
                self.code, self.reason = code, reason
            case OrderRejected(code=code, reason=reason):
                self.code, self.reason = code, reason
            case OrderUpdated():
                self.quantity, self.price = event.quantity, event.price
                self.trigger_price, self.pending = event.trigger_price, None
            case OrderTriggered():
                self.is_triggered = True
            case OrderCancelRejected() | OrderUpdateRejected():
                self.pending = None
            case _:
                pass  # the status says it all

    def _begin(self, request: SubmitOrder) -> None:
        self.request, self.quantity = request, request.quantity
        self.price, self.trigger_price = request.price, request.trigger_price

    def _fill(self, event: OrderFilled) -> None:
        if self.was_never_sent:
            self.code, self.reason = "", ""
        elif self.status.is_terminal:
            self.late_fill_count += 1
        self.venue_order_id = event.venue_order_id
        self.trade_ids |= {event.trade_id}
        self.filled_qty = EXACT.add(self.filled_qty, event.last_qty)
        self.cost = EXACT.add(self.cost, EXACT.multiply(event.last_qty, event.last_px))
