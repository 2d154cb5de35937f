"""The trailing window of bars that a live strategy decides on."""

from collections.abc import Sequence

import numpy as np

from trading.data import Bar, BarSlice
from trading.identifiers import InstrumentId
from trading.strategies.strategy import Bars

CLOSE, OPEN, HIGH, LOW, VOLUME = range(5)
SPARE_ROWS = 512
"""The window moves through memory and is copied back to the start when it has come so far."""


class Window:
    """The last `length` slices, as arrays.

    An instrument without a bar in a slice did not trade: it keeps its last close, with volume 0.
    """

    def __init__(self, instrument_ids: Sequence[InstrumentId], length: int) -> None:
        self.instrument_ids = tuple(instrument_ids)
        self.length = length
        self._column = {name: i for i, name in enumerate(self.instrument_ids)}
        self.clear()

    def clear(self) -> None:
        self.count = 0
        self.last_sequence = 0
        self.ts_before = 0
        """Close of the newest slice that fell out (ns UTC); 0 when none did."""
        rows = self.length + max(SPARE_ROWS, self.length)
        self._ts = np.zeros(rows, dtype=np.int64)
        self._values = np.full((5, rows, len(self.instrument_ids)), np.nan)
        self._shown_ts, self._shown = self._ts.view(), self._values.view()
        self._shown_ts.flags.writeable = self._shown.flags.writeable = False
        self._end = self.length
        """Row behind the newest slice."""

    @property
    def is_full(self) -> bool:
        return self.count >= self.length

    def add(self, slice_: BarSlice) -> None:
        """Put a slice at the end; the oldest falls out."""
        if self._end == self._ts.size:
            self._move_back()
        row = self._end
        if self.is_full:
            self.ts_before = int(self._ts[row - self.length])
        self._ts[row] = slice_.ts_event
        known = {bar.instrument_id: bar for bar in slice_.bars}
        bars = [known[name] for name in self.instrument_ids if name in known]
        if len(bars) == len(self.instrument_ids):
            self._values[:, row] = list(zip(*map(_numbers, bars), strict=True))
        else:
            self._values[:VOLUME, row] = self._values[CLOSE, row - 1]
            self._values[VOLUME, row] = 0.0
            for bar in bars:
                self._values[:, row, self._column[bar.instrument_id]] = _numbers(bar)
        self._end = row + 1
        self.count += 1
        self.last_sequence = slice_.sequence

    def bars(self) -> Bars:
        """Return the window as bars (read-only views: valid until the next `add`)."""
        rows = slice(self._end - self.length, self._end)
        shown = self._shown
        return Bars(
            self._shown_ts[rows],
            self.instrument_ids,
            shown[CLOSE, rows],
            shown[OPEN, rows],
            shown[HIGH, rows],
            shown[LOW, rows],
            shown[VOLUME, rows],
        )

    def _move_back(self) -> None:
        newest = slice(self._end - self.length, self._end)
        self._ts[: self.length] = self._ts[newest]
        self._values[:, : self.length] = self._values[:, newest]
        self._end = self.length


def _numbers(bar: Bar) -> tuple[float, float, float, float, float]:
    return (bar.close, bar.open, bar.high, bar.low, bar.volume)
