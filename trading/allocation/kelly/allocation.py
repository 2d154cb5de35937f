"""Kelly weights as a desk would hold them: capped, fractional, shrunk for error, smaller in a drawdown."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np

from trading.allocation.kelly.caps import NO_CAPS, Caps
from trading.allocation.kelly.drawdown import (
    LossBound,
    bounded_fraction,
    loss_probability,
    surplus_fraction,
)
from trading.allocation.kelly.estimation_error import estimation_shrinkage
from trading.allocation.kelly.exact import growth_optimal_weights, growth_rate
from trading.allocation.kelly.quadratic import quadratic_weights
from trading.errors import UsageError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.inputs import require_returns

Method: TypeAlias = Literal["exact", "quadratic"]
METHODS: tuple[str, ...] = get_args(Method)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KellyRule:
    """How much of the Kelly weights to hold.

    Attributes
    ----------
    method : {"exact", "quadratic"}
        Maximise the mean log growth of the sample, or mean minus half the variance.
    fraction : float
        Of the Kelly weights, above 0, up to 1; half gives three quarters of the growth at half the risk.
    shrinks : bool
        Whether to hold less for the error of the estimates; see `estimation_shrinkage`.
    caps : Caps
        Of the weights that are held in the end.
    drawdown : float
        Loss since the best capital so far, 0 to 1, and
    drawdown_limit : float or None
        what it may never exceed; see `surplus_fraction`. None leaves drawdowns alone.
    loss_bound : LossBound or None
        How likely a loss may be; see `bounded_fraction`.
    """

    method: Method = "exact"
    fraction: float = 0.5
    shrinks: bool = True
    caps: Caps = NO_CAPS
    drawdown: float = 0.0
    drawdown_limit: float | None = None
    loss_bound: LossBound | None = None


@dataclass(frozen=True, slots=True, eq=False)
class KellyAllocation:
    """What to hold, and what it would have done in the sample; the future grows less, by the error of estimates.

    Attributes
    ----------
    weights : (asset,)
        Fractions of the capital; the rest is cash.
    shrinkage : float
        For the error of the estimates, 0 to 1; 1 when that was not asked for.
    fraction : float
        Of the Kelly weights, with everything that made them smaller but the caps.
    growth : float
        Mean log growth per bar in excess of cash.
    variance : float
        Of the log growth per bar.
    """

    weights: FloatArray
    shrinkage: float
    fraction: float
    growth: float
    variance: float

    def loss_probability(self, depth: float) -> float:
        """Return the chance of ever losing the fraction `depth` of today's capital, if weights stay as they are."""
        return loss_probability(self.growth, self.variance, depth)


def kelly_allocation(returns: FloatArray, names: Sequence[str], rule: KellyRule) -> KellyAllocation:
    """Return the weights that the rule holds.

    Parameters
    ----------
    returns : (time, asset)
        Simple returns in excess of what cash earns; columns may be strategies as well as assets.

    Raises
    ------
    UsageError
        If the rule is unfit.
    DataError
        If returns are unfit for the rule: too few, a singular covariance, or growth without an upper bound.
    """
    _require_rule(rule)
    require_returns(returns, names)
    shrinkage = estimation_shrinkage(returns, names) if rule.shrinks else 1.0
    fraction = rule.fraction * shrinkage
    if rule.drawdown_limit is not None:
        fraction *= surplus_fraction(rule.drawdown, rule.drawdown_limit)
    weights = _capped(returns, names, rule, fraction)
    if rule.loss_bound is not None:
        bounded = bounded_fraction(returns @ weights, rule.loss_bound)
        weights, fraction = weights * bounded, fraction * bounded
    growth = growth_rate(returns, weights)
    variance = float(np.log1p(returns @ weights).var()) if np.isfinite(growth) else np.inf
    return KellyAllocation(weights, shrinkage, fraction, growth, variance)


def _capped(
    returns: FloatArray, names: Sequence[str], rule: KellyRule, fraction: float
) -> FloatArray:
    """A fraction of the best weights under caps that are wider by as much, so that the result fills its own caps."""
    if fraction == 0.0:
        return np.zeros(len(names))
    caps = rule.caps.scaled(1.0 / fraction)
    if rule.method == "exact":
        full = growth_optimal_weights(returns, names, caps)
    else:
        covariance = np.atleast_2d(np.cov(returns, rowvar=False))
        full = quadratic_weights(returns.mean(axis=0), covariance, names, caps)
    return rule.caps.hold(fraction * full, names)


def _require_rule(rule: KellyRule) -> None:
    if rule.method not in METHODS:
        raise UsageError(f"there is no method {rule.method!r}; known are: {', '.join(METHODS)}.")
    if not 0.0 < rule.fraction <= 1.0:
        raise UsageError(
            f"the fraction of Kelly is {rule.fraction}, must be above 0 and at most 1."
        )
