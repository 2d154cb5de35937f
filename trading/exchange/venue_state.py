"""The durable state of the venue: a fold over its own stream, and nothing else."""

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from trading.codec import decode, digest_of
from trading.commands import SubmitOrderList
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
from trading.exchange.sessions import Sessions
from trading.exchange.venue_account import VenueAccount
from trading.identifiers import AccountId, ClientOrderId, InstrumentId, TradeId, Venue, VenueOrderId
from trading.order_lists import first_of, leg_index
from trading.refusals import RefusalCode
from trading.values import ZERO, OrderSide, OrderStatus

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
    released : deque of VenueOrder
        Exits that began to work and were not looked at by the matching yet; not durable.
    working : dict of account_id to its unfilled units by (instrument_id, side)
    """

    def __init__(
        self,
        venue: Venue,
        accounts: Mapping[AccountId, Decimal],
        sessions: Sessions | None = None,
    ) -> None:
        self._venue = venue
        self._sessions = Sessions() if sessions is None else sessions
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
        self.released: deque[VenueOrder] = deque()
        self.last_ts_event = 0
        self._lists: defaultdict[ClientOrderId, list[VenueOrder]] = defaultdict(list)
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

    def dormant(self, until: int) -> list[VenueOrder]:
        """Return the orders whose time has come by `until` (ns UTC), the oldest first."""
        due = [order for order in self.all_open() if order.is_dormant and order.begins_at <= until]
        return sorted(due, key=lambda order: order.priority)

    def list_of(self, order: VenueOrder) -> Sequence[VenueOrder]:
        """Return all orders of the list that `order` came in, in its order; none for an order by itself."""
        return () if order.list_kind is None else self._lists[first_of(order.request)]

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
                self._apply_submitted(event)
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
        for key in _orders_of(event):
            self.requests_by_order[key].append(event)

    def _apply_submitted(self, event: OrderSubmitted) -> None:
        order = received(event.order, event.list_kind)
        self.orders[event.client_order_id] = order
        if event.list_kind is not None:
            self._lists[first_of(event.order)].append(order)

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
        order.day = self._sessions.day_of(event.ts_event)
        order.begins_at = self._sessions.begins_at(order.request, event.ts_event)
        order.is_dormant = order.begins_at > 0
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
        elif order.filled_qty and order.list_kind is not None:
            self._release_exits(order)

    def _release_exits(self, entry: VenueOrder) -> None:
        """The entry is over: its exits begin to work, behind everybody else."""
        if entry.is_held or leg_index(entry.request):
            return
        for order in self.list_of(entry)[1:]:
            if order.is_held and order.is_open:
                self._unlink(order)
                order.is_held, order.priority = False, self._next_priority()
                self._link(order)
                self.released.append(order)

    def _fill(self, order: VenueOrder, event: OrderFilled) -> None:
        if event.last_qty > order.leaves_qty:
            raise _illegal(event, order)
        self._trade_count += 1
        order.filled_qty += event.last_qty
        is_done = order.leaves_qty == 0
        order.status = OrderStatus.FILLED if is_done else OrderStatus.PARTIALLY_FILLED
        self.accounts[order.request.account_id].apply_fill(fill_report(event, order))

    def _update(self, order: VenueOrder, event: OrderUpdated) -> None:
        """A new price or more units go to the end of the queue; fewer units keep their place.

        An order whose time has come is dormant no more.
        """
        if order.is_dormant and event.ts_event >= order.begins_at:
            order.is_dormant, order.priority = False, self._next_priority()
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
        self._add_working(order, order.counted_qty)
        if order.is_waiting:
            self.stops[request.instrument_id][request.client_order_id] = order
        elif order.is_in_book:
            self.books[request.instrument_id].add(order)

    def _unlink(self, order: VenueOrder) -> None:
        request = order.request
        del self.open_orders[request.account_id][request.client_order_id]
        self._add_working(order, -order.counted_qty)
        if order.is_waiting:
            del self.stops[request.instrument_id][request.client_order_id]
        elif order.is_in_book:
            self.books[request.instrument_id].remove(order)

    def _add_working(self, order: VenueOrder, units: Decimal) -> None:
        if not units:
            return
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
            book.validate(self._sessions.is_awake)

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
            if order.counted_qty:
                units[key] = units.get(key, ZERO) + order.counted_qty
        assert working == self.working, "working units are not those of the open orders"
        booked = [
            o for book in self.books.values() for side in OrderSide for o in book.orders(side)
        ]
        waiting = [order for stops in self.stops.values() for order in stops.values()]
        assert len(booked) == sum(order.is_in_book for order in self.all_open()), "books are wrong"
        assert len(waiting) == sum(order.is_waiting for order in self.all_open()), "stops are wrong"


def subject_of(body: object) -> ClientOrderId:
    """Return the id of the order that a request is about, of a list that of the first; else an empty one."""
    if isinstance(body, SubmitOrderList):
        return body.orders[0].client_order_id if body.orders else ClientOrderId("")
    return getattr(body, "client_order_id", ClientOrderId(""))


def _orders_of(event: VenueRequestReceived) -> tuple[str, ...]:
    """Return the ids of the orders that a request is about."""
    if event.kind != SubmitOrderList.__name__:
        return (event.client_order_id,)
    body = decode(event.payload)
    assert isinstance(body, SubmitOrderList), event.kind
    return tuple(order.client_order_id for order in body.orders)


def _illegal(event: OrderEvent, order: VenueOrder | None) -> InvalidTransition:
    state = order.status.value if order else "UNKNOWN"
    story = (state,) if order is None else (state, f"filled {order.filled_qty}/{order.quantity}")
    return InvalidTransition(event.client_order_id, state, type(event).__name__, story)
