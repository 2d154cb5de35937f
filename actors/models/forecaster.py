"""A registered model as a forecaster: the same numbers beside a live strategy and over all history."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from actors.models.manifest import ModelManifest
from actors.models.opening import open_registry
from actors.models.session import ModelSession, load_session
from trading.errors import ForecastRefused, ModelUnknown, UsageError
from trading.forecasting.forecaster import Forecaster
from trading.forecasting.history import Inputs
from trading.forecasting.prediction import Prediction
from trading.forecasting.registry import build_forecaster, known_forecasters
from trading.indicators.periods import IntArray
from trading.indicators.rolling import FloatArray
from trading.strategies.signals import FORECAST_DEVIATION, FORECAST_RETURN
from trading.strategies.strategy import Bars

CHUNK_WINDOWS = 4_096
"""Windows of one run: over all history no more than these are in memory at once."""


class ModelAccess(msgspec.Struct, frozen=True, kw_only=True):
    """Where the models are, and how they are run.

    Attributes
    ----------
    url : str
        Of the registry; empty when there is none.
    providers : tuple of str
        Who computes, the wanted one first.
    precision : str
        Which graph of a version is run.
    threads : int
        CPU threads of one session.
    """

    url: str = ""
    providers: tuple[str, ...] = ("cpu",)
    precision: str = "fp32"
    threads: int = 1

    def session(self, reference: str) -> ModelSession:
        """Return a loaded model.

        Raises
        ------
        ModelUnknown
            If there is no such version, or it has no graph of that precision.
        ModelCorrupt
            If its graph is not what was registered.
        """
        return load_session(
            open_registry(self.url),
            reference,
            self.providers,
            precision=self.precision,
            threads=self.threads,
        )

    def manifest(self, reference: str) -> ModelManifest:
        """Return what is known of a version.

        Raises
        ------
        ModelUnknown
            If there is none.
        """
        if not self.url:
            raise ModelUnknown(f"There is no model {reference!r}, as no registry was named.")
        return open_registry(self.url).manifest(reference)


class Model(Protocol):
    """What a forecaster needs of a model session."""

    manifest: ModelManifest

    def predict(self, inputs: Inputs) -> Prediction: ...


class NeuralForecaster:
    """The expected return over the model's horizon, for every window of bars that the model can read.

    NaN for a bar until the model's training cut-off (`manifest.data.last_ts`): the model has seen what follows it, so
    it is neither judged nor traded there. A backtest that shall reach further back trains again as it
    walks (`tune.train.walk_forward`).

    NaN too where the window holds a price that is not a finite number above 0, a feature that is not known, or
    prices that do not move.

    A window alone and the same window among thousands agree to the accuracy of the graph (single precision), not to
    the last bit. What was forecast for the bars of the call before is remembered: a live strategy, whose
    window moves on by one bar, pays for one bar.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._known: _Known | None = None

    @property
    def model(self) -> str:
        """`name@version`."""
        return self._model.manifest.reference

    @property
    def trained_until(self) -> int:
        """Close of the last bar that the model was trained on (ns UTC)."""
        return self._model.manifest.data.last_ts

    @property
    def horizon(self) -> int:
        return self._model.manifest.horizon

    @property
    def lookback(self) -> int:
        return self._model.manifest.input_size

    def forecast(self, bars: Bars) -> dict[str, FloatArray]:
        """Return the two signals (time, instrument). See `trading.forecasting.forecaster.Forecaster`.

        Raises
        ------
        ForecastRefused
            If the model reads a feature that the bars do not have.
        ForecastInvalid
            If the model answers what cannot be a forecast.
        """
        arrays = {"close": bars.close}
        arrays |= {name: _feature(bars, name, self.model) for name in self._model.manifest.features}
        signals = np.full((2, *bars.close.shape), np.nan)
        first = self.lookback - 1
        if len(bars) > first:
            usable = _usable(arrays, self.lookback) & (bars.ts[first:, None] > self.trained_until)
            done = self._recall(bars.ts, arrays, signals)
            usable[: max(done - first, 0)] = False
            self._fill(signals[:, first:], arrays, usable)
        self._known = _Known(bars.ts.copy(), {k: v.copy() for k, v in arrays.items()}, signals)
        return {FORECAST_RETURN: signals[0].copy(), FORECAST_DEVIATION: signals[1].copy()}

    def _fill(
        self,
        signals: FloatArray,
        arrays: dict[str, NDArray[Any]],
        usable: NDArray[np.bool_],
    ) -> None:
        """Forecast every usable window (row of its last bar - lookback + 1, instrument)."""
        windows = {
            name: sliding_window_view(array, self.lookback, axis=0)
            for name, array in arrays.items()
        }
        rows, columns = np.nonzero(usable)
        for start in range(0, rows.size, CHUNK_WINDOWS):
            row, column = (index[start : start + CHUNK_WINDOWS] for index in (rows, columns))
            inputs = {
                name: np.ascontiguousarray(each[row, column]) for name, each in windows.items()
            }
            found = self._model.predict(inputs).signals(self.horizon)
            signals[0, row, column] = found[FORECAST_RETURN]
            signals[1, row, column] = found[FORECAST_DEVIATION]

    def _recall(self, ts: IntArray, arrays: dict[str, NDArray[Any]], signals: FloatArray) -> int:
        """Copy what the call before found for these bars; return up to which row that is."""
        known = self._known
        if known is None or known.arrays["close"].shape[1] != signals.shape[2]:
            return 0
        offset = int(np.searchsorted(known.ts, ts[0]))
        count = min(known.ts.size - offset, ts.size)
        if count < self.lookback or not np.array_equal(
            known.ts[offset : offset + count], ts[:count]
        ):
            return 0
        for name, array in arrays.items():
            before = known.arrays[name][offset : offset + count]
            if not np.array_equal(before, array[:count], equal_nan=array.dtype.kind == "f"):
                return 0
        first = self.lookback - 1
        signals[:, first:count] = known.signals[:, offset + first : offset + count]
        return count


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """One call: the bars that were read, and (signal, time, instrument)."""

    ts: IntArray
    arrays: dict[str, NDArray[Any]]
    signals: FloatArray


