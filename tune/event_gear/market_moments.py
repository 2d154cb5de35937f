"""Market events as moments of a replay, with the bars that they add up to in between."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby

from actors.feeds.market_replay import Moment
from trading.data import Bar, MarketEvents, MarketSlice
from trading.errors import DataError
from trading.instruments import Instrument
from tune.event_gear.bar_builder import BarBuilder, BarPrice, MarketEvent


class EventMoments:
    """Events of equal `ts_event` are one moment; bars close at multiples of the interval.

    A bar covers (end - interval, end]: an event at the very end belongs to it. An interval without a
    price has no slice.

    Parameters
    ----------
    events : function that returns the events
        Each call begins anew; `ts_event` never falls.
    interval_ns : int
        Length of a bar (ns); 0 is no bars.
    """

    def __init__(
        self,
        events: Callable[[], Iterable[MarketEvent]],
        instruments: Sequence[Instrument],
        *,
        interval_ns: int,
        price: BarPrice,
    ) -> None:
        self._events = events
        self._instruments = tuple(instruments)
        self._interval_ns = interval_ns
        self._price = price

    def moments(self) -> Iterator[Moment]:
        """Yield the moments in order, then the slice of the last, unfinished interval.

        Raises
        ------
        DataError
            If an event is older than the one before it.
        """
        builder = BarBuilder(self._instruments, self._price)
        interval = self._interval_ns
        end = newest = slices = 0
        grouped = groupby(self._events(), key=lambda event: event.ts_event)
        for count, (ts, group) in enumerate(grouped, start=1):
            if ts < newest:
                raise DataError(f"moment {count}: an event of {ts} comes behind one of {newest}.")
            newest = ts
            events = tuple(group)
            if interval:
                if ts > end:
                    bars = builder.close(end, slices + 1)
                    if bars:
                        slices += 1
                        yield _slice(end, slices, bars)
                    end = -(-ts // interval) * interval
                for event in events:
                    builder.add(event)
            yield MarketEvents(ts_event=ts, ts_init=ts, sequence=count, events=events)
        bars = builder.close(end, slices + 1)
        if bars:
            yield _slice(end, slices + 1, bars)


def _slice(ts: int, sequence: int, bars: tuple[Bar, ...]) -> MarketSlice:
    return MarketSlice(ts_event=ts, ts_init=ts, sequence=sequence, bars=bars)
