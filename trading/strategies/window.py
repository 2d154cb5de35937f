"""The trailing window of bars that a live strategy decides on."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from trading.data import BarSlice
from trading.identifiers import InstrumentId
from trading.strategies.strategy import Bars

FIELDS = ("close", "open", "high", "low", "volume")
Number = TypeVar("Number", bound=np.generic)


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
        self._ts = np.zeros(self.length, dtype=np.int64)
        shape = (self.length, len(self.instrument_ids))
        self._arrays = {name: np.full(shape, np.nan) for name in FIELDS}

    @property
    def is_full(self) -> bool:
        return self.count >= self.length

    def add(self, slice_: BarSlice) -> None:
        """Put a slice at the end; the oldest falls out."""
        last_close = self._arrays["close"][-1].copy()
        self._ts[:-1] = self._ts[1:]
        self._ts[-1] = slice_.ts_event
        for name, array in self._arrays.items():
            array[:-1] = array[1:]
            array[-1] = 0.0 if name == "volume" else last_close
        for bar in slice_.bars:
            column = self._column.get(bar.instrument_id)
            if column is not None:
                for name, array in self._arrays.items():
                    array[-1, column] = getattr(bar, name)
        self.count += 1
        self.last_sequence = slice_.sequence

    def bars(self) -> Bars:
        """Return the window as bars (read-only views: valid until the next `add`)."""
        close, open_, high, low, volume = (_read_only(self._arrays[name]) for name in FIELDS)
        return Bars(_read_only(self._ts), self.instrument_ids, close, open_, high, low, volume)


def _read_only(array: NDArray[Number]) -> NDArray[Number]:
    view = array.view()
    view.flags.writeable = False
    return view
