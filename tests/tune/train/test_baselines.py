import itertools

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from statsmodels.tsa.exponential_smoothing.ets import ETSModel

from trading.errors import DataError
from trading.forecasting.prediction import LEVELS
from tune.train.baselines import (
    _GRID,
    BASELINES,
    baseline_predictions,
    fit_ets,
    fit_linear,
    fit_naive,
    fit_seasonal_naive,
)
from tune.train.windows import Windows

HORIZON = 4
BARS = 40
MIDDLE = LEVELS.index(0.5)


def walks(windows: int, seed: int = 0, trend: float = 0.0, echo: float = 0.0) -> Windows:
    """Random walks in the log price; `echo` of each return comes back in the next."""
    rng = np.random.default_rng(seed)
    noise = trend + 0.02 * rng.standard_normal((windows, BARS + HORIZON))
    for bar in range(1, BARS + HORIZON):
        noise[:, bar] += echo * noise[:, bar - 1]
    path = 4.0 + noise.cumsum(axis=1)
    return Windows(
        {"close": np.exp(path[:, :BARS])},
        path[:, BARS:] - path[:, BARS - 1 : BARS],
        np.arange(windows, dtype=np.int64),
        np.zeros(windows, dtype=np.int64),
    )


def paths(windows: Windows) -> np.ndarray:
    return np.log(windows.inputs["close"])


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_answers_what_is_a_prediction(name: str) -> None:
    train, test = walks(200), walks(70, seed=1)
    found = BASELINES[name](train, 5)(test.inputs)
    found.check(name)
    assert found.log_returns.shape == (70, HORIZON, len(LEVELS))
    assert found.scale == pytest.approx(np.diff(paths(test), axis=1).std(axis=1))


@pytest.mark.parametrize("name", BASELINES)
def test_level_of_the_prices_does_not_matter(name: str) -> None:
    train, test = walks(200), walks(20, seed=1)
    predict = BASELINES[name](train, 5)
    found = predict({"close": 1_000.0 * test.inputs["close"]})
    assert found.log_returns == pytest.approx(predict(test.inputs).log_returns, abs=1e-9)


def test_naive_expects_no_change_with_the_root_of_the_step() -> None:
    test = walks(5)
    found = fit_naive(test, 5)(test.inputs).log_returns
    for window, path in enumerate(paths(test)):
        mean_square = sum((b - a) ** 2 for a, b in itertools.pairwise(path)) / (BARS - 1)
        for step in range(HORIZON):
            deviation = (mean_square * (step + 1)) ** 0.5
            assert found[window, step, MIDDLE] == pytest.approx(0.0, abs=1e-12)
            assert found[window, step, 6] == pytest.approx(1.2815515655 * deviation)
            assert found[window, step, 1] == pytest.approx(-1.9599639845 * deviation)


def test_naive_intervals_hold_what_they_say_on_random_walks() -> None:
    test = walks(4_000)
    found = fit_naive(test, 5)(test.inputs).log_returns
    inside = (found[..., 2] <= test.outcomes) & (test.outcomes <= found[..., 6])
    assert inside.mean() == pytest.approx(0.8, abs=0.015)


