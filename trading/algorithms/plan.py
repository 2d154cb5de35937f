"""What an algorithm wants done now, and how an execution may end."""

from decimal import Decimal
from enum import StrEnum

import msgspec

from trading.algorithms.child import Child
from trading.algorithms.parameters import ChildRole, Listing
from trading.algorithms.parent import ParentOrder
from trading.identifiers import ClientOrderId
from trading.routing.quotes import VenueQuote
from trading.values import OrderType, TimeInForce


class EndCode(StrEnum):
    """How an execution ended. Stable: these words are in journals."""

    FILLED = "FILLED"
    """All of the parent's quantity is filled."""
    EXITED = "EXITED"
    """The exits have closed what they were there for."""
    NOTHING_TO_EXIT = "NOTHING_TO_EXIT"
    """Risk says again and again that an exit would reduce nothing: the position was left otherwise."""
    NOT_ENTERED = "NOT_ENTERED"
    """The entry of a bracket ended without a fill."""
    CANCELED = "CANCELED"
    """Somebody asked for it."""
    CHILD_CANCELED = "CHILD_CANCELED"
    """Somebody else cancelled a resting child: whoever does that by hand means it."""
    EXPIRED = "EXPIRED"
    """`expires_at` has passed."""
    WINDOW_OVER = "WINDOW_OVER"
    """The window is over, and it need not be completed."""
    REMAINDER_TOO_SMALL = "REMAINDER_TOO_SMALL"
    """What is left is less than the smallest order of any venue."""
    NOTHING_TO_SELL = "NOTHING_TO_SELL"
    """The accounts hold nothing more that could be sold, and their venues know no short sale."""
    REFUSED = "REFUSED"
    """Too many children in a row were refused."""


class Ending(msgspec.Struct, frozen=True):
    """Why an execution ends; `reason` is one sentence."""

    code: EndCode
    reason: str


class WantedChild(msgspec.Struct, frozen=True, kw_only=True):
    """One child to be sent to the venue of `quote`."""

    quote: VenueQuote
    quantity: Decimal
    step: int
    role: ChildRole = ChildRole.PART
    order_type: OrderType = OrderType.MARKET
    time_in_force: TimeInForce = TimeInForce.DAY
    price: Decimal | None = None
    trigger_price: Decimal | None = None


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done now.

    Attributes
    ----------
    cancels : tuple of (client_order_id, reason)
        Children whose cancel was not planned before.
    wake_at : int
        Host time (ns UTC) at which to decide again at the latest; 0 is not by the clock.
    is_watching : bool
        A change of the market may call for something.
    books : tuple of Listing
        Nothing is sent before these books are known deeper, or cannot be had in time.
    stop_loss_px : Decimal or None
        The price at which the watched stop loss was reached.
    """

    children: tuple[WantedChild, ...] = ()
    cancels: tuple[tuple[ClientOrderId, str], ...] = ()
    wake_at: int = 0
    is_watching: bool = False
    books: tuple[Listing, ...] = ()
    ending: Ending | None = None
    stop_loss_px: Decimal | None = None


def earliest(*times: int) -> int:
    """Return the first of some moments; 0 stands for never."""
    return min((at for at in times if at), default=0)


def cancels_of(children: list[Child], reason: str) -> tuple[tuple[ClientOrderId, str], ...]:
    """Return the cancels of those children that are open and not being cancelled yet."""
    return tuple(
        (child.client_order_id, reason)
        for child in children
        if child.is_open and not child.is_cancel_planned
    )


def wind_down(parent: ParentOrder, ending: Ending, now: int, settle_ns: int) -> Plan:
    """Cancel what is open, wait until nothing can fill any more, then end."""
    children = list(parent.children.values())
    cancels = cancels_of(children, ending.reason)
    waits = [child.settled_at(settle_ns) for child in children if not child.is_open]
    until = max(waits, default=0)
    if cancels or any(child.is_open for child in children):
        return Plan(cancels=cancels)
    if until > now:
        return Plan(wake_at=until)
    return Plan(ending=ending)
