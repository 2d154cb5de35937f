"""The closed sets of the field: sides, types, states. One word per idea."""

from decimal import Decimal
from enum import StrEnum


class OrderSide(StrEnum):
    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """+1 for BUY, -1 for SELL."""
        return 1 if self is OrderSide.BUY else -1

    @property
    def opposite(self) -> "OrderSide":
        return OrderSide.SELL if self is OrderSide.BUY else OrderSide.BUY


class OrderType(StrEnum):
    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP_MARKET = "STOP_MARKET"
    STOP_LIMIT = "STOP_LIMIT"
    TRAILING_STOP_MARKET = "TRAILING_STOP_MARKET"


class TimeInForce(StrEnum):
    DAY = "DAY"
    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"


class LiquiditySide(StrEnum):
    MAKER = "MAKER"
    TAKER = "TAKER"


class OrderStatus(StrEnum):
    """The states of an order. *Denied* is ours, *Rejected* is the venue's.

    AMBIGUOUS means: sent, outcome unknown. It is resolved by asking the venue, never by
    sending again.
    """

    INITIALIZED = "INITIALIZED"
    SUBMITTED = "SUBMITTED"
    AMBIGUOUS = "AMBIGUOUS"
    ACCEPTED = "ACCEPTED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    PENDING_CANCEL = "PENDING_CANCEL"
    PENDING_UPDATE = "PENDING_UPDATE"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    DENIED = "DENIED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"

    @property
    def is_terminal(self) -> bool:
        """True when nothing more is expected of the order."""
        return self in _TERMINAL


_TERMINAL = frozenset(
    {
        OrderStatus.FILLED,
        OrderStatus.CANCELED,
        OrderStatus.DENIED,
        OrderStatus.REJECTED,
        OrderStatus.EXPIRED,
    }
)


class TradingState(StrEnum):
    """ACTIVE trades; REDUCING lets through only what makes a position smaller; HALTED nothing."""

    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"
    HALTED = "HALTED"


class BookAction(StrEnum):
    """UPDATE sets the size at a price (adding the level if needed); DELETE removes it."""

    UPDATE = "UPDATE"
    DELETE = "DELETE"


ZERO = Decimal(0)
NANOS_PER_SECOND = 1_000_000_000
NANOS_PER_DAY = 86_400 * NANOS_PER_SECOND
