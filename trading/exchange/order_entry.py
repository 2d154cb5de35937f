"""The front door: what the venue answers to each request that changes orders."""

from collections.abc import Mapping
from decimal import Decimal

from trading.commands import (
    CancelAllOrders,
    CancelOrder,
    ReplaceOrder,
    SubmitOrder,
    SubmitOrderList,
)
from trading.events import (
    OrderAccepted,
    OrderCanceled,
    OrderRejected,
    OrderSubmitted,
    OrderUpdated,
)
from trading.exchange.admission import (
    Refusal,
    VenueCode,
    check_notional,
    check_replace,
    check_terms,
)
from trading.exchange.buying_power import BuyingPower
from trading.exchange.market import Market
from trading.exchange.matching import MatchingEngine
from trading.exchange.orders import VenueOrder
from trading.exchange.sessions import Sessions
from trading.exchange.turn import Turn
from trading.exchange.venue_state import VenueState
from trading.identifiers import InstrumentId
from trading.instruments import Instrument
from trading.order_lists import list_defect
from trading.outcomes import (
    CancelAcknowledged,
    CancelAllAcknowledged,
    CancelRefused,
    ReplaceAcknowledged,
    ReplaceRefused,
    SubmitAcknowledged,
    SubmitListAcknowledged,
    SubmitListRefused,
    SubmitRefused,
)
from trading.values import ZERO, OrderListKind, TimeInForce

_AT_ONCE = frozenset({TimeInForce.IOC, TimeInForce.FOK})


