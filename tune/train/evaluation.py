"""How well a model forecasts what it was not trained on, beside the baselines, and whether that is luck.

Sources: Diebold and Mariano (1995), "Comparing Predictive Accuracy", Journal of Business and Economic Statistics 13;
Lazarus, Lewis, Stock and Watson (2018), "HAR Inference: Recommendations for Practice", Journal of Business and Economic
Statistics 36 (variance of a mean of dependent terms, by cosines, and how many degrees of freedom it has); Tashman
(2000), "Out-of-sample tests of forecasting accuracy", International Journal of Forecasting 16 (rolling origin).
"""

import itertools
from collections.abc import Callable, Mapping, Sequence

import msgspec
import numpy as np
from scipy.special import stdtr

from trading.errors import DataError
from trading.forecasting.history import Inputs
from trading.forecasting.prediction import Prediction
from trading.forecasting.scores import crps, naive_errors, pinball, score
from trading.indicators.periods import IntArray
from trading.indicators.rolling import FloatArray
from trading.strategies.strategy import Bars
from tune.train.baselines import Predict, baseline_predictions
from tune.train.windows import Windows, windows_of

BATCH = 1024
"""Windows that a model gets at once."""
_NS_PER_DAY = 86_400 * 10**9
_BARS_PER_YEAR = 252


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """A model beside the baselines on the same windows.

    Attributes
    ----------
    metrics : dict of name to number
        Those of `trading.forecasting.scores.score`, and
        pinball_in_deviations : mean pinball loss in deviations of the window's returns; the monitor compares with it.
        dm_vs_naive : Diebold-Mariano statistic of the CRPS against the naive forecast; below 0 the model is better.
        dm_vs_naive_p : chance of one so far from 0 if the two were equally good (0 to 1, two-sided).
        windows, moments : what it was measured on; windows of one moment are dependent.
    baselines : dict of baseline to scores
    beats_naive : bool
        Its mean CRPS is below that of the naive forecast. Whether by more than luck, `dm_vs_naive_p` says.
    """

    metrics: dict[str, float]
    baselines: dict[str, dict[str, float]]
    beats_naive: bool


class OriginResult(msgspec.Struct, frozen=True, kw_only=True):
    """One year of a rolling evaluation.

    Attributes
    ----------
    start_ts, end_ts : int
        The model knew nothing from `start_ts` on; the outcomes of the windows end by `end_ts` (ns UTC).
    """

    start_ts: int
    end_ts: int
    evaluation: Evaluation


class RollingEvaluation(msgspec.Struct, frozen=True, kw_only=True):
    """A model that was fitted again at every origin.

    Attributes
    ----------
    pooled : Evaluation
        All windows of all origins together.
    """

    origins: tuple[OriginResult, ...]
    pooled: Evaluation


class WindowShape(msgspec.Struct, frozen=True, kw_only=True):
    """What a model reads and forecasts, as in its manifest."""

    input_size: int
    horizon: int
    features: tuple[str, ...] = ()


def evaluate(predict: Predict, test: Windows, baselines: Mapping[str, Prediction]) -> Evaluation:
    """Return how well a model forecasts windows that it was not trained on.

    Parameters
    ----------
    baselines : mapping of baseline to Prediction
        For the same windows; "naive" among them.

    Raises
    ------
    DataError
        If there is no window.
    """
    return _judged(predict_all(predict, test.inputs), test, baselines)


def predict_all(predict: Predict, inputs: Inputs) -> Prediction:
    """Return the prediction of any number of windows, `BATCH` at once.

    Raises
    ------
    DataError
        If there is no window.
    """
    count = len(inputs["close"])
    if count == 0:
        raise DataError("There is no window to judge a model on; give more bars.")
    parts = [
        predict({name: values[start : start + BATCH] for name, values in inputs.items()})
        for start in range(0, count, BATCH)
    ]
    return _joined(parts)


def diebold_mariano(differences: FloatArray, ts: IntArray, horizon: int) -> tuple[float, float]:
    """Return the statistic and the two-sided p-value of the hypothesis that two forecasts are equally good.

    The differences of one moment are added up first, because instruments share its news. The variance of their mean is
    that of the slowest 0.4 moments^(2/3) cosines, none faster than two horizons, within which forecasts overlap; the
    statistic then has Student's distribution with as many degrees of freedom.

    Parameters
    ----------
    differences : (window,)
        Loss of the one less loss of the other.
    ts : (window,)
        Moment of each window.
    horizon : int
        Steps of a forecast, in moments.

    Returns
    -------
    (float, float)
        (0, 1) when the two do not differ, or there are too few moments to tell (fewer than 2 horizons, or than 8).
    """
    moments, places = np.unique(ts, return_inverse=True)
    count = moments.size
    sums = np.bincount(places, weights=differences, minlength=count)
    if count < max(2 * horizon, 8):
        return 0.0, 1.0
    freedom = int(min(0.4 * count ** (2.0 / 3.0), count / horizon))
    times = (np.arange(count) + 0.5) / count
    cosines = np.cos(np.pi * np.arange(1, freedom + 1)[:, None] * times)
    variance = 2.0 * np.mean((cosines @ (sums - sums.mean())) ** 2)
    if variance <= np.finfo(np.float64).eps * (sums @ sums):
        return 0.0, 1.0
    statistic = float(sums.sum() / np.sqrt(variance))
    return statistic, float(2.0 * stdtr(freedom, -abs(statistic)))


