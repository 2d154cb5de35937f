"""Bars from ticks. Boundaries are multiples of the interval in UTC: a bar covers [close - interval, close)."""

from trading.data import Bar
from trading.identifiers import InstrumentId


class _OpenBar:
    """The ticks of one instrument in one interval, in whatever order they came."""

    __slots__ = ("close", "first_at", "high", "last_at", "low", "open", "volume")

    def __init__(self, ts_event: int, price: float, size: float) -> None:
        self.open = self.high = self.low = self.close = price
        self.volume = size
        self.first_at = self.last_at = ts_event

    def add(self, ts_event: int, price: float, size: float) -> None:
        if ts_event < self.first_at:
            self.first_at, self.open = ts_event, price
        if ts_event >= self.last_at:
            self.last_at, self.close = ts_event, price
        if price > self.high:
            self.high = price
        elif price < self.low:
            self.low = price
        self.volume += size


class BarBuilder:
    """Keeps the bars that have not closed yet, of any number of instruments.

    An interval without a tick gives no bar. Ticks may come in any order until their bar closes: the open is
    the price of the oldest tick, the close that of the newest; of equally old ones the order of arrival decides.

    Parameters
    ----------
    interval_ns : int
        Length of a bar (> 0).
    """

    def __init__(self, interval_ns: int) -> None:
        self._interval_ns = interval_ns
        self._open: dict[int, dict[InstrumentId, _OpenBar]] = {}
        """By number of the interval, then by instrument."""
        self._closed_until = 0

    def add(self, instrument_id: InstrumentId, ts_event: int, price: float, size: float) -> bool:
        """Take a tick; False when its bar has closed already.

        Parameters
        ----------
        ts_event : int
            ns UTC. It must not lie far ahead: each interval with a tick is kept until it closes.
        price, size : float
            A price and a size that can be (`plausibility`).
        """
        number = ts_event // self._interval_ns
        bars = self._open.get(number)
        if bars is None:
            if ts_event < self._closed_until:
                return False
            bars = self._open[number] = {}
        bar = bars.get(instrument_id)
        if bar is None:
            bars[instrument_id] = _OpenBar(ts_event, price, size)
        else:
            bar.add(ts_event, price, size)
        return True

    def close(self, boundary: int) -> list[tuple[int, list[Bar]]]:
        """Return the bars that end at `boundary` (ns UTC) or before, by the boundary that they end at."""
        self._closed_until = max(self._closed_until, boundary)
        ending = sorted(each for each in self._open if (each + 1) * self._interval_ns <= boundary)
        closed: list[tuple[int, list[Bar]]] = []
        for number in ending:
            close_at = (number + 1) * self._interval_ns
            bars = self._open.pop(number)
            closed.append((close_at, [_bar(key, close_at, bar) for key, bar in bars.items()]))
        return closed

    def clear(self) -> None:
        """Forget every open bar: ticks were missed."""
        self._open.clear()


def _bar(instrument_id: InstrumentId, close_at: int, bar: _OpenBar) -> Bar:
    return Bar(
        ts_event=close_at,
        instrument_id=instrument_id,
        open=bar.open,
        high=bar.high,
        low=bar.low,
        close=bar.close,
        volume=bar.volume,
    )
