"""Slices whose bars come one by one: each waits a short while for the bars that are still missing."""

from collections.abc import Iterable

from trading.data import Bar
from trading.identifiers import InstrumentId


class ClosingSlices:
    """Bars of the venue's own, gathered by the boundary that they closed at.

    A slice is complete when every instrument has a bar; else it waits until `grace_ns` after its first bar
    came. Later bars of it are late: the slice has been traded on.

    Attributes
    ----------
    late_count : int
        Bars that came behind their slice.
    """

    def __init__(self, instrument_ids: Iterable[InstrumentId], grace_ns: int) -> None:
        self._width = len(tuple(instrument_ids))
        self._grace_ns = grace_ns
        self._open: dict[int, dict[InstrumentId, Bar]] = {}
        self._due: dict[int, int] = {}
        self.late_count = 0

    def add(self, sequence: int, bar: Bar, published: int, now: int) -> None:
        """Take a bar of the slice `sequence`; `published` is the newest slice that is out."""
        if sequence <= published:
            self.late_count += 1
            return
        if sequence not in self._open:
            self._open[sequence] = {}
            self._due[sequence] = now + self._grace_ns
        bars = self._open[sequence]
        bars[bar.instrument_id] = bar
        if len(bars) == self._width:
            self._due[sequence] = now

    def next_due(self) -> int | None:
        """Return the host time (ns) at which the next slice closes; None when none is open."""
        return min(self._due.values(), default=None)

    def take_due(self, now: int) -> list[tuple[int, list[Bar]]]:
        """Return the slices that close now, oldest first, with those before them."""
        newest = max((key for key, due in self._due.items() if due <= now), default=0)
        closing = sorted(key for key in self._open if key <= newest)
        return [(key, list(self._close(key).values())) for key in closing]

    def clear(self) -> None:
        """Forget every open slice: bars of it may have been missed."""
        self._open.clear()
        self._due.clear()

    def _close(self, sequence: int) -> dict[InstrumentId, Bar]:
        del self._due[sequence]
        return self._open.pop(sequence)
