"""Autoregression: tomorrow's return is a linear function of the last few, fitted anew each month.

Source: Luetkepohl (2005), "New Introduction to Multiple Time Series Analysis", section 2.2 (forecasts by
recursion, their error variance by the moving average representation); Hoerl and Kennard (1970), "Ridge
Regression", Technometrics 12.

Assumes daily bars, and that a linear dependence of two years goes on for a month. Daily returns depend on
their past so little that costs eat most of what can be forecast. The deviation is that of the residuals alone: the
errors of the coefficients are not in it. One missing price silences an instrument until it has left
the fit.
"""

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from trading.forecasting.log_returns import log_returns
from trading.forecasting.lognormal import simple_return_signals
from trading.indicators.periods import BARS_PER_MONTH_MAX, IntArray
from trading.indicators.rolling import FloatArray
from trading.strategies.schedule import schedule
from trading.strategies.strategy import Bars, require_range


@dataclass(frozen=True, slots=True, eq=False)
class Coefficients:
    """Fitted autoregressions of log returns.

    Attributes
    ----------
    intercept : (..., instrument)
    lags : (..., lag, instrument)
        Lag 1 first.
    variance : (..., instrument)
        Of the residuals, over the degrees of freedom.
    """

    intercept: FloatArray
    lags: FloatArray
    variance: FloatArray

    def at(self, fits: IntArray) -> "Coefficients":
        """Return some of the fits, in this order."""
        return Coefficients(self.intercept[fits], self.lags[fits], self.variance[fits])


class Autoregression(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """AR(p) of log returns for each instrument alone, fitted at the first bar of each month.

    Attributes
    ----------
    horizon : int
        How far the forecast reaches (bars, 1 to 63).
    order : int
        Lags (1 to 20).
    fit_bars : int
        Returns in each fit, the month's first bar included (bars, 30 to 2520, at least 4 times `order`).
    ridge : float
        Penalty on the coefficients, as a share of each lag's variance (0 to 10; 0 is least squares). The
        intercept is not penalised.
    """

    horizon: int = 5
    order: int = 5
    fit_bars: int = 504
    ridge: float = 0.1

    def __post_init__(self) -> None:
        require_range(self, "horizon", 1, 63)
        require_range(self, "order", 1, 20)
        require_range(self, "fit_bars", max(30, 4 * self.order), 2520)
        require_range(self, "ridge", 0.0, 10.0)

    @property
    def lookback(self) -> int:
        """The prices of one fit, and the longest month that uses it."""
        return self.fit_bars + BARS_PER_MONTH_MAX

    def forecast(self, bars: Bars) -> dict[str, FloatArray]:
        """Return the two signals (time, instrument). See `forecaster.Forecaster`."""
        returns = log_returns(bars)
        plan = schedule(bars, 1, self.fit_bars, BARS_PER_MONTH_MAX)
        fits = bars.derived(
            ("autoregression", self.order, self.fit_bars, self.ridge),
            lambda: self._fit(returns, plan.decided_at),
        )
        rows = np.flatnonzero(plan.decision >= 0)
        fit = plan.decision[rows]
        history = [returns[rows - age] for age in range(self.order)]
        mean, deviation = np.full(returns.shape, np.nan), np.full(returns.shape, np.nan)
        mean[rows] = expected_sum(fits.at(fit), history, self.horizon)
        deviation[rows] = np.sqrt(variance_of_sum(fits, self.horizon))[fit]
        return simple_return_signals(mean, deviation)

    def _fit(self, returns: FloatArray, rows: IntArray) -> Coefficients:
        """One fit for each of `rows`: arrays of (row, ..., instrument)."""
        count, instruments = rows.size, returns.shape[1]
        intercept, variance = np.empty((2, count, instruments))
        lags = np.empty((count, self.order, instruments))
        for i, row in enumerate(rows.tolist()):
            sample = returns[row - self.fit_bars + 1 : row + 1]
            fit = fit_autoregression(sample, self.order, self.ridge)
            intercept[i], lags[i], variance[i] = fit.intercept, fit.lags, fit.variance
        return Coefficients(intercept, lags, variance)


def fit_autoregression(returns: FloatArray, order: int, ridge: float) -> Coefficients:
    """Fit AR(`order`) with an intercept to each column; the first `order` rows are given.

    Parameters
    ----------
    returns : (time, instrument)
    ridge : float
        See `Autoregression`.

    Returns
    -------
    Coefficients
        NaN for a column that holds a NaN. Lags that do not move get the coefficient 0.
    """
    is_known = np.isfinite(returns).all(axis=0)
    columns = np.where(is_known, returns, 0.0).T
    # (instrument, equation, lag): lag 0 is the return to be explained.
    table = np.ascontiguousarray(sliding_window_view(columns, order + 1, axis=1)[..., ::-1])
    mean = table.mean(axis=1)
    around = table - mean[:, None]
    explained, lagged = around[..., :1], around[..., 1:]
    products = np.swapaxes(around, 1, 2) @ around
    gram = products[:, 1:, 1:] * (1.0 + ridge * np.eye(order))
    lags = (np.linalg.pinv(gram, hermitian=True) @ products[:, 1:, :1])[..., 0]
    residual = explained - lagged @ lags[..., None]
    variance = (residual**2).sum(axis=(1, 2)) / (table.shape[1] - order - 1)
    intercept = mean[:, 0] - (mean[:, 1:] * lags).sum(axis=1)
    unknown = np.where(is_known, 0.0, np.nan)
    return Coefficients(intercept + unknown, (lags + unknown[:, None]).T, variance + unknown)


def expected_sum(fits: Coefficients, history: list[FloatArray], horizon: int) -> FloatArray:
    """Return the expected sum of the next `horizon` returns: (row, instrument).

    Parameters
    ----------
    fits : Coefficients
        One fit for each row.
    history : list of (row, instrument)
        The last returns, the newest first, one for each lag.
    """
    total = np.zeros_like(fits.intercept)
    recent = list(history)
    for _ in range(horizon):
        step = fits.intercept.copy()
        for lag, value in enumerate(recent):
            step += fits.lags[:, lag] * value
        total += step
        recent = [step, *recent[:-1]]
    return total


def variance_of_sum(fits: Coefficients, horizon: int) -> FloatArray:
    """Return the variance of the error of `expected_sum`: (fit, instrument).

    A shock today moves the sum of the next k returns by the first k moving average coefficients together.
    """
    order = fits.lags.shape[1]
    psi = [np.ones_like(fits.variance)]
    for step in range(1, horizon):
        terms = (fits.lags[:, i] * psi[step - 1 - i] for i in range(min(step, order)))
        psi.append(np.sum(list(terms), axis=0))
    effect, total = np.zeros_like(fits.variance), np.zeros_like(fits.variance)
    for coefficient in psi:
        effect = effect + coefficient
        total += effect**2
    return fits.variance * total
