"""Market data. Prices and sizes are float64 here: they are looked at, they never move money."""

from trading.identifiers import InstrumentId
from trading.messages import Message
from trading.values import BookAction, OrderSide


class MarketData(Message, frozen=True, kw_only=True):
    """Base of market data.

    Attributes
    ----------
    sequence : int
        Rises by one per message of one source (or of one instrument for book messages);
        a jump is a gap, a repeat is a duplicate.
    """

    sequence: int = 0


class QuoteTick(MarketData, frozen=True, kw_only=True):
    """Best bid and offer. Prices in quote currency, sizes in units."""

    instrument_id: InstrumentId
    bid_px: float
    ask_px: float
    bid_size: float
    ask_size: float


class TradeTick(MarketData, frozen=True, kw_only=True):
    """One trade that the venue published."""

    instrument_id: InstrumentId
    price: float
    size: float
    aggressor_side: OrderSide | None = None


class Bar(MarketData, frozen=True, kw_only=True):
    """Open, high, low, close in quote currency; volume in units (0 when the source has none)."""

    instrument_id: InstrumentId
    open: float
    high: float
    low: float
    close: float
    volume: float = 0.0


class BarSlice(MarketData, frozen=True, kw_only=True):
    """All bars that closed at `ts_event`: what a bar strategy decides on. `sequence` counts slices."""

    bars: tuple[Bar, ...]


class BookDelta(MarketData, frozen=True, kw_only=True):
    """One change of one price level (L2), or of one order when `order_id` is set (L3)."""

    instrument_id: InstrumentId
    side: OrderSide
    action: BookAction
    price: float
    size: float
    order_id: str = ""


class BookSnapshot(MarketData, frozen=True, kw_only=True):
    """A whole book: `(price, size)` levels, best first. Replaces what was known."""

    instrument_id: InstrumentId
    bids: tuple[tuple[float, float], ...]
    asks: tuple[tuple[float, float], ...]


class BookTop(MarketData, frozen=True, kw_only=True):
    """What the book actor says of one book after a change: strategies and risk read this.

    Attributes
    ----------
    microprice : float
        Size-weighted mid: (bid * ask_size + ask * bid_size) / (bid_size + ask_size).
    imbalance : float
        (bid_size - ask_size) / (bid_size + ask_size), in [-1, 1].
    """

    instrument_id: InstrumentId
    bid_px: float
    ask_px: float
    bid_size: float
    ask_size: float
    microprice: float
    imbalance: float


class BarsHistory(MarketData, frozen=True, kw_only=True):
    """Answer to `RequestBars`: the slices up to and including `sequence`, oldest first."""

    slices: tuple[BarSlice, ...]


class MarketSlice(MarketData, frozen=True, kw_only=True):
    """What a replay tells the simulated exchange: the prices of one moment."""

    bars: tuple[Bar, ...]


class MarketEvents(MarketData, frozen=True, kw_only=True):
    """What a replay tells the simulated exchange: what a real venue published at one moment, in order.

    The sequences of the single events do not matter here: the exchange numbers what it publishes.
    """

    events: tuple[QuoteTick | TradeTick | BookDelta | BookSnapshot, ...]