class OrderEntry:
    """Checks requests, records what became of them, and hands good ones to the engine.

    A client order id is used up by the first order that carries it, refused or not, in whichever
    account. `reduce_only` is not looked at: it speaks of a strategy's position, and the venue
    knows accounts alone.
    """

    def __init__(
        self,
        state: VenueState,
        market: Market,
        engine: MatchingEngine,
        instruments: Mapping[InstrumentId, Instrument],
        buying_power: BuyingPower,
        sessions: Sessions,
    ) -> None:
        self._state = state
        self._market = market
        self._engine = engine
        self._instruments = instruments
        self._buying_power = buying_power
        self._sessions = sessions
        self.epoch = 0

    def submit(self, request: SubmitOrder, turn: Turn) -> SubmitAcknowledged | SubmitRefused:
        """Refuse the order, or accept it and let it trade."""
        key = request.client_order_id
        if key in self._state.orders:
            reason = "an order with this id exists already"
            refusal = Refusal(VenueCode.DUPLICATE_CLIENT_ORDER_ID, reason)
            turn.record(OrderRejected(**turn.origin(request), **refusal.details))
            return SubmitRefused(**turn.stamps, client_order_id=key, **refusal.details)
        turn.record(OrderSubmitted(**turn.origin(request), order=request, epoch=self.epoch))
        order = self._state.orders[key]
        objection = self._check_submit(order, turn)
        if objection is not None:
            turn.record_change(OrderRejected, order, **objection.details)
            return SubmitRefused(**turn.stamps, client_order_id=key, **objection.details)
        turn.record_change(OrderAccepted, order, venue_order_id=self._state.next_venue_order_id)
        self._engine.enter(order, turn)
        return SubmitAcknowledged(
            **turn.stamps, client_order_id=key, venue_order_id=order.venue_order_id
        )

    def submit_list(
        self, request: SubmitOrderList, turn: Turn
    ) -> SubmitListAcknowledged | SubmitListRefused:
        """Refuse all orders of the list, or accept them all; exits are held until their entry is over."""
        keys = tuple(order.client_order_id for order in request.orders)
        objection = self._record_list(request, turn)
        if objection is not None:
            return SubmitListRefused(**turn.stamps, client_order_ids=keys, **objection.details)
        orders = [self._state.orders[key] for key in keys]
        for order in orders:
            order_id = self._state.next_venue_order_id
            turn.record_change(OrderAccepted, order, venue_order_id=order_id)
        for order in orders:
            if order.is_open:
                self._engine.enter(order, turn)
        order_ids = tuple(order.venue_order_id for order in orders)
        return SubmitListAcknowledged(
            **turn.stamps, client_order_ids=keys, venue_order_ids=order_ids
        )

    def cancel(self, request: CancelOrder, turn: Turn) -> CancelAcknowledged | CancelRefused:
        key = request.client_order_id
        order = self._find_open(request)
        if isinstance(order, Refusal):
            return CancelRefused(**turn.stamps, client_order_id=key, **order.details)
        turn.record_change(OrderCanceled, order, reason=request.reason or "canceled on request")
        return CancelAcknowledged(**turn.stamps, client_order_id=key)

    def cancel_all(self, request: CancelAllOrders, turn: Turn) -> CancelAllAcknowledged:
        canceled = [
            order
            for order in self._state.open_orders.get(request.account_id, {}).values()
            if request.strategy_id in {None, order.request.strategy_id}
        ]
        for order in canceled:
            if order.is_open:  # an exit ends with its entry, or with the other exit
                turn.record_change(
                    OrderCanceled, order, reason=request.reason or "canceled on request"
                )
        ids = tuple(order.request.client_order_id for order in canceled)
        return CancelAllAcknowledged(**turn.stamps, client_order_ids=ids)

    def replace(self, request: ReplaceOrder, turn: Turn) -> ReplaceAcknowledged | ReplaceRefused:
        """Refuse the change, or make it and let the order trade if its new price allows."""
        key = request.client_order_id
        order = self._find_open(request)
        if isinstance(order, Refusal):
            return ReplaceRefused(**turn.stamps, client_order_id=key, **order.details)
        objection = self._check_replace(request, order)
        if objection is not None:
            return ReplaceRefused(**turn.stamps, client_order_id=key, **objection.details)
        turn.record_change(
            OrderUpdated,
            order,
            quantity=request.quantity or order.quantity,
            price=request.price or order.price,
            trigger_price=request.trigger_price or order.trigger_price,
        )
        self._engine.enter(order, turn)
        return ReplaceAcknowledged(**turn.stamps, report=turn.status(order))

    # -- checks

    def _record_list(self, request: SubmitOrderList, turn: Turn) -> Refusal | None:
        """Record the orders as received, or as rejected with the reason that is returned."""
        objection = _check_list(request)
        if objection is not None:
            return objection
        known = [each for each in request.orders if each.client_order_id in self._state.orders]
        if known:
            reason = "an order with one of these ids exists already"
            objection = Refusal(VenueCode.DUPLICATE_CLIENT_ORDER_ID, reason)
            for order in known:
                turn.record(OrderRejected(**turn.origin(order), **objection.details))
            return objection
        for order in request.orders:
            origin = turn.origin(order)
            turn.record(
                OrderSubmitted(**origin, order=order, epoch=self.epoch, list_kind=request.kind)
            )
        orders = [self._state.orders[order.client_order_id] for order in request.orders]
        objections = (self._check_submit(order, turn) for order in orders)
        objection = next((each for each in objections if each is not None), None)
        if objection is not None:
            for entered in orders:
                turn.record_change(OrderRejected, entered, **objection.details)
        return objection

    def _find_open(self, request: CancelOrder | ReplaceOrder) -> VenueOrder | Refusal:
        order = self._state.orders.get(request.client_order_id)
        if order is None or order.request.account_id != request.account_id:
            return Refusal(VenueCode.UNKNOWN_ORDER, "no order with this id is known")
        if request.venue_order_id not in {None, order.venue_order_id}:
            return Refusal(VenueCode.UNKNOWN_ORDER, "the venue order id is of another order")
        if not order.is_open:
            return Refusal(VenueCode.ORDER_CLOSED, f"the order is {order.status}")
        return order

    def _check_submit(self, order: VenueOrder, turn: Turn) -> Refusal | None:
        request = order.request
        if request.account_id not in self._state.accounts:
            return Refusal(VenueCode.UNKNOWN_ACCOUNT, "no such account here")
        instrument = self._instruments.get(request.instrument_id)
        if instrument is None:
            return Refusal(VenueCode.UNKNOWN_INSTRUMENT, "no such instrument here")
        objection = check_terms(request, instrument)
        if objection is not None:
            return objection
        price = self._value(order)
        if turn.ts_event == 0 or price is None:
            return Refusal(VenueCode.NO_MARKET, "the instrument has no price yet")
        objection = check_notional(order.quantity, price, instrument) or self._check_hours(order)
        if objection is not None:
            return objection
        if order.is_held or order.stands_by:
            return None  # what it can do, its entry or the other exit was checked for
        if request.post_only and self._engine.would_take(order, order.price):
            return Refusal(VenueCode.POST_ONLY_WOULD_TRADE, "the order would trade at once")
        return self._buying_power.check(
            self._state, self._market.last, order, order.quantity, price
        )

    def _check_hours(self, order: VenueOrder) -> Refusal | None:
        if order.request.time_in_force not in _AT_ONCE or self._sessions.is_open:
            return None
        reason = f"the market is closed, and {order.request.time_in_force} cannot wait"
        return Refusal(VenueCode.MARKET_CLOSED, reason)

    def _check_replace(self, request: ReplaceOrder, order: VenueOrder) -> Refusal | None:
        objection = check_replace(request, order, self._instruments[order.request.instrument_id])
        if objection is not None:
            return objection
        is_moved = request.price is not None
        if order.request.post_only and is_moved and self._engine.would_take(order, request.price):
            return Refusal(VenueCode.POST_ONLY_WOULD_TRADE, "the order would trade at once")
        added = ZERO if request.quantity is None else request.quantity - order.quantity
        price = request.price or self._value(order)
        if price is None:
            return None
        instrument = self._instruments[order.request.instrument_id]
        objection = check_notional(request.quantity or order.quantity, price, instrument)
        if objection is not None or added <= 0:
            return objection
        return self._buying_power.check(self._state, self._market.last, order, added, price)

    def _value(self, order: VenueOrder) -> Decimal | None:
        """Return the price at which the order counts: limit, else trigger, else the last one."""
        return (
            order.price or order.trigger_price or self._market.last.get(order.request.instrument_id)
        )


def _check_list(request: SubmitOrderList) -> Refusal | None:
    if request.kind is OrderListKind.MULTI_LEG:
        reason = f"this venue takes no {request.kind} lists"
        return Refusal(VenueCode.LIST_NOT_SUPPORTED, reason)
    defect = list_defect(request)
    return None if defect is None else Refusal(VenueCode.BAD_LIST, defect)
