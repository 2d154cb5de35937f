"""What a market gateway needs to know before it starts."""

import msgspec

from trading.identifiers import Venue
from trading.instruments import Instrument
from trading.ports import Subscription
from trading.values import NANOS_PER_SECOND, DataKind


class GatewayConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What is streamed, and how bars come about.

    Attributes
    ----------
    kinds : frozenset of DataKind
        What is streamed. Quotes or books must be among it: risk prices every order by them.
    bar_interval_ns : int
        Length of a bar.
    bars_from : DataKind
        BARS takes the venue's own bars; TRADES builds them here from trades, QUOTES from the middle of quotes.
    history_bars : int
        Slices that are fetched at the start and kept: the longest window that anybody can ask for.
    max_silence_ns : int
        Connected but mute for so long: the gateway subscribes once more (ns of host time).
    grace_ns : int
        How long a slice waits for bars behind its boundary, or behind its first bar (ns of host time).

    Raises
    ------
    ValueError
        If a number is not positive, bars would be built from books, or there is nothing to price orders by.
    """

    venue: Venue
    instruments: tuple[Instrument, ...]
    kinds: frozenset[DataKind]
    bar_interval_ns: int
    bars_from: DataKind
    history_bars: int
    max_silence_ns: int
    grace_ns: int = NANOS_PER_SECOND // 2

    def __post_init__(self) -> None:
        for name in ("bar_interval_ns", "history_bars", "max_silence_ns", "grace_ns"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        if self.bars_from is DataKind.BOOKS:
            raise ValueError(
                "bars are built from quotes, trades or the venue's bars, not from books"
            )
        if not self.kinds & {DataKind.QUOTES, DataKind.BOOKS}:
            raise ValueError("kinds must hold quotes or books: risk prices every order by them")

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        """What the venue is asked to stream: `kinds`, with bars only where slices are made of them."""
        kinds = (self.kinds - {DataKind.BARS}) | {self.bars_from}
        return tuple(
            Subscription(
                each.instrument_id, kind, self.bar_interval_ns if kind is DataKind.BARS else 0
            )
            for each in self.instruments
            for kind in DataKind
            if kind in kinds
        )
