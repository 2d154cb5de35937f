"""One order as the venue knows it."""

from decimal import Decimal

import msgspec

from trading.commands import SubmitOrder
from trading.identifiers import VenueOrderId
from trading.order_lists import alternative_to, has_entry, leg_index
from trading.values import ZERO, OrderListKind, OrderSide, OrderStatus, OrderType, TimeInForce

STOP_TYPES = frozenset(
    {OrderType.STOP_MARKET, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP_MARKET}
)
PRICED_TYPES = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})
RESTING_TIMES = frozenset({TimeInForce.DAY, TimeInForce.GTC})
AUCTIONS = frozenset({TimeInForce.OPG, TimeInForce.CLS})


class VenueOrder(msgspec.Struct, kw_only=True):
    """State of one order; changed by the fold of `VenueState` alone.

    Attributes
    ----------
    request : SubmitOrder
        As it was received. `quantity`, `price` and `trigger_price` below hold the values in force.
    priority : int
        Place in time: the lower one trades first at the same price.
    day : int
        UTC day (days since 1970) on which the order was accepted; a DAY order ends with it.
    list_kind : OrderListKind or None
        Of the list that the order came in.
    begins_at : int
        Market time (ns UTC) before which it cannot trade: that of its auction, or of the next session; 0: none.
    is_dormant : bool
        That time has not come.
    is_held : bool
        An exit whose entry is not over yet: it can neither trade nor trigger.
    stands_by : bool
        The other exit of its list counts for both: only one can fill.
    venue_seq : int
        Number of the account's execution message that told of the last change.
    """

    request: SubmitOrder
    quantity: Decimal
    price: Decimal | None
    trigger_price: Decimal | None
    status: OrderStatus = OrderStatus.SUBMITTED
    venue_order_id: VenueOrderId = VenueOrderId("")
    filled_qty: Decimal = ZERO
    is_triggered: bool = False
    priority: int = 0
    day: int = 0
    venue_seq: int = 0
    code: str = ""
    reason: str = ""
    list_kind: OrderListKind | None = None
    begins_at: int = 0
    is_dormant: bool = False
    is_held: bool = False
    stands_by: bool = False

    @property
    def side(self) -> OrderSide:
        return self.request.side

    @property
    def leaves_qty(self) -> Decimal:
        return self.quantity - self.filled_qty

    @property
    def counted_qty(self) -> Decimal:
        """Units that may still change the position, beside all other orders."""
        return ZERO if self.is_held or self.stands_by else self.leaves_qty

    @property
    def is_open(self) -> bool:
        return self.status in {OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED}

    @property
    def is_waiting(self) -> bool:
        """True for an open stop order whose trigger was not reached yet."""
        is_stop = self.request.order_type in STOP_TYPES and not self.is_triggered
        return is_stop and self.is_open and not (self.is_held or self.is_dormant)

    @property
    def is_in_book(self) -> bool:
        if self.is_held or self.is_dormant or self.is_waiting:
            return False
        return self.is_open and self.price is not None

    @property
    def may_rest(self) -> bool:
        """True if what cannot trade at once may wait in the book."""
        return self.price is not None and self.request.time_in_force in RESTING_TIMES

    def accepts(self, price: Decimal) -> bool:
        """Return whether the order may trade at `price`."""
        if self.price is None:
            return True
        return price <= self.price if self.side is OrderSide.BUY else price >= self.price


def received(order: SubmitOrder, list_kind: OrderListKind | None = None) -> VenueOrder:
    """Return the order as it enters the venue, alone or in a list."""
    return VenueOrder(
        request=order,
        quantity=order.quantity,
        price=order.price,
        trigger_price=order.trigger_price,
        list_kind=list_kind,
        is_held=list_kind is not None and has_entry(list_kind) and leg_index(order) > 0,
        stands_by=alternative_to(order, list_kind) is not None,
    )
