"""The bar slices of the past that answer `RequestBars`: fetched ones, and those that closed since."""

from bisect import insort
from collections.abc import Iterable

import msgspec

from trading.data import Bar, BarSlice
from trading.identifiers import InstrumentId


class KeptSlices:
    """The newest `count` slices.

    The sequence of a slice is the number of its interval, counted from 1970: the same in every life of
    every process, and rising by one while there are bars in every interval.
    """

    def __init__(
        self, instrument_ids: Iterable[InstrumentId], interval_ns: int, count: int
    ) -> None:
        self._rank = {key: rank for rank, key in enumerate(instrument_ids)}
        self._interval_ns = interval_ns
        self._count = count
        self._bars: dict[int, dict[InstrumentId, Bar]] = {}
        self._sequences: list[int] = []

    def __len__(self) -> int:
        return len(self._sequences)

    @property
    def newest(self) -> int:
        """Sequence of the newest slice; 0 when there is none."""
        return self._sequences[-1] if self._sequences else 0

    def sequence_of(self, close_at: int) -> int:
        """Return the sequence of the slice that closes at `close_at` (ns UTC)."""
        return close_at // self._interval_ns

    def holds(self, sequence: int, instrument_id: InstrumentId) -> bool:
        return instrument_id in self._bars.get(sequence, ())

    def add(self, bar: Bar) -> None:
        """Keep a bar, unless there is one in its place: what was published stays as it was."""
        sequence = self.sequence_of(bar.ts_event)
        bars = self._bars.get(sequence)
        if bars is None:
            bars = self._bars[sequence] = {}
            insort(self._sequences, sequence)
            self._forget()
        bars.setdefault(bar.instrument_id, msgspec.structs.replace(bar, sequence=sequence))

    def slice_at(self, sequence: int) -> BarSlice:
        """Return one slice, its bars in the order of the instruments.

        Raises
        ------
        KeyError
            If there is none.
        """
        bars = sorted(self._bars[sequence].values(), key=lambda bar: self._rank[bar.instrument_id])
        close_at = max(bar.ts_event for bar in bars)
        return BarSlice(ts_event=close_at, sequence=sequence, bars=tuple(bars))

    def last(self, count: int) -> tuple[BarSlice, ...]:
        """Return up to `count` of the newest slices, oldest first."""
        wanted = self._sequences[-count:] if count > 0 else []
        return tuple(self.slice_at(sequence) for sequence in wanted)

    def _forget(self) -> None:
        while len(self._sequences) > self._count:
            del self._bars[self._sequences.pop(0)]