def rolling_origin(
    fit: Callable[[int], Predict],
    bars: Bars,
    shape: WindowShape,
    origins: Sequence[int],
    *,
    season: int = 5,
    stride: int = 1,
) -> RollingEvaluation:
    """Return how well a model forecasts when it is fitted again at every origin, on the past alone.

    The baselines are fitted at every origin too, and get a conformal correction from the year before it (252 moments,
    and no more than half of what there is).

    Parameters
    ----------
    fit : callable of train_end_ts
        Fits a model on bars that close before this moment (ns UTC), calibration included.
    origins : sequence of int
        Rising (ns UTC); the windows of one are those that begin to be forecast at it or later, and have all their
        outcomes before the next. The last one only ends. See `yearly_origins`.
    stride : int
        Moments between the test windows.

    Raises
    ------
    DataError
        If an origin has no window before or after it.
    """
    results, tests, predictions, baselines = [], [], [], []
    for start, end in itertools.pairwise(origins):
        test = _windows(bars, shape, start, end - 1, stride)
        predictions.append(predict_all(fit(start), test.inputs))
        tests.append(test)
        baselines.append(_baselines_at(bars, shape, start, test, season))
        judged = _judged(predictions[-1], test, baselines[-1])
        results.append(OriginResult(start_ts=start, end_ts=end, evaluation=judged))
    if not results:
        raise DataError("A rolling evaluation needs at least two origins.")
    together = {name: _joined([each[name] for each in baselines]) for name in baselines[0]}
    pooled = _judged(_joined(predictions), _pooled(tests), together)
    return RollingEvaluation(origins=tuple(results), pooled=pooled)


def yearly_origins(ts: IntArray, years: int = 5) -> tuple[int, ...]:
    """Return the beginnings of the last calendar years that the bars fill, and the end of the last (ns UTC).

    A year counts as filled when the bars begin before it and reach into its last week.

    Raises
    ------
    DataError
        If the bars do not fill so many years after the first.
    """
    first, last = ts[[0, -1]].astype("datetime64[ns]").astype("datetime64[Y]").astype(int).tolist()
    starts = {year: _year_start(year) for year in range(first, last + 2)}
    end = last + 1 if ts[-1] >= starts[last + 1] - 7 * _NS_PER_DAY else last
    if end - years <= first:
        raise DataError(f"The bars do not fill {years} calendar years and one before them.")
    return tuple(starts[year] for year in range(end - years, end + 1))


def _judged(
    prediction: Prediction, test: Windows, baselines: Mapping[str, Prediction]
) -> Evaluation:
    naive_error = naive_errors(test.inputs["close"])
    found = score(prediction, test.outcomes, naive_error)
    beside = {name: score(each, test.outcomes, naive_error) for name, each in baselines.items()}
    losses, naive = (
        crps(each, test.outcomes).mean(axis=1) for each in (prediction, baselines["naive"])
    )
    statistic, chance = diebold_mariano(losses - naive, test.ts, prediction.horizon)
    scaled = pinball(prediction, test.outcomes).mean(axis=1) / prediction.scale
    extra = {
        "pinball_in_deviations": float(scaled.mean()),
        "dm_vs_naive": statistic,
        "dm_vs_naive_p": chance,
        "windows": float(len(test)),
        "moments": float(np.unique(test.ts).size),
    }
    return Evaluation(
        metrics={**found, **extra},
        baselines=beside,
        beats_naive=found["crps"] < beside["naive"]["crps"],
    )


def _baselines_at(
    bars: Bars, shape: WindowShape, origin: int, test: Windows, season: int
) -> dict[str, Prediction]:
    known = bars.ts[bars.ts < origin]
    usable = known.size - shape.input_size
    if usable < 4 * shape.horizon:
        raise DataError("An origin has too few bars before it to fit the baselines on.")
    split = int(known[-min(_BARS_PER_YEAR, usable // 2)])
    train = _windows(bars, shape, None, split - 1)
    held_out = _windows(bars, shape, split, origin - 1)
    return baseline_predictions(train, test, season=season, held_out=held_out)


def _windows(
    bars: Bars, shape: WindowShape, start: int | None, end: int, stride: int = 1
) -> Windows:
    return windows_of(
        bars,
        shape.input_size,
        shape.horizon,
        shape.features,
        start_ts=start,
        end_ts=end,
        stride=stride,
    )


def _joined(parts: Sequence[Prediction]) -> Prediction:
    return Prediction(
        np.concatenate([part.log_returns for part in parts]),
        np.concatenate([part.scale for part in parts]),
    )


def _pooled(parts: Sequence[Windows]) -> Windows:
    return Windows(
        inputs={"close": np.concatenate([part.inputs["close"] for part in parts])},
        outcomes=np.concatenate([part.outcomes for part in parts]),
        ts=np.concatenate([part.ts for part in parts]),
        instrument=np.concatenate([part.instrument for part in parts]),
    )


def _year_start(years_since_1970: int) -> int:
    start = np.datetime64(years_since_1970, "Y").astype("datetime64[ns]")
    return int(start.astype(np.int64))