def forecasters_of(access: ModelAccess) -> Callable[[str], Forecaster]:
    """Return how a forecaster is built by name: an installed one, or a registered model.

    `nhits` is the champion of that name, `nhits@3` and `nhits@challenger` other versions. The version is
    resolved when it is built. An installed forecaster goes before a model of the same name.
    """

    def build(name: str) -> Forecaster:
        if name in known_forecasters() or not access.url:
            return build_forecaster(name)
        with _said_of_forecasters(name, access):
            return NeuralForecaster(access.session(name))

    return build


def pinned(access: ModelAccess, name: str) -> str:
    """Return the name of a forecaster with the version that it has now: `nhits@3` for `nhits@champion`.

    Raises
    ------
    UsageError
        If there is no such forecaster and no such model.
    """
    if name in known_forecasters() or not access.url:
        return name
    with _said_of_forecasters(name, access):
        return access.manifest(name).reference


@contextmanager
def _said_of_forecasters(name: str, access: ModelAccess) -> Iterator[None]:
    """Who asked for a forecaster hears of all that there are, not of models alone."""
    try:
        yield
    except ModelUnknown as error:
        models = open_registry(access.url).names()
        if name.partition("@")[0] in models:
            raise UsageError(str(error)) from None
        known = ", ".join((*known_forecasters(), *models))
        raise UsageError(f"There is no forecaster {name!r}; known are: {known}.") from None


def _feature(bars: Bars, name: str, model: str) -> NDArray[Any]:
    if name == "time":
        return np.repeat(bars.ts[:, None], len(bars.instrument_ids), axis=1)
    if name == "volume":
        return bars.volume
    if name not in bars.signals:
        raise ForecastRefused(
            "FORECAST_FEATURE_MISSING", f"Model {model} also reads {name}, which these bars lack."
        )
    return bars.signals[name]


def _usable(arrays: dict[str, NDArray[Any]], size: int) -> NDArray[np.bool_]:
    """Return which windows can be read: (row of the last bar - size + 1, instrument)."""
    close = arrays["close"]
    with np.errstate(invalid="ignore"):
        is_wrong = ~(close > 0)
        moves = np.diff(close, axis=0) != 0
    for values in arrays.values():
        is_wrong |= ~np.isfinite(values)
    usable: NDArray[np.bool_] = (_in_windows(is_wrong, size) == 0) & (
        _in_windows(moves, size - 1) > 0
    )
    return usable


def _in_windows(flags: NDArray[np.bool_], size: int) -> IntArray:
    """Return how many of `size` successive rows are set, for each window."""
    total = np.zeros((flags.shape[0] + 1, flags.shape[1]), dtype=np.int64)
    np.cumsum(flags, axis=0, out=total[1:])
    counts: IntArray = total[size:] - total[:-size]
    return counts
