"""The course of a run, slice by slice, as compact arrays."""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from trading.data import BarSlice
from trading.events import EquityMarked, OrderFilled
from trading.identifiers import InstrumentId
from trading.instruments import Instrument

FloatArray = NDArray[np.float64]


class _Mark(msgspec.Struct, array_like=True, tag=EquityMarked.__name__):
    """`EquityMarked` as far as it is read here, with floats: decoded at every bar."""

    ts_event: int
    ts_init: int
    correlation_id: str
    causation_id: str
    account_id: str
    sequence: int
    equity: float
    cash: float


_decoder = msgspec.msgpack.Decoder(_Mark, strict=False)  # amounts travel as strings


class SliceRecord:
    """Time and closes of each slice that strategies were given. A missing bar repeats the last close."""

    def __init__(self, instruments: Sequence[Instrument]) -> None:
        self._column = {each.instrument_id: i for i, each in enumerate(instruments)}
        self._ticks = np.array([float(each.tick_size) for each in instruments])
        self._last = array("d", [np.nan] * len(instruments))
        self._ts = array("q")
        self._closes = array("d")

    def __len__(self) -> int:
        return len(self._ts)

    def add(self, slice_: BarSlice) -> None:
        for bar in slice_.bars:
            self._last[self._column[bar.instrument_id]] = bar.close
        self._ts.append(slice_.ts_event)
        self._closes.extend(self._last)

    def ts(self) -> NDArray[np.int64]:
        return np.array(self._ts, dtype=np.int64)

    def prices(self) -> FloatArray:
        """Return the closes on the price grid, as accounts are valued: (time, instrument)."""
        closes = np.array(self._closes, dtype=np.float64).reshape(-1, self._ticks.size)
        on_grid: FloatArray = np.round(closes / self._ticks) * self._ticks
        return on_grid


class MarkRecord:
    """What the ledger said at each slice."""

    def __init__(self) -> None:
        self._equity = array("d")
        self._cash = array("d")

    def add(self, payload: bytes) -> None:
        """Take one encoded `EquityMarked`."""
        mark = _decoder.decode(payload)
        self._equity.append(mark.equity)
        self._cash.append(mark.cash)

    def equity(self) -> FloatArray:
        return np.array(self._equity, dtype=np.float64)

    def cash(self) -> FloatArray:
        return np.array(self._cash, dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Holdings:
    """What the account held after the fills of each slice.

    Attributes
    ----------
    cash : (time,)
    units : (time, instrument)
    """

    cash: FloatArray
    units: FloatArray


def holdings_after(
    ts: NDArray[np.int64],
    instrument_ids: Sequence[InstrumentId],
    initial_cash: float,
    fills: Iterable[OrderFilled],
) -> Holdings:
    """Add the fills up to each slice. A fill belongs to the last slice that is not after it."""
    column = {name: i for i, name in enumerate(instrument_ids)}
    cash = np.zeros(ts.size)
    units = np.zeros((ts.size, len(column)))
    for fill in fills:
        row = int(np.searchsorted(ts, fill.ts_event, side="left"))
        if row == ts.size:
            continue  # behind the last slice
        signed = fill.side.sign * float(fill.last_qty)
        cash[row] -= signed * float(fill.last_px) + float(fill.commission)
        units[row, column[fill.instrument_id]] += signed
    return Holdings(initial_cash + np.cumsum(cash), np.cumsum(units, axis=0))
