"""The durable state of the venue: a fold over its own stream, and nothing else."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal

from trading.codec import digest_of
from trading.errors import InvalidTransition
from trading.events import (
    Event,
    OrderAccepted,
    OrderCanceled,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderSubmitted,
    OrderTriggered,
    OrderUpdated,
    VenueRequestReceived,
)
from trading.exchange.order_book import OrderBook
from trading.exchange.orders import VenueOrder, received
from trading.exchange.reporting import fill_report
from trading.exchange.venue_account import VenueAccount
from trading.identifiers import AccountId, ClientOrderId, InstrumentId, TradeId, Venue, VenueOrderId
from trading.refusals import RefusalCode
from trading.values import (
    NANOS_PER_DAY,
    ZERO,
    OrderSide,
    OrderStatus,
)

_Orders = dict[ClientOrderId, VenueOrder]
_Working = dict[tuple[InstrumentId, OrderSide], Decimal]


class VenueState:
    """Requests, orders, accounts; and the indexes that the matching reads.

    Parameters
    ----------
    accounts : mapping of account_id to initial cash

    Attributes
    ----------
    orders : dict
        Every order ever received except repeated ids, refused ones too.
    open_orders : dict of account_id to its open orders
    books : dict of instrument_id to the limit orders that can trade
    stops : dict of instrument_id to the stop orders that wait for their trigger
    working : dict of account_id to its unfilled units by (instrument_id, side)
    """

    def __init__(self, venue: Venue, accounts: Mapping[AccountId, Decimal]) -> None:
        self._venue = venue
        self.accounts = {key: VenueAccount(key, cash) for key, cash in accounts.items()}
        self.requests: list[VenueRequestReceived] = []
        self.request_counts: Counter[str] = Counter()
        self.requests_by_order: defaultdict[str, list[VenueRequestReceived]] = defaultdict(list)
        self.refusals: Counter[str] = Counter()
        self.orders: dict[ClientOrderId, VenueOrder] = {}
        self.open_orders: dict[AccountId, _Orders] = {key: {} for key in accounts}
        self.books: defaultdict[InstrumentId, OrderBook] = defaultdict(OrderBook)
        self.stops: defaultdict[InstrumentId, _Orders] = defaultdict(dict)
        self.working: dict[AccountId, _Working] = {key: {} for key in accounts}
        self.last_ts_event = 0
        self._accepted_count = 0
        self._trade_count = 0
        self._last_priority = 0

    @property
    def next_venue_order_id(self) -> VenueOrderId:
        return VenueOrderId(f"{self._venue}-O{self._accepted_count + 1}")

    @property
    def next_trade_id(self) -> TradeId:
        return TradeId(f"{self._venue}-T{self._trade_count + 1}")

    @property
    def has_open(self) -> bool:
        """Return whether any order is open."""
        return any(self.open_orders.values())

    def all_open(self) -> Iterable[VenueOrder]:
        """Yield every open order, account by account."""
        return (order for orders in self.open_orders.values() for order in orders.values())

    # -- fold

    def apply(self, event: Event) -> None:
        """Fold one fact of the venue's own stream.

        Raises
        ------
        InvalidTransition
            If the fact does not fit the state of its order.
        """
        self.last_ts_event = max(self.last_ts_event, event.ts_event)
        match event:
            case VenueRequestReceived():
                self._apply_request(event)
            case OrderSubmitted():
                if event.client_order_id in self.orders:
                    raise _illegal(event, self.orders[event.client_order_id])
                self.orders[event.client_order_id] = received(event.order)
            case OrderRejected():
                self._apply_rejected(event)
            case OrderAccepted():
                self._apply_accepted(event)
            case OrderEvent():
                self._apply_change(event)
            case _:
                raise AssertionError(f"{type(event).__name__} is no fact of an exchange")

    def _apply_request(self, event: VenueRequestReceived) -> None:
        self.requests.append(event)
        self.request_counts[event.kind] += 1
        self.requests_by_order[event.client_order_id].append(event)

    def _apply_rejected(self, event: OrderRejected) -> None:
        self.refusals[event.code] += 1
        if event.code == RefusalCode.DUPLICATE_CLIENT_ORDER_ID:
            return  # the order that holds the id is not touched
        order = self._order(event, OrderStatus.SUBMITTED)
        order.status = OrderStatus.REJECTED
        order.code, order.reason = event.code, event.reason
        self._number(order)

    def _apply_accepted(self, event: OrderAccepted) -> None:
        order = self._order(event, OrderStatus.SUBMITTED)
        self._accepted_count += 1
        order.status = OrderStatus.ACCEPTED
        order.venue_order_id = event.venue_order_id
        order.day = event.ts_event // NANOS_PER_DAY
        order.priority = self._next_priority()
        self._number(order)
        self._link(order)

    def _apply_change(self, event: OrderEvent) -> None:
        order = self._order(event, OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED)
        self._unlink(order)
        self._number(order)
        match event:
            case OrderFilled():
                self._fill(order, event)
            case OrderUpdated():
                self._update(order, event)
            case OrderTriggered():
                order.is_triggered = True
                order.priority = self._next_priority()
            case OrderCanceled():
                order.status, order.reason = OrderStatus.CANCELED, event.reason
            case OrderExpired():
                order.status, order.reason = OrderStatus.EXPIRED, event.reason
            case _:
                raise _illegal(event, order)
        if order.is_open:
            self._link(order)

    def _fill(self, order: VenueOrder, event: OrderFilled) -> None:
        if event.last_qty > order.leaves_qty:
            raise _illegal(event, order)
        self._trade_count += 1
        order.filled_qty += event.last_qty
        is_done = order.leaves_qty == 0
        order.status = OrderStatus.FILLED if is_done else OrderStatus.PARTIALLY_FILLED
        self.accounts[order.request.account_id].apply_fill(fill_report(event, order))

    def _update(self, order: VenueOrder, event: OrderUpdated) -> None:
        """A new price or more units go to the end of the queue; fewer units keep their place."""
        if event.price != order.price or event.quantity > order.quantity:
            order.priority = self._next_priority()
        order.quantity = event.quantity
        order.price, order.trigger_price = event.price, event.trigger_price

    def _order(self, event: OrderEvent, *legal: OrderStatus) -> VenueOrder:
        order = self.orders.get(event.client_order_id)
        if order is None or order.status not in legal:
            raise _illegal(event, order)
        return order

    def _next_priority(self) -> int:
        self._last_priority += 1
        return self._last_priority

    def _number(self, order: VenueOrder) -> None:
        account = self.accounts.get(order.request.account_id)
        if account is not None:
            order.venue_seq = account.next_venue_seq()

    # -- indexes of open orders

    def _link(self, order: VenueOrder) -> None:
        request = order.request
        self.open_orders[request.account_id][request.client_order_id] = order
        self._add_working(order, order.leaves_qty)
        if order.is_waiting:
            self.stops[request.instrument_id][request.client_order_id] = order
        elif order.is_in_book:
            self.books[request.instrument_id].add(order)

    def _unlink(self, order: VenueOrder) -> None:
        request = order.request
        del self.open_orders[request.account_id][request.client_order_id]
        self._add_working(order, -order.leaves_qty)
        if order.is_waiting:
            del self.stops[request.instrument_id][request.client_order_id]
        elif order.is_in_book:
            self.books[request.instrument_id].remove(order)

    def _add_working(self, order: VenueOrder, units: Decimal) -> None:
        working = self.working[order.request.account_id]
        key = (order.request.instrument_id, order.side)
        working[key] = working.get(key, ZERO) + units
        if not working[key]:
            del working[key]

    # -- proof

    def state_hash(self) -> str:
        return digest_of(
            {
                "accounts": {key: account.content() for key, account in self.accounts.items()},
                "requests": self.requests,
                "refusals": dict(self.refusals),
                "orders": self.orders,
                "last_ts_event": self.last_ts_event,
                "counters": (self._accepted_count, self._trade_count, self._last_priority),
            }
        )

    def validate(self) -> None:
        """Raise `AssertionError` when units or money are not conserved, or an index is wrong."""
        for account in self.accounts.values():
            account.validate()
        self._validate_quantities()
        self._validate_indexes()
        for book in self.books.values():
            book.validate()

    def _validate_quantities(self) -> None:
        filled: defaultdict[ClientOrderId, Decimal] = defaultdict(Decimal)
        for account in self.accounts.values():
            for fill in account.fills:
                filled[fill.client_order_id] += fill.last_qty
        for key, order in self.orders.items():
            assert order.filled_qty == filled[key], f"{key}: {order.filled_qty} is not its fills"
            if order.status not in {OrderStatus.REJECTED, OrderStatus.SUBMITTED}:
                assert 0 <= order.filled_qty <= order.quantity, f"{key}: overfilled"
                is_done = order.status is OrderStatus.FILLED
                assert is_done == (order.leaves_qty == 0), f"{key}: {order.status}"

    def _validate_indexes(self) -> None:
        working: dict[AccountId, _Working] = {key: {} for key in self.accounts}
        is_open = {key for key, order in self.orders.items() if order.is_open}
        listed = [order.request.client_order_id for order in self.all_open()]
        assert is_open == set(listed), "open orders are not what is listed as open"
        for order in self.all_open():
            key = (order.request.instrument_id, order.side)
            units = working[order.request.account_id]
            units[key] = units.get(key, ZERO) + order.leaves_qty
        assert working == self.working, "working units are not those of the open orders"
        booked = [
            o for book in self.books.values() for side in OrderSide for o in book.orders(side)
        ]
        waiting = [order for stops in self.stops.values() for order in stops.values()]
        assert len(booked) == sum(order.is_in_book for order in self.all_open()), "books are wrong"
        assert len(waiting) == sum(order.is_waiting for order in self.all_open()), "stops are wrong"


def _illegal(event: OrderEvent, order: VenueOrder | None) -> InvalidTransition:
    state = order.status.value if order else "UNKNOWN"
    story = (state,) if order is None else (state, f"filled {order.filled_qty}/{order.quantity}")
    return InvalidTransition(event.client_order_id, state, type(event).__name__, story)