@pytest.mark.parametrize("season", [1, 3, 7])
def test_seasonal_naive_repeats_the_last_season(season: int) -> None:
    test = walks(5)
    found = fit_seasonal_naive(test, season)(test.inputs).log_returns
    for window, path in enumerate(paths(test)):
        changes = [path[bar] - path[bar - season] for bar in range(season, BARS)]
        mean_square = sum(change**2 for change in changes) / len(changes)
        extended = list(path)
        for step in range(HORIZON):
            extended.append(extended[-season])
            mean = extended[-1] - path[-1]
            deviation = (mean_square * (step // season + 1)) ** 0.5
            assert found[window, step, MIDDLE] == pytest.approx(mean, abs=1e-12)
            assert found[window, step, 6] - mean == pytest.approx(1.2815515655 * deviation)


def test_seasonal_naive_with_season_1_is_naive() -> None:
    test = walks(5)
    naive, seasonal = fit_naive(test, 1)(test.inputs), fit_seasonal_naive(test, 1)(test.inputs)
    assert seasonal.log_returns == pytest.approx(naive.log_returns, abs=1e-12)


def test_seasonal_naive_needs_more_than_a_season() -> None:
    test = walks(5)
    with pytest.raises(DataError, match="A season of 40 bars needs longer windows than 40"):
        fit_seasonal_naive(test, BARS)(test.inputs)


def smoothed_by_statsmodels(path: np.ndarray, alpha: float, beta: float, phi: float) -> tuple:
    """Squared one-step errors, forecasts and their standard errors."""
    model = ETSModel(
        pd.Series(path), error="add", trend="add", damped_trend=True,
        initialization_method="known", initial_level=path[0], initial_trend=0.0,
    )  # fmt: skip
    result = model.smooth([min(alpha, 1 - 1e-10), beta, phi])  # at 1 it answers NaN
    forecast = result.get_prediction(start=BARS, end=BARS + HORIZON - 1)
    squares = float((result.resid**2).sum())
    sigma2 = squares / (BARS - 1)
    errors = np.sqrt(np.asarray(forecast.forecast_variance) * sigma2 / result.mse)
    return squares, np.asarray(forecast.predicted_mean), errors


@pytest.mark.parametrize(("trend", "echo"), [(0.0, 0.0), (0.03, 0.0), (0.0, 0.7), (0.0, -0.5)])
def test_ets_is_the_best_of_its_grid_by_statsmodels(trend: float, echo: float) -> None:
    """statsmodels has no trendless case within the damped one but a slope that never moves: beta 0 from 0."""
    test = walks(3, seed=5, trend=trend, echo=echo)
    found = fit_ets(test, 5)(test.inputs).log_returns
    for window, path in enumerate(paths(test)):
        tried = [smoothed_by_statsmodels(path, *map(float, point)) for point in _GRID.T]
        _, mean, errors = min(tried, key=lambda one: one[0])
        assert found[window, :, MIDDLE] == pytest.approx(mean - path[-1], abs=1e-8)
        width = found[window, :, 6] - found[window, :, MIDDLE]
        assert width == pytest.approx(1.2815515655 * errors, rel=1e-6)


def test_ets_follows_a_trend_that_naive_does_not() -> None:
    test = walks(500, trend=0.03)
    ets, naive = (fit(test, 5)(test.inputs).median for fit in (fit_ets, fit_naive))
    assert np.abs(test.outcomes - ets).mean() < 0.8 * np.abs(test.outcomes - naive).mean()


def test_ets_is_the_same_in_any_batch() -> None:
    test = walks(1_030)
    predict = fit_ets(test, 5)
    together = predict(test.inputs).log_returns
    alone = predict({"close": test.inputs["close"][1_020:]}).log_returns
    assert together[1_020:] == pytest.approx(alone, abs=1e-13)


def test_linear_has_the_coefficients_of_scikit_learn() -> None:
    train, test = walks(300, echo=0.4), walks(30, seed=1, echo=0.4)
    found = fit_linear(train, 5)(test.inputs)
    regressors = []
    for windows in (train, test):
        returns = np.diff(paths(windows), axis=1)
        regressors.append(returns[:, -10:] / returns.std(axis=1)[:, None])
    scale = np.diff(paths(train), axis=1).std(axis=1)[:, None]
    ridge = Ridge(alpha=0.01 * 300, tol=1e-12).fit(regressors[0], train.outcomes / scale)
    residuals = train.outcomes / scale - ridge.predict(regressors[0])
    for step in range(HORIZON):
        mean = ridge.predict(regressors[1])[:, step]
        for index, level in enumerate(LEVELS):
            expected = (mean + np.quantile(residuals[:, step], level)) * found.scale
            assert found.log_returns[:, step, index] == pytest.approx(expected, abs=1e-9)


def test_linear_reads_more_than_a_season() -> None:
    """A return that comes back after 12 bars."""
    rng = np.random.default_rng(0)
    returns = 0.02 * rng.standard_normal((600, BARS + HORIZON))
    for bar in range(12, BARS + HORIZON):
        returns[:, bar] = 0.9 * returns[:, bar - 12] + 0.2 * returns[:, bar]
    path = returns.cumsum(axis=1)
    zeros = np.zeros(600, dtype=np.int64)
    windows = Windows({"close": np.exp(path[:, :BARS])}, path[:, BARS:] - path[:, [BARS - 1]], zeros, zeros)  # fmt: skip
    errors = {
        season: np.abs(fit_linear(windows, season)(windows.inputs).median - windows.outcomes).mean()
        for season in (5, 12)
    }
    assert errors[12] < 0.6 * errors[5]


def test_linear_without_windows_is_refused() -> None:
    with pytest.raises(DataError, match="needs training windows"):
        fit_linear(walks(3).take(slice(0, 0)), 5)


def test_short_windows_give_fewer_lags() -> None:
    windows = walks(50)
    short = Windows(
        {"close": windows.inputs["close"][:, -6:]}, windows.outcomes, windows.ts, windows.instrument
    )
    fit_linear(short, 5)(short.inputs).check("linear")


def test_baselines_read_nothing_of_the_test_outcomes() -> None:
    train, test = walks(200), walks(30, seed=1)
    spoiled = Windows(test.inputs, test.outcomes * np.nan, test.ts, test.instrument)
    for name, found in baseline_predictions(train, spoiled).items():
        expected = baseline_predictions(train, test)[name]
        assert (found.log_returns == expected.log_returns).all()


def test_held_out_windows_correct_intervals_that_are_wrong() -> None:
    """Echoing returns: a random walk is too narrow for them, until it is calibrated."""
    train, held_out, test = (walks(1_500, seed=seed, echo=0.6) for seed in range(3))
    raw = baseline_predictions(train, test)["naive"].log_returns
    corrected = baseline_predictions(train, test, held_out=held_out)["naive"].log_returns

    def coverage(q: np.ndarray) -> float:
        return float(((q[..., 2] <= test.outcomes) & (test.outcomes <= q[..., 6])).mean())

    assert coverage(raw) < 0.75
    assert coverage(corrected) == pytest.approx(0.8, abs=0.03)
