"""One order as the venue knows it."""

from decimal import Decimal

import msgspec

from trading.commands import SubmitOrder
from trading.identifiers import VenueOrderId
from trading.values import ZERO, OrderSide, OrderStatus, OrderType, TimeInForce

STOP_TYPES = frozenset(
    {OrderType.STOP_MARKET, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP_MARKET}
)
PRICED_TYPES = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})
RESTING_TIMES = frozenset({TimeInForce.DAY, TimeInForce.GTC})


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

    @property
    def side(self) -> OrderSide:
        return self.request.side

    @property
    def leaves_qty(self) -> Decimal:
        return self.quantity - self.filled_qty

    @property
    def is_open(self) -> bool:
        return self.status in {OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED}

    @property
    def is_waiting(self) -> bool:
        """True for an open stop order whose trigger was not reached yet."""
        return self.is_open and self.request.order_type in STOP_TYPES and not self.is_triggered

    @property
    def is_in_book(self) -> bool:
        return self.is_open and self.price is not None and not self.is_waiting

    @property
    def may_rest(self) -> bool:
        """True if what cannot trade at once may wait in the book."""
        return self.price is not None and self.request.time_in_force in RESTING_TIMES

    def accepts(self, price: Decimal) -> bool:
        """Return whether the order may trade at `price`."""
        if self.price is None:
            return True
        return price <= self.price if self.side is OrderSide.BUY else price >= self.price


def received(order: SubmitOrder) -> VenueOrder:
    """Return the order as it enters the venue."""
    return VenueOrder(
        request=order,
        quantity=order.quantity,
        price=order.price,
        trigger_price=order.trigger_price,
    )
