"""The generalized Pareto distribution of what exceeds a high threshold.

Pickands (1975), "Statistical Inference Using Extreme Order Statistics", Annals of Statistics 3; the formulas
of quantile and tail mean: McNeil, Frey and Embrechts (2015), "Quantitative Risk Management", section 5.2.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from trading.errors import DataError, UsageError
from trading.indicators.rolling import FloatArray

EXCESSES_MIN = 20
"""Fewer excesses do not tell shape and scale apart."""
SHAPE_MIN = -0.5
"""Below it the likelihood has no regular maximum (Smith 1985, Biometrika 72)."""
FLAT = 1e-9
"""A shape closer to 0 than this is taken for it."""
_GRID = 64


@dataclass(frozen=True, slots=True)
class ParetoTail:
    """The upper tail of a sample.

    Attributes
    ----------
    threshold : float
        Where the tail begins.
    share : float
        Probability of a value beyond the threshold.
    shape, scale : float
        Of the excesses; a tail with shape 1 / d is as heavy as Student's t with d degrees of freedom.
    excesses : (excess,)
        What was fitted: values less the threshold, ascending.
    """

    threshold: float
    share: float
    shape: float
    scale: float
    excesses: FloatArray = field(repr=False, compare=False)

    def beyond(self, confidence: float) -> tuple[float, float]:
        """Return quantile and mean beyond it; the mean is infinite from a shape of 1 on."""
        quantile, shortfall = tail_of_parameters(
            np.array(self.shape), np.array(self.scale), self.share, confidence
        )
        return self.threshold + float(quantile), self.threshold + float(shortfall)

    def covers(self, confidence: float) -> bool:
        """Whether the quantile lies in the tail."""
        return confidence > 1.0 - self.share

    def drawn(self, count: int, rng: np.random.Generator) -> FloatArray:
        """Draw values beyond the threshold."""
        exponential = rng.standard_exponential(count)
        if abs(self.shape) < FLAT:
            return self.threshold + self.scale * exponential
        return self.threshold + self.scale * np.expm1(self.shape * exponential) / self.shape


def fit_pareto_tail(values: FloatArray, share: float) -> ParetoTail:
    """Fit the largest `share` of values by maximum likelihood.

    The threshold is the largest value that is not fitted (McNeil and Frey 2000). The likelihood is maximised
    over shape / scale alone, which gives both (Grimshaw 1993, "Computing Maximum Likelihood Estimates for the
    Generalized Pareto Distribution", Technometrics 35).

    Raises
    ------
    UsageError
        If `share` is not between 0 and 1.
    DataError
        If fewer than 20 values are left to fit, or too many are equal.
    """
    if not 0.0 < share < 1.0:
        raise UsageError(
            f"the tail is {share} of the losses, must be between 0 and 1, such as 0.1."
        )
    count = int(len(values) * share)
    if count < EXCESSES_MIN:
        raise DataError(
            f"the worst {share:.4g} of {len(values)} losses are {count}, at least {EXCESSES_MIN} are needed to fit a "
            "tail; choose a longer history or a larger tail."
        )
    ascending = np.sort(values)
    threshold = float(ascending[-count - 1])
    excesses: FloatArray = ascending[-count:] - threshold
    if excesses[-1] <= 0.0:
        raise DataError("too many losses are equal to fit a tail; use the historical method.")
    shape, scale = _likeliest(excesses)
    return ParetoTail(threshold, count / len(values), shape, scale, excesses)


def tail_of_parameters(
    shape: FloatArray, scale: FloatArray, share: float, confidence: float
) -> tuple[FloatArray, FloatArray]:
    """Return quantiles and means beyond them, above the threshold, of many tails at once."""
    log_ratio = math.log(share / (1.0 - confidence))
    nonzero = np.where(np.abs(shape) < FLAT, FLAT, shape)
    quantile = scale * np.expm1(nonzero * log_ratio) / nonzero
    room = np.maximum(1.0 - shape, 0.0)
    with np.errstate(divide="ignore"):
        return quantile, (quantile + scale) / room


def likely_parameters(tail: ParetoTail, size: float, drop: float) -> tuple[FloatArray, FloatArray]:
    """Return shapes and scales whose log-likelihood is less than `drop` below the largest.

    A grid of six standard errors (Smith 1987, "Estimating Tails of Probability Distributions", Annals of
    Statistics 15) around the likeliest.

    Parameters
    ----------
    size : float
        How many independent excesses would say as much as these.
    """
    steps = np.linspace(-6.0, 6.0, _GRID)
    shapes = tail.shape + steps * (1.0 + tail.shape) / math.sqrt(size)
    shapes = np.append(shapes[shapes > SHAPE_MIN], tail.shape)
    scales = tail.scale * np.exp(steps * math.sqrt(2.0 * (1.0 + tail.shape) / size))
    scales = np.append(scales, tail.scale)
    shape, scale = (each.ravel() for each in np.meshgrid(shapes, scales))
    inside = 1.0 + np.outer(shape / scale, tail.excesses)
    is_possible = inside[:, -1] > 0.0
    shape, scale, inside = shape[is_possible], scale[is_possible], inside[is_possible]
    nonzero = np.where(np.abs(shape) < FLAT, FLAT, shape)
    mean = -np.log(scale) - (1.0 + 1.0 / nonzero) * np.log(inside).mean(axis=1)
    best = -math.log(tail.scale) - 1.0 - tail.shape
    is_likely = size * (best - mean) <= drop
    return shape[is_likely], scale[is_likely]


def _likeliest(excesses: FloatArray) -> tuple[float, float]:
    """Return shape and scale."""
    from scipy.optimize import minimize_scalar

    unit = float(np.mean(excesses))
    scaled = excesses / unit
    edge = -1.0 / float(scaled[-1])

    def cost(exponent: float) -> float:
        shape, scale = _parameters(scaled, edge + math.exp(exponent))
        return math.log(scale) + shape

    grid = np.linspace(math.log(-edge) - 8.0, math.log(50.0), _GRID)
    shapes = [_parameters(scaled, edge + math.exp(each))[0] for each in grid]
    grid = grid[np.array(shapes) > SHAPE_MIN]
    best = int(np.argmin([cost(each) for each in grid]))
    bounds = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    found = minimize_scalar(cost, bounds=bounds, method="bounded", options={"xatol": 1e-10})
    shape, scale = _parameters(scaled, edge + math.exp(float(found.x)))
    return shape, scale * unit


def _parameters(excesses: FloatArray, ratio: float) -> tuple[float, float]:
    """Return the likeliest shape and scale among those with shape / scale = `ratio`."""
    shape = float(np.mean(np.log1p(ratio * excesses)))
    return shape, shape / ratio if abs(ratio) > FLAT else float(np.mean(excesses))
