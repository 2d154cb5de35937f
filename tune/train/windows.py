"""Windows of bars with what came after them: the examples that models learn from and are judged by."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from trading.errors import DataError
from trading.indicators.periods import IntArray
from trading.indicators.rolling import FloatArray
from trading.strategies.strategy import Bars

FEATURES = ("volume", "time", "sentiment")
"""Inputs that a model may read beside "close"."""


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Examples in the order of time, and of the instruments within one moment.

    Attributes
    ----------
    inputs : dict of name to (window, bar)
        As `trading.forecasting.history.inputs_of` makes them: "close" and the features.
    outcomes : (window, step)
        log(price after step + 1 bars / last close).
    ts : (window,) int64
        Close of the window's last bar (ns UTC).
    instrument : (window,) int64
        Index into `bars.instrument_ids`.
    """

    inputs: dict[str, NDArray[Any]]
    outcomes: FloatArray
    ts: IntArray
    instrument: IntArray

    def __len__(self) -> int:
        return int(self.ts.size)

    def take(self, rows: IntArray | NDArray[np.bool_] | slice) -> "Windows":
        """Return some of the windows: by index, mask or slice."""
        inputs = {name: values[rows] for name, values in self.inputs.items()}
        return Windows(inputs, self.outcomes[rows], self.ts[rows], self.instrument[rows])


def windows_of(
    bars: Bars,
    input_size: int,
    horizon: int,
    features: Sequence[str] = (),
    *,
    start_ts: int | None = None,
    end_ts: int | None = None,
    stride: int = 1,
) -> Windows:
    """Return every window of `input_size` closes that is followed by `horizon` known ones.

    A window is left out when one of its closes, outcomes or features is not a finite number, a close is not above
    0, or its closes are all the same.

    Parameters
    ----------
    features : sequence of str
        Of `FEATURES`.
    start_ts, end_ts : int or None
        The last bar of a window and all its outcomes lie within (ns UTC, both included); the earlier bars of the
        window may lie before.
    stride : int
        Bars between the last bars of two windows (>= 1).

    Raises
    ------
    DataError
        If the bars have no values of a feature.
    """
    arrays = {"close": bars.close, **{name: _feature(bars, name) for name in features}}
    as_of = _as_of_rows(bars.ts, input_size, horizon, start_ts, end_ts)[::stride]
    past = {name: _past(values, input_size, as_of) for name, values in arrays.items()}
    outcomes = _outcomes(bars.close, horizon, as_of)
    row, instrument = np.nonzero(_is_usable(past, outcomes))
    return Windows(
        inputs={name: np.ascontiguousarray(v[row, instrument]) for name, v in past.items()},
        outcomes=outcomes[row, instrument],
        ts=bars.ts[as_of][row],
        instrument=instrument.astype(np.int64),
    )


def _as_of_rows(
    ts: IntArray, input_size: int, horizon: int, start_ts: int | None, end_ts: int | None
) -> IntArray:
    first = 0 if start_ts is None else int(np.searchsorted(ts, start_ts, side="left"))
    stop = ts.size if end_ts is None else int(np.searchsorted(ts, end_ts, side="right"))
    return np.arange(max(first, input_size - 1), max(stop - horizon, 0))


def _feature(bars: Bars, name: str) -> NDArray[Any]:
    if name == "time":
        return np.repeat(bars.ts[:, None], len(bars.instrument_ids), axis=1)
    if name == "volume" and (bars.volume > 0).any():
        return bars.volume
    if name in bars.signals:
        return bars.signals[name]
    known = ", ".join(["time", *(["volume"] if (bars.volume > 0).any() else []), *bars.signals])
    raise DataError(f"The bars have no {name} for a model to read; they have {known}.")


def _past(values: NDArray[Any], input_size: int, as_of: IntArray) -> NDArray[Any]:
    """(row, instrument, bar): views of the windows that end at `as_of`."""
    if not as_of.size:
        return np.empty((0, values.shape[1], input_size), dtype=values.dtype)
    return sliding_window_view(values, input_size, axis=0)[as_of - (input_size - 1)]


def _outcomes(close: FloatArray, horizon: int, as_of: IntArray) -> FloatArray:
    """(row, instrument, step); NaN where a price is not known."""
    with np.errstate(invalid="ignore", divide="ignore"):
        path = np.log(close)
    steps = np.arange(1, horizon + 1)
    outcomes: FloatArray = np.moveaxis(path[as_of[:, None] + steps], 1, 2) - path[as_of][..., None]
    return outcomes


def _is_usable(past: dict[str, NDArray[Any]], outcomes: FloatArray) -> NDArray[np.bool_]:
    close = past["close"]
    usable = (close > 0).all(axis=2) & (close != close[..., :1]).any(axis=2)
    for values in (*past.values(), outcomes):
        usable &= np.isfinite(values).all(axis=2)
    return np.asarray(usable, dtype=np.bool_)
