"""Filtered simulation: past surprises at today's volatility.

A GARCH(1,1) model takes the volatility of its day out of each past loss of the portfolio. What is left are
innovations, which are put through the model from today's volatility on.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np

from trading.errors import UsageError
from trading.indicators.periods import IntArray
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.empirical import require_tail, tail_of
from trading.portfolio_risk.estimate import Estimate
from trading.portfolio_risk.extreme import TAIL, require_finite_mean, require_in_tail
from trading.portfolio_risk.garch import Garch, fit_garch
from trading.portfolio_risk.inputs import require_horizon
from trading.portfolio_risk.pareto_tail import ParetoTail, fit_pareto_tail
from trading.portfolio_risk.portfolio_losses import window_losses
from trading.portfolio_risk.sampling_error import estimate_around

PATHS = 10_000
_REPEATS = 200


def filtered_historical(
    returns: FloatArray,
    exposures: FloatArray,
    names: Sequence[str],
    confidence: float,
    horizon: int = 1,
    *,
    rng: np.random.Generator,
    paths: int = PATHS,
) -> Estimate:
    """Return the estimate by filtered historical simulation.

    Barone-Adesi, Giannopoulos and Vosper (1999), "VaR without Correlations for Portfolios of Derivative
    Securities", Journal of Futures Markets 19. One bar ahead every innovation is used once. Further ahead
    `paths` of innovations drawn with replacement are simulated, the exposures held at the same money in
    every bar. Intervals are a bootstrap: parameters drawn from their asymptotic normal distribution,
    innovations drawn with replacement, paths simulated anew, 1.96 standard deviations to either side
    (after Christoffersen and Goncalves 2005, "Estimation Risk in Financial Risk Management", Journal of
    Risk 7, without the refit).

    Parameters
    ----------
    returns : (time, asset)
        Simple returns of one bar.
    exposures : (asset,)
        Signed value (money).

    Raises
    ------
    DataError
        If returns or exposures are unfit, there are fewer than 100, or no GARCH model fits.
    UsageError
        If `confidence` or `horizon` is out of range.
    """
    losses = window_losses(returns, exposures, names, confidence)
    require_horizon(horizon)
    require_tail(len(losses) if horizon == 1 else paths, confidence)
    return _estimate(losses, Observed, "filtered-historical", confidence, horizon, paths, rng)


def filtered_extreme(
    returns: FloatArray,
    exposures: FloatArray,
    names: Sequence[str],
    confidence: float,
    horizon: int = 1,
    *,
    rng: np.random.Generator,
    paths: int = PATHS,
    tail: float = TAIL,
) -> Estimate:
    """Return the estimate by GARCH with generalized Pareto tails of the innovations.

    McNeil and Frey (2000), "Estimation of Tail-Related Risk Measures for Heteroscedastic Financial Time
    Series", Journal of Empirical Finance 7. One bar ahead in closed form; further ahead by `paths` whose
    innovations are past ones, those beyond either threshold drawn from the fitted tail. Intervals as in
    `filtered_historical`, both tails fitted anew each time.

    Parameters
    ----------
    returns : (time, asset)
        Simple returns of one bar.
    exposures : (asset,)
        Signed value (money).
    tail : float
        Share of innovations on each side that is fitted, below 0.5; one bar ahead `confidence` must be
        above 1 - `tail`.

    Raises
    ------
    DataError
        If returns or exposures are unfit, too few for GARCH or for the tail, or no model fits.
    UsageError
        If `confidence`, `horizon` or `tail` is out of range.
    """
    losses = window_losses(returns, exposures, names, confidence)
    require_horizon(horizon)
    if horizon > 1:
        require_tail(paths, confidence)
    tailed = partial(pareto_tailed, share=tail)
    return _estimate(losses, tailed, "filtered-extreme", confidence, horizon, paths, rng)


class Distribution(Protocol):
    """Of standardised losses."""

    def beyond(self, confidence: float) -> tuple[float, float]:
        """Return quantile and mean beyond it."""

    def drawn(self, count: int, rng: np.random.Generator) -> FloatArray:
        """Draw `count` values."""


@dataclass(frozen=True, slots=True)
class Observed:
    """Each innovation as likely as another."""

    innovations: FloatArray

    def beyond(self, confidence: float) -> tuple[float, float]:
        return tail_of(self.innovations, confidence)

    def drawn(self, count: int, rng: np.random.Generator) -> FloatArray:
        return self.innovations[rng.integers(0, len(self.innovations), count)]


@dataclass(frozen=True, slots=True)
class ParetoTailed:
    """The observed innovations, with fitted tails in place of the outermost on each side."""

    observed: Observed
    losses: ParetoTail
    gains: ParetoTail

    def beyond(self, confidence: float) -> tuple[float, float]:
        require_in_tail(self.losses, confidence)
        return self.losses.beyond(confidence)

    def drawn(self, count: int, rng: np.random.Generator) -> FloatArray:
        values = self.observed.drawn(count, rng)
        for tail, sign in ((self.losses, 1.0), (self.gains, -1.0)):
            is_beyond = sign * values > tail.threshold
            values[is_beyond] = sign * tail.drawn(int(is_beyond.sum()), rng)
        return values


def pareto_tailed(innovations: FloatArray, share: float) -> ParetoTailed:
    """Fit both tails, each to this share of the innovations.

    Raises
    ------
    UsageError
        If `share` is not between 0 and 0.5: the tails would overlap.
    DataError
        If too few innovations are left to fit.
    """
    if not 0.0 < share < 0.5:
        raise UsageError(f"each tail is {share} of the losses, must be between 0 and 0.5.")
    return ParetoTailed(
        Observed(innovations),
        fit_pareto_tail(innovations, share),
        fit_pareto_tail(-innovations, share),
    )


def _estimate(
    losses: FloatArray,
    distribution: Callable[[FloatArray], Distribution],
    method: str,
    confidence: float,
    horizon: int,
    paths: int,
    rng: np.random.Generator,
) -> Estimate:
    fit = fit_garch(losses)

    def outlook(model: Garch, rows: IntArray | slice) -> tuple[float, float]:
        innovations, variance = model.filtered(losses)
        source = distribution(innovations[rows])
        if horizon > 1:
            ahead = model.losses_ahead(variance, horizon, paths, source.drawn, rng)
            return tail_of(ahead, confidence)
        quantile, tail_mean = source.beyond(confidence)
        deviation = math.sqrt(variance)
        return model.mean + deviation * quantile, model.mean + deviation * tail_mean

    value, shortfall = outlook(fit.model, slice(None))
    require_finite_mean(shortfall)
    rows = rng.integers(0, len(losses), (_REPEATS, len(losses)))
    again = [outlook(model, row) for model, row in zip(fit.draws(_REPEATS, rng), rows, strict=True)]
    errors = [_deviation(np.array(column)) for column in zip(*again, strict=True)]
    return estimate_around(method, confidence, horizon, (value, shortfall), errors)


def _deviation(values: FloatArray) -> float:
    """Return the standard deviation, infinite where a value is."""
    return float(np.std(values)) if np.isfinite(values).all() else math.inf
