"""Value at risk and expected shortfall of a normal loss, in closed form, with exact intervals."""

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.estimate import Estimate
from trading.portfolio_risk.inputs import require_horizon
from trading.portfolio_risk.portfolio_losses import window_losses
from trading.portfolio_risk.sampling_error import COVERAGE


def normal(
    returns: FloatArray,
    exposures: FloatArray,
    names: Sequence[str],
    confidence: float,
    horizon: int = 1,
) -> Estimate:
    """Return the estimate of a normal distribution with the mean and variance of the portfolio's past gains.

    Over the horizon mean and variance grow in proportion to time: exact for independent normal gains with
    exposures held at the same money in every bar. The intervals are exact under the same assumptions: an
    estimated normal quantile follows the noncentral t distribution (Johnson and Welch 1940, "Applications of
    the Non-central t-Distribution", Biometrika 31), and the shortfall has the same form.

    Parameters
    ----------
    returns : (time, asset)
        Simple returns of one bar.
    exposures : (asset,)
        Signed value (money).

    Raises
    ------
    DataError
        If returns or exposures are unfit, or there are fewer than two returns.
    UsageError
        If `confidence` or `horizon` is out of range.
    """
    require_horizon(horizon)
    losses = window_losses(returns, exposures, names, confidence)
    mean, deviation, count = float(np.mean(losses)), float(np.std(losses, ddof=1)), len(losses)
    quantile, tail_mean = standard_tail(confidence)
    growth = math.sqrt(horizon)
    return Estimate(
        method="normal",
        confidence=confidence,
        horizon=horizon,
        value_at_risk=horizon * mean + growth * quantile * deviation,
        expected_shortfall=horizon * mean + growth * tail_mean * deviation,
        interval=_interval(mean, deviation, count, quantile, horizon),
        shortfall_interval=_interval(mean, deviation, count, tail_mean, horizon),
    )


def standard_tail(confidence: float) -> tuple[float, float]:
    """Return quantile and mean beyond it of a standard normal variable."""
    unit = NormalDist()
    quantile = unit.inv_cdf(confidence)
    return quantile, unit.pdf(quantile) / (1.0 - confidence)


def _interval(
    mean: float, deviation: float, count: int, factor: float, horizon: int
) -> tuple[float, float]:
    """Return the interval of horizon * mean + sqrt(horizon) * factor * deviation."""
    from scipy.stats import nct

    centre = math.sqrt(count / horizon) * factor
    share = (1.0 - COVERAGE) / 2.0
    low, high = nct.ppf([share, 1.0 - share], count - 1, centre) / math.sqrt(count)
    return horizon * (mean + float(low) * deviation), horizon * (mean + float(high) * deviation)
