import itertools
import math
from datetime import UTC, datetime

import numpy as np
import pytest
from statsmodels.tsa.ar_model import AutoReg
from statsmodels.tsa.arima_process import arma2ma

from trading.forecasting.autoregression import Autoregression, fit_autoregression
from trading.indicators.rolling import FloatArray
from trading.strategies.signals import FORECAST_DEVIATION, FORECAST_RETURN
from trading.strategies.strategy import Bars

MODELS = [
    Autoregression(horizon=5, order=3, fit_bars=200, ridge=0.0),
    Autoregression(horizon=1, order=1, fit_bars=60, ridge=0.0),
    Autoregression(horizon=10, order=5, fit_bars=400, ridge=0.0),
    Autoregression(horizon=2, order=6, fit_bars=300, ridge=0.0),
]


def month_start(bars: Bars, row: int) -> int:
    """The first row of the month that `row` is in."""

    def month(at: int) -> tuple[int, int]:
        moment = datetime.fromtimestamp(int(bars.ts[at]) // 10**9, UTC)
        return moment.year, moment.month

    while month(row - 1) == month(row):
        row -= 1
    return row


def log_moments(model: Autoregression, bars: Bars, row: int, column: int) -> tuple[float, float]:
    """Mean and variance of the log return, from those of the simple return."""
    made = model.forecast(bars)
    growth = 1.0 + float(made[FORECAST_RETURN][row, column])
    variance = math.log1p((float(made[FORECAST_DEVIATION][row, column]) / growth) ** 2)
    return math.log(growth) - variance / 2.0, variance


def naive_sum(params: FloatArray, past: list[float], horizon: int) -> float:
    """The recursion with one number at a time; `past` ends with the newest return."""
    series = list(past)
    for _ in range(horizon):
        recent = series[::-1][: len(params) - 1]
        series.append(params[0] + sum(c * r for c, r in zip(params[1:], recent, strict=True)))
    return sum(series[len(past) :])


@pytest.mark.parametrize("model", MODELS, ids=lambda model: f"AR({model.order})")
def test_forecast_without_ridge_is_that_of_statsmodels(model: Autoregression, bars: Bars) -> None:
    returns = np.diff(np.log(bars.close), axis=0, prepend=np.nan)
    for row in (450, 477, 560, 601, 699):
        start = month_start(bars, row)
        for column in range(4):
            sample = returns[start - model.fit_bars + 1 : start + 1, column]
            fit = AutoReg(sample, lags=model.order, trend="c").fit()
            unbiased = fit.sigma2 * fit.nobs / (fit.nobs - model.order - 1)
            ma = arma2ma(np.r_[1.0, -fit.params[1:]], [1.0], lags=model.horizon)
            mean, variance = log_moments(model, bars, row, column)
            past = returns[row - model.order + 1 : row + 1, column].tolist()
            expected = naive_sum(fit.params, past, model.horizon)
            assert mean == pytest.approx(expected, rel=1e-6, abs=1e-10)
            assert variance == pytest.approx(unbiased * (np.cumsum(ma) ** 2).sum(), rel=1e-6)


def test_at_the_fit_the_forecast_is_the_sum_of_statsmodels_own(bars: Bars) -> None:
    model = MODELS[0]
    row = month_start(bars, 640)
    returns = np.diff(np.log(bars.close), axis=0, prepend=np.nan)
    for column in range(4):
        sample = returns[row - model.fit_bars + 1 : row + 1, column]
        theirs = AutoReg(sample, lags=model.order, trend="c").fit().forecast(model.horizon).sum()
        mean, _ = log_moments(model, bars, row, column)
        assert mean == pytest.approx(theirs, rel=1e-6, abs=1e-10)


@pytest.mark.parametrize("ridge", [0.05, 1.0, 10.0])
def test_ridge_is_least_squares_with_rows_of_penalty(ridge: float) -> None:
    returns = np.random.default_rng(3).normal(0.001, 0.02, (150, 2))
    fit = fit_autoregression(returns, 4, ridge)
    for column in range(2):
        series = returns[:, column]
        lagged = np.column_stack([series[4 - lag : -lag] for lag in range(1, 5)])
        x, y = lagged - lagged.mean(axis=0), series[4:] - series[4:].mean()
        penalty = np.diag(np.sqrt(ridge * (x**2).sum(axis=0)))
        expected = np.linalg.lstsq(np.vstack([x, penalty]), np.r_[y, np.zeros(4)])[0]
        np.testing.assert_allclose(fit.lags[:, column], expected, rtol=1e-9)
        intercept = series[4:].mean() - lagged.mean(axis=0) @ expected
        assert fit.intercept[column] == pytest.approx(intercept)
        residual = series[4:] - intercept - lagged @ expected
        assert fit.variance[column] == pytest.approx((residual**2).sum() / (146 - 5))


def test_known_process_is_found_and_its_uncertainty_is_that_of_simulation() -> None:
    generator = np.random.default_rng(5)
    series = np.zeros(40_000)
    shocks = generator.normal(0.0, 0.01, series.size)
    for row in range(2, series.size):
        series[row] = 0.0005 + 0.5 * series[row - 1] - 0.3 * series[row - 2] + shocks[row]
    fit = fit_autoregression(series[:, None], 2, 0.0)
    np.testing.assert_allclose(fit.lags[:, 0], [0.5, -0.3], atol=0.02)
    assert fit.variance[0] == pytest.approx(1e-4, rel=0.03)
    ahead = np.array([series[row + 1 : row + 4].sum() for row in range(1, series.size - 4)])
    past = itertools.pairwise(series)
    params = np.array([fit.intercept[0], *fit.lags[:, 0]])
    expected = np.array([naive_sum(params, list(pair), 3) for pair in past][: ahead.size])
    psi = [1.0, fit.lags[0, 0], fit.lags[0, 0] ** 2 + fit.lags[1, 0]]
    exact = fit.variance[0] * (np.cumsum(psi) ** 2).sum()
    assert (ahead - expected).var() == pytest.approx(exact, rel=0.05)


def test_columns_of_one_direction_are_fitted_without_failure() -> None:
    """A series that alternates makes all lags one column: the smallest coefficients are taken."""
    alternating = np.tile([0.01, -0.01], 40)[:, None]
    fit = fit_autoregression(alternating, 2, 0.0)
    np.testing.assert_allclose(fit.lags[:, 0], [-0.5, 0.5], atol=1e-9)
    assert fit.variance[0] < 1e-12


def test_fit_changes_only_at_the_start_of_a_month(bars: Bars) -> None:
    """The deviation of the log return knows the fit alone."""
    model = Autoregression(fit_bars=120)
    rows = range(model.lookback - 1, len(bars))
    variances = [log_moments(model, bars, row, 0)[1] for row in rows]
    changed = [
        row
        for row, (a, b) in enumerate(itertools.pairwise(variances))
        if not math.isclose(a, b, rel_tol=1e-9)
    ]
    starts = [row for row in rows if row > rows[0] and month_start(bars, row) == row]
    assert [rows[0] + row + 1 for row in changed] == starts


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"horizon": 0}, "horizon must be a whole number from 1 to 63"),
        ({"order": 21}, "order must be a whole number from 1 to 20"),
        ({"order": 10, "fit_bars": 39}, "fit_bars must be a whole number from 40 to 2520"),
        ({"ridge": -0.1}, "ridge must be a number from 0.0 to 10.0"),
        ({"ridge": math.nan}, "ridge must be a number from 0.0 to 10.0"),
    ],
)
def test_parameter_out_of_range_is_named(changes: dict[str, float], what: str) -> None:
    with pytest.raises(ValueError, match=f"Autoregression: {what}"):
        Autoregression(**changes)  # type: ignore[arg-type]
