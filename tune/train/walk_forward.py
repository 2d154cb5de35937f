"""Walk-forward forecasts for a backtest: a model that is trained again as time goes on, each time on the past alone.

Every trained model is kept in a registry under a hash of what it was made of (the plan, and the bars until its
training ended), so a second run trains nothing.

Source: Pesaran and Timmermann (1995), "Predictability of Stock Returns: Robustness and Economic Significance",
Journal of Finance 50 (recursive re-estimation: what is used at a date could have been known then).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np

from actors.models.forecaster import NeuralForecaster
from actors.models.manifest import ModelManifest
from actors.models.registry import ModelRegistry
from actors.models.session import ModelSession, load_session
from trading.errors import ModelRefused, UsageError
from trading.indicators.periods import IntArray
from trading.indicators.rolling import FloatArray
from trading.strategies.signals import FORECAST_DEVIATION, FORECAST_RETURN
from trading.strategies.strategy import Bars
from tune.manifest import digest_of

FIRST_TRAINING_BARS = 756
"""Before a model has so many bars to be trained on, nothing is forecast."""
_PERIOD = re.compile(r"([1-9][0-9]{0,3})([my])")


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """How a model is made from bars.

    Attributes
    ----------
    plan : mapping
        All that decides about the model beside the bars, its seed included: plain JSON.
    horizon, input_size : int
        Of every model that is made (bars).
    train : function from bars to a manifest and the files that it names
        Sees all the bars that it is given, and nothing else.
    """

    plan: Mapping[str, Any]
    horizon: int
    input_size: int
    train: Callable[[Bars], tuple[ModelManifest, Mapping[str, bytes]]]


class RetrainedForecaster:
    """A forecaster that is trained at the first bar of every `months`-th month, and used until the next training.

    A training at a bar sees the bars before it but for the last `horizon`, so that no outcome that it learned from
    lies behind that bar. What it forecasts at a bar depends on all bars before: cutting off the future changes
    nothing, cutting off the past does. It is for backtests; live trading takes a registered model.

    Parameters
    ----------
    months : int
        Between two trainings (>= 1).
    kept : ModelRegistry
        Where trained models are kept; not the one that strategies take theirs from.
    threads : int
        CPU threads of a model session.
    on_training : function of the number of the training (from 1) and how many there are
        Called before each training that is not known yet.
    """

    def __init__(
        self,
        recipe: Recipe,
        months: int,
        kept: ModelRegistry,
        *,
        first_training_bars: int = FIRST_TRAINING_BARS,
        threads: int = 1,
        on_training: Callable[[int, int], None] = lambda _number, _of: None,
    ) -> None:
        self._recipe = recipe
        self._months = months
        self._kept = kept
        self._first = max(first_training_bars, recipe.input_size + recipe.horizon)
        self._threads = threads
        self._on_training = on_training

    @property
    def horizon(self) -> int:
        return self._recipe.horizon

    @property
    def lookback(self) -> int:
        """The bars of one window; a training reads all bars before it."""
        return self._recipe.input_size

    def forecast(self, bars: Bars) -> dict[str, FloatArray]:
        """Return the two signals (time, instrument); NaN before the first training.

        Raises
        ------
        ModelRefused
            If a training says that it saw bars that it was not given.
        """
        signals = {
            name: np.full(bars.close.shape, np.nan)
            for name in (FORECAST_RETURN, FORECAST_DEVIATION)
        }
        rows = training_rows(bars.ts, self._months, self._first + self.horizon)
        for number, (start, stop) in enumerate(_spans(rows, len(bars)), 1):
            model = self._model(bars.rows(0, start - self.horizon), number, len(rows))
            first = start - self.lookback + 1
            found = NeuralForecaster(model).forecast(bars.rows(first, stop))
            for name, values in signals.items():
                values[start:stop] = found[name][start - first :]
        return signals

    def _model(self, past: Bars, number: int, of: int) -> ModelSession:
        """Return the model of these bars: the one that is kept, or a new one."""
        name = f"walk-{_digest(self._recipe.plan, past)}"
        if not self._kept.versions(name):
            self._on_training(number, of)
            manifest, files = self._recipe.train(past)
            if manifest.data.last_ts > past.ts[-1]:
                raise ModelRefused(
                    f"A training of {manifest.kind} saw bars behind those that it was given; its "
                    "forecasts would know the future."
                )
            self._kept.register(msgspec.structs.replace(manifest, name=name), files)
        return load_session(self._kept, f"{name}@1", threads=self._threads)


def training_rows(ts: IntArray, months: int, first: int) -> tuple[int, ...]:
    """Return the rows at which a model is trained: the first bar of a month (UTC), every `months` months.

    Parameters
    ----------
    ts : (time,)
        Close of each bar (ns UTC), rising.
    first : int
        No training before this row.
    """
    month = ts.astype("datetime64[ns]").astype("datetime64[M]").astype(np.int64)
    begins = np.flatnonzero(np.diff(month)) + 1
    rows: list[int] = []
    for row in begins[begins >= first].tolist():
        if not rows or month[row] - month[rows[-1]] >= months:
            rows.append(row)
    return tuple(rows)


def months_of(text: str) -> int:
    """Read the time between two trainings: `12m` or `1y`.

    Raises
    ------
    UsageError
        If it is anything else.
    """
    found = _PERIOD.fullmatch(text.strip().lower())
    if found is None:
        raise UsageError(
            f"--retrain {text!r} is not understood; write months or years, such as 12m or 1y."
        )
    return int(found[1]) * (12 if found[2] == "y" else 1)


def _spans(rows: tuple[int, ...], count: int) -> Iterator[tuple[int, int]]:
    """Yield the rows that each model forecasts: from its training to the next."""
    return pairwise((*rows, count))


def _digest(plan: Mapping[str, Any], bars: Bars) -> str:
    words = msgspec.json.encode(plan, order="deterministic") + digest_of(bars).encode()
    return blake2b(words, digest_size=16).hexdigest()
