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
    """OPG and CLS are for the opening and the closing auction: with MARKET they are MOO and MOC, with LIMIT LOO and LOC."""

    DAY = "DAY"
    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    OPG = "OPG"
    CLS = "CLS"


class OrderListKind(StrEnum):
    """How the orders of one list depend on each other.

    BRACKET: an entry; when it fills, a take profit and a stop loss, of which one cancels the other.
    OTO: an entry; when it fills, one exit. OCO: two exits of a position, one cancels the other.
    MULTI_LEG: legs of options that trade together at one net price, or not at all.
    """

    BRACKET = "BRACKET"
    OTO = "OTO"
    OCO = "OCO"
    MULTI_LEG = "MULTI_LEG"


class AssetClass(StrEnum):
    EQUITY = "EQUITY"
    OPTION = "OPTION"
    FUTURE = "FUTURE"
    FOREX = "FOREX"
    CRYPTO = "CRYPTO"
    PERPETUAL = "PERPETUAL"


class DataKind(StrEnum):
    """Kinds of market data that a venue streams or keeps."""

    QUOTES = "quotes"
    TRADES = "trades"
    BOOKS = "books"
    BARS = "bars"


class OptionRight(StrEnum):
    CALL = "CALL"
    PUT = "PUT"


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
