"""Which position the value at risk and the expected shortfall come from.

Both are homogeneous in the exposures: twice the positions, twice the loss. So by Euler's theorem each is the sum
over assets of exposure times its own slope (Tasche 1999, "Risk Contributions and Performance Measurement").
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from trading.errors import DataError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.empirical import rank_of, require_tail, tail_of
from trading.portfolio_risk.inputs import (
    require_confidence,
    require_covariance,
    require_exposures,
    require_horizon,
    require_returns,
)
from trading.portfolio_risk.normal import standard_tail


@dataclass(frozen=True, slots=True)
class Attribution:
    """One measure, shared out.

    Attributes
    ----------
    total : float
        Of the portfolio, in the unit of the exposures.
    marginal : (asset,)
        Change of the total with one more unit of exposure.
    component : (asset,)
        Exposure times `marginal`; they add up to `total`. Negative for a hedge.
    incremental : (asset,)
        By how much the total would fall without the position; these do not add up.
    """

    total: float
    marginal: FloatArray
    component: FloatArray
    incremental: FloatArray


@dataclass(frozen=True, slots=True)
class Contributions:
    """Value at risk and expected shortfall by asset."""

    names: tuple[str, ...]
    value_at_risk: Attribution
    expected_shortfall: Attribution


def normal_contributions(
    mean: FloatArray,
    covariance: FloatArray,
    exposures: FloatArray,
    names: Sequence[str],
    confidence: float,
    horizon: int = 1,
) -> Contributions:
    """Share out the loss of a normal distribution, in closed form.

    Parameters
    ----------
    mean : (asset,)
        Of returns of one bar; it and the covariance grow in proportion to time.
    covariance : (asset, asset)
    exposures : (asset,)
        Signed value (money).

    Raises
    ------
    DataError
        If mean, covariance or exposures are unfit.
    UsageError
        If `confidence` or `horizon` is out of range.
    """
    require_confidence(confidence)
    require_horizon(horizon)
    require_exposures(exposures, names)
    require_covariance(covariance, names)
    if mean.shape != exposures.shape or not np.isfinite(mean).all():
        raise DataError(f"the mean must be one finite number for each of {len(names)} assets.")

    def attribution(factor: float) -> Attribution:
        def measure(held: FloatArray) -> float:
            deviation = math.sqrt(horizon * float(held @ covariance @ held))
            return factor * deviation - horizon * float(mean @ held)

        deviation = math.sqrt(float(exposures @ covariance @ exposures))
        slope = covariance @ exposures / deviation if deviation > 0 else np.zeros(len(names))
        marginal = factor * math.sqrt(horizon) * slope - horizon * mean
        return _attribution(measure, marginal, exposures)

    quantile, tail_mean = standard_tail(confidence)
    return Contributions(tuple(names), attribution(quantile), attribution(tail_mean))


def scenario_contributions(
    scenarios: FloatArray, exposures: FloatArray, names: Sequence[str], confidence: float
) -> Contributions:
    """Share out the loss of equally likely scenarios: past windows or simulated returns over the horizon.

    The slope of the shortfall is the mean loss of the asset where the portfolio loses most. That of the value
    at risk is its expected loss where the portfolio loses just that much. One scenario would be a poor
    witness: it is a regression on the portfolio's loss among those nearby, weighted as Harrell and Davis
    (1982, "A New Distribution-Free Quantile Estimator", Biometrika 69) weight them for the quantile, read off
    at the value at risk (after Epperlein and Smillie 2006, "Cracking VaR with Kernels", Risk 19). So the
    components add up to it exactly.

    Parameters
    ----------
    scenarios : (scenario, asset)
        Simple returns over the horizon.
    exposures : (asset,)
        Signed value (money).

    Raises
    ------
    DataError
        If scenarios or exposures are unfit, or fewer than one lies beyond the value at risk.
    UsageError
        If `confidence` is out of range.
    """
    require_confidence(confidence)
    require_returns(scenarios, names)
    require_exposures(exposures, names)
    require_tail(len(scenarios), confidence)
    losses = -(scenarios @ exposures)
    order = np.argsort(losses, kind="stable")

    def attribution(position: int, weights: FloatArray) -> Attribution:
        def measure(held: FloatArray) -> float:
            return tail_of(-(scenarios @ held), confidence)[position]

        return _attribution(measure, -(weights @ scenarios[order]), exposures)

    return Contributions(
        tuple(names),
        attribution(0, _quantile_weights(losses[order], confidence)),
        attribution(1, _tail_weights(len(losses), confidence)),
    )


def _attribution(
    measure: Callable[[FloatArray], float], marginal: FloatArray, exposures: FloatArray
) -> Attribution:
    total = measure(exposures)
    without = np.tile(exposures, (len(exposures), 1))
    np.fill_diagonal(without, 0.0)
    incremental = np.array([total - measure(held) for held in without])
    return Attribution(total, marginal, exposures * marginal, incremental)


def _quantile_weights(ascending: FloatArray, confidence: float) -> FloatArray:
    """Return weights of scenarios whose sum is 1 and whose mean loss is the value at risk."""
    from scipy.special import betainc

    count = len(ascending)
    edges = np.arange(count + 1) / count
    near: FloatArray = np.diff(
        betainc((count + 1) * confidence, (count + 1) * (1.0 - confidence), edges)
    )
    deviations = ascending - near @ ascending
    variance = float(near @ deviations**2)
    if variance == 0.0:
        return near
    missing = float(ascending[rank_of(count, confidence)] - near @ ascending)
    return near * (1.0 + deviations * missing / variance)


def _tail_weights(count: int, confidence: float) -> FloatArray:
    """Return weights of ascending scenarios whose mean loss is the expected shortfall."""
    weights = np.zeros(count)
    rank = rank_of(count, confidence)
    weights[rank + 1 :] = 1.0 / (count * (1.0 - confidence))
    weights[rank] = 1.0 - weights[rank + 1 :].sum()
    return weights
