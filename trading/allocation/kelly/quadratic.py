"""Kelly for small returns: growth is mean minus half the variance.

Sources: Merton (1969), "Lifetime Portfolio Selection under Uncertainty", Review of Economics and Statistics 51;
Thorp (2006), "The Kelly Criterion in Blackjack, Sports Betting, and the Stock Market", Handbook of Asset and
Liability Management 1. Exact when prices are continuous and weights are restored at every moment.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trading.allocation.kelly.barrier import grow_most
from trading.allocation.kelly.caps import NO_CAPS, Caps
from trading.errors import DataError
from trading.indicators.periods import IntArray
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.inputs import require_covariance


def single_asset_fraction(mean: float, variance: float) -> float:
    """Return the fraction of the capital to hold: mean / variance; negative is short, above 1 is borrowed.

    Parameters
    ----------
    mean : float
        Of the simple return in excess of what cash earns, per bar.
    variance : float
        Of the return, per bar (> 0).

    Raises
    ------
    DataError
        If a number is not finite or the variance is not positive.
    """
    if not (math.isfinite(mean) and math.isfinite(variance) and variance > 0.0):
        raise DataError(f"needs a finite mean and a variance above 0, got {mean} and {variance}.")
    return mean / variance


def quadratic_weights(
    mean: FloatArray, covariance: FloatArray, names: Sequence[str], caps: Caps = NO_CAPS
) -> FloatArray:
    """Return the weights (asset,) that maximise w' mean - w' covariance w / 2 within the caps.

    Without caps they are inverse(covariance) mean.

    Parameters
    ----------
    mean : (asset,)
        Of simple returns in excess of what cash earns, per bar. The weights need not sum to 1: the rest is cash.
    covariance : (asset, asset)
        Of the returns, per bar.

    Raises
    ------
    DataError
        If a mean is not finite, or the covariance is singular or not one.
    UsageError
        If the caps are unfit.
    """
    _require_mean(mean, names)
    require_covariance(covariance, names)
    if caps.is_open:
        return np.asarray(np.linalg.solve(covariance, mean), dtype=np.float64)
    return grow_most(QuadraticGrowth(mean, covariance), caps, names)


@dataclass(frozen=True, slots=True, eq=False)
class QuadraticGrowth:
    """w' mean - w' covariance w / 2."""

    mean: FloatArray
    covariance: FloatArray

    @property
    def sharpness_min(self) -> float:
        return 1.0

    @property
    def safe_gross(self) -> float:
        return 1.0 / float(np.sqrt(np.diag(self.covariance).max()))

    def slopes(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        return self.mean - self.covariance @ weights, self.covariance

    def restricted(self, columns: IntArray) -> "QuadraticGrowth":
        return QuadraticGrowth(self.mean[columns], self.covariance[np.ix_(columns, columns)])


def _require_mean(mean: FloatArray, names: Sequence[str]) -> None:
    if mean.shape != (len(names),):
        raise DataError(f"means have shape {mean.shape}, must be ({len(names)},).")
    bad = np.flatnonzero(~np.isfinite(mean))
    if len(bad):
        raise DataError(f"{names[bad[0]]}: the mean return is {mean[bad[0]]}.")
