"""Extreme value theory: the tail of past losses, fitted and carried on beyond the worst of them."""

import math
from collections.abc import Sequence

import numpy as np

from trading.errors import DataError, UsageError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.empirical import effective_size
from trading.portfolio_risk.estimate import Estimate
from trading.portfolio_risk.pareto_tail import (
    ParetoTail,
    fit_pareto_tail,
    likely_parameters,
    tail_of_parameters,
)
from trading.portfolio_risk.portfolio_losses import dependence_of, require_motion, window_losses
from trading.portfolio_risk.sampling_error import DEVIATIONS, above

TAIL = 0.1
"""Share of losses that the tail is fitted to, as in McNeil and Frey (2000)."""


def peaks_over_threshold(
    returns: FloatArray,
    exposures: FloatArray,
    names: Sequence[str],
    confidence: float,
    horizon: int = 1,
    tail: float = TAIL,
) -> Estimate:
    """Return the estimate of a generalized Pareto tail of the losses over all past windows.

    The windows overlap and positions are held through them, so that returns compound. Intervals are those of
    the profile likelihood: all values that some likely enough tail has, as McNeil, Frey and Embrechts (2015),
    "Quantitative Risk Management", section 5.2, widened by the binomial error of how many losses lie beyond
    the threshold (delta method). Dependent losses count as many as independent ones would say as much. An
    end is infinite where a tail without a mean is likely enough.

    Parameters
    ----------
    returns : (time, asset)
        Simple returns of one bar.
    exposures : (asset,)
        Signed value (money).
    tail : float
        Share of the windows that is fitted; `confidence` must be above 1 - `tail`.

    Raises
    ------
    DataError
        If returns or exposures are unfit, there are too few windows, or the tail has no finite mean.
    UsageError
        If `confidence`, `horizon` or `tail` is out of range.
    """
    losses = window_losses(returns, exposures, names, confidence, horizon)
    require_motion(losses)
    fitted = fit_pareto_tail(losses, tail)
    require_in_tail(fitted, confidence)
    value, shortfall = fitted.beyond(confidence)
    require_finite_mean(shortfall)
    is_excess = (losses > fitted.threshold).astype(np.float64)
    size = effective_size(is_excess, dependence_of(len(losses), horizon))
    interval, bounds = _intervals(fitted, confidence, size)
    return Estimate(
        "peaks-over-threshold",
        confidence,
        horizon,
        value,
        shortfall,
        interval,
        above(interval, bounds),
    )


def require_in_tail(fitted: ParetoTail, confidence: float) -> None:
    """Check that the quantile lies in the tail.

    Raises
    ------
    UsageError
        If it lies below the threshold.
    """
    if not fitted.covers(confidence):
        raise UsageError(
            f"the confidence is {confidence}, the fitted tail begins at {1.0 - fitted.share:.4g}; choose a higher "
            "confidence, a larger tail or the historical method."
        )


def require_finite_mean(shortfall: float) -> None:
    """Check the mean of a fitted tail.

    Raises
    ------
    DataError
        If it is infinite.
    """
    if math.isinf(shortfall):
        raise DataError(
            "the fitted tail of losses is so heavy that its mean is infinite; choose a longer history or a larger tail."
        )


def _intervals(
    fitted: ParetoTail, confidence: float, size: int
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return those of quantile and tail mean, as if `size` independent losses had been seen."""
    shape, scale = likely_parameters(fitted, fitted.share * size, drop=DEVIATIONS**2 / 2.0)
    found = tail_of_parameters(shape, scale, fitted.share, confidence)
    # The share beyond the threshold is binomial; relative to it, quantile and mean move like this.
    error = DEVIATIONS * math.sqrt((1.0 - fitted.share) / (fitted.share * size))
    slope = fitted.scale * (fitted.share / (1.0 - confidence)) ** fitted.shape
    slopes = slope, slope / (1.0 - fitted.shape)
    low, high = zip(
        *(
            (
                value - math.hypot(value - fitted.threshold - float(np.min(likely)), error * each),
                value + math.hypot(float(np.max(likely)) + fitted.threshold - value, error * each),
            )
            for value, likely, each in zip(fitted.beyond(confidence), found, slopes, strict=True)
        ),
        strict=True,
    )
    return (low[0], high[0]), (low[1], high[1])
