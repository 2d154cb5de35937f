"""How far a measured Sharpe ratio can be trusted.

Sources: Bailey and Lopez de Prado (2012), "The Sharpe Ratio Efficient Frontier", Journal of Risk 15
(probabilistic Sharpe ratio, minimum track record length); Bailey and Lopez de Prado (2014), "The Deflated
Sharpe Ratio", Journal of Portfolio Management 40.

All Sharpe ratios here are per bar, not per year: divide one per year by the root of the bars in a year.
"""

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from trading.errors import UsageError
from trading.indicators.rolling import FloatArray
from trading.metrics.dispersion import Moments, moments
from trading.metrics.quotient import quotient

_NORMAL = NormalDist()


class SharpeEstimate(NamedTuple):
    """A measured Sharpe ratio and what its error depends on.

    Attributes
    ----------
    sharpe : float
        Per bar.
    bars : int
        Returns that it was measured on.
    skewness, kurtosis : float
        Of those returns; 0 and 3 for a normal distribution.
    """

    sharpe: float
    bars: int
    skewness: float
    kurtosis: float

    @property
    def variance(self) -> float:
        """Asymptotic variance times `bars - 1`: 1 - skewness SR + (kurtosis - 1) / 4 SR^2 (>= 0)."""
        return 1.0 - self.skewness * self.sharpe + (self.kurtosis - 1.0) / 4.0 * self.sharpe**2


def sharpe_estimate(returns: FloatArray) -> SharpeEstimate:
    """Return the Sharpe ratio per bar of `returns` with its sample skewness and kurtosis."""
    return estimate_of(moments(returns), returns.size)


def estimate_of(found: Moments, bars: int) -> SharpeEstimate:
    """Return the estimate that the moments of so many returns make."""
    ratio = quotient(found.mean, found.deviation)
    return SharpeEstimate(ratio, bars, found.skewness, found.kurtosis)


def probabilistic_sharpe(estimate: SharpeEstimate, benchmark: float = 0.0) -> float:
    """Return the probability that the true Sharpe ratio is above `benchmark`.

    Phi((SR - benchmark) sqrt((bars - 1) / variance)).

    Parameters
    ----------
    benchmark : float
        Sharpe ratio per bar.

    Returns
    -------
    float
        NaN with fewer than two bars, or returns that are all equal.
    """
    if estimate.bars < 2 or not estimate.variance > 0:
        return math.nan
    error = math.sqrt(estimate.variance / (estimate.bars - 1))
    return _NORMAL.cdf((estimate.sharpe - benchmark) / error)


def expected_max_sharpe(trials: int, trial_variance: float) -> float:
    """Return the best Sharpe ratio to expect among so many independent trials without any skill.

    sqrt(V) ((1 - g) Phi^-1(1 - 1/N) + g Phi^-1(1 - 1/(N e))), with g the Euler-Mascheroni constant; 0 for a
    single trial.

    Parameters
    ----------
    trials : int
        N (>= 1).
    trial_variance : float
        V, the variance of the Sharpe ratios (per bar) of the trials (>= 0).

    Raises
    ------
    UsageError
        If `trials` is below 1 or the variance is negative.
    """
    if trials < 1 or trial_variance < 0:
        raise UsageError(
            f"deflated Sharpe: trials must be at least 1 and their variance at least 0, "
            f"got {trials} and {trial_variance}"
        )
    if trials == 1:
        return 0.0
    largest = -_NORMAL.inv_cdf(1.0 / trials)  # the quantile of 1 - 1/N, without its rounding
    larger = -_NORMAL.inv_cdf(1.0 / (trials * math.e))
    return math.sqrt(trial_variance) * ((1.0 - np.euler_gamma) * largest + np.euler_gamma * larger)


def deflated_sharpe(estimate: SharpeEstimate, trials: int, trial_variance: float) -> float:
    """Return the probability that the true Sharpe ratio of the best of `trials` is above 0.

    `probabilistic_sharpe` against `expected_max_sharpe`; parameters and errors are those of the latter.
    """
    return probabilistic_sharpe(estimate, expected_max_sharpe(trials, trial_variance))


def minimum_track_record_bars(
    estimate: SharpeEstimate, benchmark: float = 0.0, confidence: float = 0.95
) -> float:
    """Return how many bars of such returns prove a Sharpe ratio above `benchmark`.

    1 + variance (Phi^-1(confidence) / (SR - benchmark))^2.

    Parameters
    ----------
    benchmark : float
        Sharpe ratio per bar.
    confidence : float
        Between 0.5 and 1.

    Returns
    -------
    float
        Bars; inf when the Sharpe ratio is not above `benchmark`, since no length would do. NaN where
        it is unknown.

    Raises
    ------
    UsageError
        If `confidence` is outside its range.
    """
    if not 0.5 < confidence < 1:
        raise UsageError(f"confidence must be between 0.5 and 1, got {confidence}")
    if math.isnan(estimate.variance):
        return math.nan
    if estimate.sharpe <= benchmark:
        return math.inf
    score = _NORMAL.inv_cdf(confidence) / (estimate.sharpe - benchmark)
    return 1.0 + estimate.variance * score**2
