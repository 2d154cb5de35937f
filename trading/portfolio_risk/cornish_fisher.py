"""Value at risk and expected shortfall of a normal loss bent to the skewness and kurtosis of the past.

The Cornish-Fisher expansion turns a standard normal Z into

    p(Z) = Z + (Z^2 - 1) s/6 + (Z^3 - 3Z) k/24 - (2Z^3 - 5Z) s^2/36

Putting the sample's skewness and kurtosis where s and k stand, as is often done, makes a variable with other
moments, far too wide for returns as heavy-tailed as daily ones, and a curve that need not rise. Here s and k
are those for which p(Z) has the sample's moments, and p rises everywhere, so that a higher confidence never
has a smaller value (Maillard 2012, "A User's Guide to the Cornish Fisher Expansion").
"""

import math
from collections.abc import Sequence

import numpy as np

from trading.errors import DataError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.estimate import Estimate
from trading.portfolio_risk.inputs import require_horizon
from trading.portfolio_risk.normal import standard_tail
from trading.portfolio_risk.portfolio_losses import require_motion, window_losses
from trading.portfolio_risk.sampling_error import estimate_around

SKEWNESS_MAX = 6.0 * (math.sqrt(2.0) - 1.0)
"""No rising expansion has a larger s."""
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(7)
_STEP = 1e-3


def cornish_fisher(
    returns: FloatArray,
    exposures: FloatArray,
    names: Sequence[str],
    confidence: float,
    horizon: int = 1,
) -> Estimate:
    """Return the estimate by the first four moments of the portfolio's past gains.

    Over the horizon the cumulants grow in proportion to time: exact for independent gains with exposures held
    at the same money in every bar. Intervals are by the delta method on the four sample moments; with few
    returns or very heavy tails they are too narrow, because the fourth moment itself is badly known.
    A kurtosis below what the expansion can have with that skewness is raised to it.

    Parameters
    ----------
    returns : (time, asset)
        Simple returns of one bar.
    exposures : (asset,)
        Signed value (money).

    Raises
    ------
    DataError
        If returns or exposures are unfit, the portfolio does not move, or its gains are more skewed or
        heavier-tailed than the expansion can be.
    UsageError
        If `confidence` or `horizon` is out of range.
    """
    require_horizon(horizon)
    losses = window_losses(returns, exposures, names, confidence, rows_min=4)
    mean, deviation = require_motion(losses)
    powers = ((losses - mean) / deviation) ** np.arange(1, 5)[:, None]
    moments: FloatArray = powers.mean(axis=1)
    values = mean * horizon + deviation * _tail(moments, confidence, horizon)
    spread = np.atleast_2d(np.cov(powers)) / len(losses)
    slopes = _slopes(moments, confidence, horizon)
    errors = deviation * np.sqrt(np.einsum("mv,mn,nv->v", slopes, spread, slopes))
    return estimate_around("cornish-fisher", confidence, horizon, values, errors)


def fitted_expansion(skewness: float, kurtosis: float) -> tuple[float, float]:
    """Return s and k for which p(Z) has this skewness and excess kurtosis.

    Raises
    ------
    DataError
        If no rising expansion is so skewed or so heavy-tailed.
    """
    from scipy.optimize import brentq

    def matching(width: float) -> tuple[float, float]:
        """Return s and k with the right skewness, `width` of the way from the least to the largest k."""
        s = float(
            brentq(lambda s: _shape(s, _kurtosis_at(s, width))[1] - skewness, *reach, xtol=1e-13)
        )
        return s, _kurtosis_at(s, width)

    reach = (-SKEWNESS_MAX, SKEWNESS_MAX)
    most = _shape(SKEWNESS_MAX, _kurtosis_at(SKEWNESS_MAX, 0.5))[1]
    if abs(skewness) >= most or kurtosis > _shape(*matching(1.0))[2]:
        raise DataError(
            f"the portfolio's gains have skewness {-skewness:.2f} and excess kurtosis {kurtosis:.2f}, more than "
            "a Cornish-Fisher expansion can have; use the historical, filtered or extreme method."
        )
    if kurtosis <= _shape(*matching(0.0))[2]:
        return matching(0.0)
    width = float(
        brentq(lambda width: _shape(*matching(width))[2] - kurtosis, 0.0, 1.0, xtol=1e-13)
    )
    return matching(width)


def expansion_tail(s: float, k: float, confidence: float) -> tuple[float, float]:
    """Return quantile and mean beyond it of p(Z), divided by its standard deviation."""
    quantile, first = standard_tail(confidence)
    powers = np.array([1.0, quantile, quantile**2, quantile**3])
    means = np.array([1.0, first, 1.0 + quantile * first, (quantile**2 + 2.0) * first])
    scale = _shape(s, k)[0]
    coefficients = _coefficients(s, k) / scale
    return float(coefficients @ powers), float(coefficients @ means)


def _tail(moments: FloatArray, confidence: float, horizon: int) -> FloatArray:
    """Return quantile and tail mean of the sum of `horizon` losses with these four raw moments, less its mean at 0."""
    mean, second, third, fourth = moments
    variance = second - mean**2
    skewness = (third - 3 * mean * second + 2 * mean**3) / variance**1.5
    kurtosis = (fourth - 4 * mean * third + 6 * mean**2 * second - 3 * mean**4) / variance**2 - 3
    s, k = fitted_expansion(skewness / math.sqrt(horizon), kurtosis / horizon)
    tail = np.array(expansion_tail(s, k, confidence))
    values: FloatArray = horizon * mean + math.sqrt(horizon * variance) * tail
    return values


def _slopes(moments: FloatArray, confidence: float, horizon: int) -> FloatArray:
    """Return how quantile and tail mean change with each moment (moment, 2), by central differences."""
    steps = _STEP * np.maximum(1.0, np.abs(moments))
    rows = [
        (_tail(moments + move, confidence, horizon) - _tail(moments - move, confidence, horizon))
        / (2.0 * step)
        for move, step in zip(np.diag(steps), steps, strict=True)
    ]
    return np.array(rows)


def _coefficients(s: float, k: float) -> FloatArray:
    """Return what stands before 1, Z, Z^2 and Z^3."""
    return np.array([-s / 6, 1 - k / 8 + 5 * s**2 / 36, s / 6, k / 24 - s**2 / 18])


def _shape(s: float, k: float) -> tuple[float, float, float]:
    """Return standard deviation, skewness and excess kurtosis of p(Z); Gauss-Hermite sums are exact here."""
    values = np.polynomial.polynomial.polyval(_NODES, _coefficients(s, k))
    weights = _WEIGHTS / math.sqrt(2.0 * math.pi)
    second, third, fourth = (float(weights @ values**power) for power in (2, 3, 4))
    return math.sqrt(second), third / second**1.5, fourth / second**2 - 3.0


def _kurtosis_at(s: float, width: float) -> float:
    """Return the k that lies `width` of the way between the least and the largest for which p rises."""
    middle = 4.0 * (1.0 + 11.0 * s**2 / 36.0)
    product = 3.0 * (1.0 + 5.0 * s**2 / 36.0) * s**2 / 18.0 + s**2 / 36.0
    half = math.sqrt(max(middle**2 - 64.0 * product, 0.0))
    return middle + (2.0 * width - 1.0) * half
