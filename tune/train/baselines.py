"""What a model has to beat: forecasts that need no network.

Sources: Hyndman and Athanasopoulos (2021), "Forecasting: Principles and Practice", 3rd ed., sections 5.2 and 5.5 (naive
and seasonal naive, and their deviations), 8.2 (damped trend); Hyndman, Koehler, Ord and Snyder (2008), "Forecasting
with Exponential Smoothing", table 6.1 (deviation of the damped trend); Hoerl and Kennard (1970), "Ridge Regression",
Technometrics 12.

All forecast the logarithm of the price, a whole batch of windows at once.
"""

from collections.abc import Callable, Mapping
from functools import partial
from statistics import NormalDist

import numpy as np

from trading.errors import DataError
from trading.forecasting.conformal import calibrate, calibrated
from trading.forecasting.history import Inputs
from trading.forecasting.prediction import LEVELS, Prediction
from trading.indicators.rolling import FloatArray
from tune.train.windows import Windows

Predict = Callable[[Inputs], Prediction]
"""From windows to their quantiles."""
Fit = Callable[[Windows, int], Predict]
"""From training windows, and the season (bars), to a forecast of as many steps as they have outcomes."""

_NORMAL = np.array([NormalDist().inv_cdf(level) for level in LEVELS])
_SCALE_MIN = 1e-8
_BATCH = 1024
_LAGS = 10
_RIDGE = 0.01
_ALPHAS = (0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
_TRENDS = ((0.0, 0.9), (0.05, 0.9), (0.05, 0.98), (0.2, 0.9), (0.2, 0.98))
"""Share of the error that goes into the slope, in units of alpha, and damping; the first is no slope at all."""
_GRID = np.array([(alpha, share * alpha, phi) for alpha in _ALPHAS for share, phi in _TRENDS]).T


def baseline_predictions(
    train: Windows, test: Windows, *, season: int = 5, held_out: Windows | None = None
) -> dict[str, Prediction]:
    """Return the prediction of every baseline for the test windows.

    Parameters
    ----------
    train : Windows
        What the linear model is fitted on; the others read nothing but the window.
    season : int
        Bars after which the seasonal baseline expects a repetition: 5 for trading days, 12 for months.
    held_out : Windows or None
        Windows of the conformal correction that the models get too: without it a model that does no more than cover
        what it says would beat baselines that were not allowed to.

    Raises
    ------
    DataError
        If the windows are no longer than the season.
    """
    found = {}
    for name, fit in BASELINES.items():
        predict = fit(train, season)
        found[name] = predict(test.inputs)
        if held_out is not None:
            calibration = calibrate(predict(held_out.inputs), held_out.outcomes)
            found[name] = calibrated(found[name], calibration)
    return found


def fit_naive(train: Windows, season: int) -> Predict:
    """No change: normal quantiles around it, with the root mean square of the returns times the root of the step."""
    return partial(_naive, horizon=_horizon(train))


def fit_seasonal_naive(train: Windows, season: int) -> Predict:
    """The log price of the last season again; the deviation is that of the past seasons, growing with each new one.

    Raises
    ------
    DataError
        If the windows are no longer than the season.
    """
    return partial(_seasonal_naive, horizon=_horizon(train), season=season)


def fit_ets(train: Windows, season: int) -> Predict:
    """Exponential smoothing with additive errors and without or with a damped trend.

    Its parameters are those of a grid of 30 that had the least squared one-step error within the window; it starts at
    the first price, without a slope.
    """
    return partial(_ets, horizon=_horizon(train))


def fit_linear(train: Windows, season: int) -> Predict:
    """Ridge regression of each step's log return on the last returns, all in deviations of the window.

    It reads max(10, season + 1) returns, or those that a window has. The quantiles around it are those of the residuals
    on the training windows.

    Raises
    ------
    DataError
        If there is no training window.
    """
    if len(train) == 0:
        raise DataError("The linear baseline needs training windows; there is none.")
    close = train.inputs["close"]
    lags = min(max(_LAGS, season + 1), close.shape[1] - 1)
    regressors, scale = _scaled_returns(close, lags)
    targets = train.outcomes / scale[:, None]
    penalty = _RIDGE * len(train) * np.eye(lags + 1)
    penalty[0, 0] = 0.0
    gram = regressors.T @ regressors + penalty
    coefficients = np.asarray(np.linalg.solve(gram, regressors.T @ targets), dtype=np.float64)
    spread = np.quantile(targets - regressors @ coefficients, LEVELS, axis=0).T
    return partial(_linear, coefficients=coefficients, spread=spread)


BASELINES: Mapping[str, Fit] = {
    "naive": fit_naive,
    "seasonal_naive": fit_seasonal_naive,
    "ets": fit_ets,
    "linear": fit_linear,
}


def _naive(inputs: Inputs, horizon: int) -> Prediction:
    returns = _returns(inputs["close"])
    deviation = np.sqrt((returns**2).mean(axis=1))
    reach = np.sqrt(np.arange(1.0, horizon + 1))
    return _normal(np.zeros((len(returns), horizon)), deviation[:, None] * reach, returns)


def _seasonal_naive(inputs: Inputs, horizon: int, season: int) -> Prediction:
    path = np.log(inputs["close"])
    if path.shape[1] <= season:
        raise DataError(f"A season of {season} bars needs longer windows than {path.shape[1]}.")
    steps = np.arange(horizon)
    same = path[:, -season + steps % season] - path[:, -1:]
    changes = path[:, season:] - path[:, :-season]
    deviation = np.sqrt((changes**2).mean(axis=1))
    return _normal(same, deviation[:, None] * np.sqrt(steps // season + 1.0), np.diff(path, axis=1))


def _ets(inputs: Inputs, horizon: int) -> Prediction:
    path = np.log(inputs["close"])
    starts = range(0, len(path), _BATCH)
    parts = [_smoothed(path[start : start + _BATCH], horizon) for start in starts]
    mean, deviation = (
        np.concatenate([part[i] for part in parts]) if parts else np.empty((0, horizon))
        for i in range(2)
    )
    return _normal(mean, deviation, np.diff(path, axis=1))


def _smoothed(path: FloatArray, horizon: int) -> tuple[FloatArray, FloatArray]:
    """Mean and deviation (window, step) with the best parameters of the grid."""
    alpha, beta, phi = _GRID
    level = np.repeat(path[:, :1], alpha.size, axis=1)
    slope, squares = np.zeros_like(level), np.zeros_like(level)
    for bar in range(1, path.shape[1]):
        damped = phi * slope
        level += damped
        error = path[:, bar, None] - level
        level += alpha * error
        slope = damped + beta * error
        squares += error**2
    rows, best = np.arange(len(path)), squares.argmin(axis=1)
    damping = np.cumsum(phi[best, None] ** np.arange(1, horizon + 1), axis=1)
    mean = level[rows, best, None] + slope[rows, best, None] * damping - path[:, -1:]
    weights = alpha[best, None] + beta[best, None] * damping[:, :-1]
    growth = 1.0 + np.cumsum(np.pad(weights**2, ((0, 0), (1, 0))), axis=1)
    return mean, np.sqrt(squares[rows, best, None] / (path.shape[1] - 1) * growth)


def _linear(inputs: Inputs, coefficients: FloatArray, spread: FloatArray) -> Prediction:
    regressors, scale = _scaled_returns(inputs["close"], len(coefficients) - 1)
    quantiles = (regressors @ coefficients)[..., None] + spread
    return Prediction(quantiles * scale[:, None, None], scale)


def _scaled_returns(close: FloatArray, lags: int) -> tuple[FloatArray, FloatArray]:
    """1 and the last returns in deviations (window, 1 + lags), and the deviation (window,)."""
    returns = _returns(close)
    scale = _scale(returns)
    return np.pad(returns[:, -lags:] / scale[:, None], ((0, 0), (1, 0)), constant_values=1.0), scale


def _normal(mean: FloatArray, deviation: FloatArray, returns: FloatArray) -> Prediction:
    return Prediction(mean[..., None] + deviation[..., None] * _NORMAL, _scale(returns))


def _returns(close: FloatArray) -> FloatArray:
    return np.diff(np.log(close), axis=1)


def _scale(returns: FloatArray) -> FloatArray:
    scale: FloatArray = np.maximum(returns.std(axis=1), _SCALE_MIN)
    return scale


def _horizon(train: Windows) -> int:
    return int(train.outcomes.shape[1])
