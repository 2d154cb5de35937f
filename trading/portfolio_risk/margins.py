"""Margins: how the return of one asset is distributed, apart from the others.

Each has `cdf`, `quantile` and `fit`. Joined by a copula they are a distribution of all assets.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self

import numpy as np

from trading.errors import DataError, UsageError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.copulas.uniforms import inside
from trading.portfolio_risk.pareto_tail import FLAT, ParetoTail, fit_pareto_tail

TAIL_SHARE = 0.1
"""Of the observations on either side that a Pareto tail is fitted to."""
STUDENT_MIN = 10
"""Fewer observations do not tell scale and degrees of freedom apart."""
_DEGREES_RANGE = 1.0, 200.0


class Margin(Protocol):
    """The distribution of one asset's return."""

    def cdf(self, values: FloatArray) -> FloatArray:
        """Return the probability of a return up to each value."""

    def quantile(self, uniforms: FloatArray) -> FloatArray:
        """Return the return at each probability, inside (0, 1)."""


@dataclass(frozen=True, slots=True)
class EmpiricalMargin:
    """The observations themselves, joined by straight lines: nothing is worse than the worst of the past.

    Attributes
    ----------
    ascending : (time,)
        The observation of rank k has probability k / (time + 1).
    """

    ascending: FloatArray = field(repr=False)

    @classmethod
    def fit(cls, values: FloatArray, name: str) -> Self:
        """Keep the observations (time,).

        Raises
        ------
        DataError
            If there are fewer than two, one is not finite, or all are equal.
        """
        _require_values(values, name)
        return cls(np.sort(values))

    def cdf(self, values: FloatArray) -> FloatArray:
        return np.interp(values, *_knots(self.ascending, self._probabilities()))

    def quantile(self, uniforms: FloatArray) -> FloatArray:
        _require_probabilities(uniforms)
        return np.interp(uniforms, self._probabilities(), self.ascending)

    def _probabilities(self) -> FloatArray:
        count = len(self.ascending)
        return np.arange(1.0, count + 1.0) / (count + 1.0)


@dataclass(frozen=True, slots=True)
class NormalMargin:
    """A normal distribution with this mean and standard deviation."""

    mean: float
    deviation: float

    @classmethod
    def fit(cls, values: FloatArray, name: str) -> Self:
        """Take mean and standard deviation of the observations (time,).

        Raises
        ------
        DataError
            If there are fewer than two, one is not finite, or all are equal.
        """
        _require_values(values, name)
        return cls(float(np.mean(values)), float(np.std(values, ddof=1)))

    def cdf(self, values: FloatArray) -> FloatArray:
        from scipy.special import ndtr

        return np.asarray(ndtr((values - self.mean) / self.deviation), dtype=np.float64)

    def quantile(self, uniforms: FloatArray) -> FloatArray:
        from scipy.special import ndtri

        _require_probabilities(uniforms)
        return np.asarray(self.mean + self.deviation * ndtri(uniforms), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class StudentMargin:
    """Student's t with this location, scale (not standard deviation) and degrees of freedom."""

    location: float
    scale: float
    degrees: float

    @classmethod
    def fit(cls, values: FloatArray, name: str) -> Self:
        """Fit all three to the observations (time,) by maximum likelihood; from 1 to 200 degrees of freedom.

        McNeil, Frey and Embrechts (2015), "Quantitative Risk Management", section 6.2.

        Raises
        ------
        DataError
            If there are fewer than ten, one is not finite, or half of them are equal.
        """
        _require_values(values, name, count_min=STUDENT_MIN)
        centre = float(np.median(values))
        unit = float(np.median(np.abs(values - centre)))
        if unit == 0.0:
            raise DataError(
                f"{name}: half of its values are equal, which no Student's t has; use the empirical margin."
            )
        location, scale, degrees = _likeliest_student((values - centre) / unit, name)
        return cls(centre + unit * location, unit * scale, degrees)

    def cdf(self, values: FloatArray) -> FloatArray:
        from scipy.special import stdtr

        scores = (values - self.location) / self.scale
        return np.asarray(stdtr(self.degrees, scores), dtype=np.float64)

    def quantile(self, uniforms: FloatArray) -> FloatArray:
        from scipy.special import stdtrit

        _require_probabilities(uniforms)
        scores = stdtrit(self.degrees, uniforms)
        return np.asarray(self.location + self.scale * scores, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class ParetoMargin:
    """The observations in the middle, a generalized Pareto distribution beyond a threshold on either side.

    McNeil and Frey (2000), "Estimation of Tail-Related Risk Measures for Heteroscedastic Financial Time Series",
    Journal of Empirical Finance 7; McNeil, Frey and Embrechts (2015), "Quantitative Risk Management", section 5.2.

    Attributes
    ----------
    lower : ParetoTail
        Of the returns with the opposite sign.
    upper : ParetoTail
    middle : (observation,)
        Ascending, from threshold to threshold.
    """

    lower: ParetoTail
    upper: ParetoTail
    middle: FloatArray = field(repr=False)

    @classmethod
    def fit(cls, values: FloatArray, name: str, share: float = TAIL_SHARE) -> Self:
        """Fit both tails to a share of the observations (time,) each, by maximum likelihood.

        Raises
        ------
        UsageError
            If `share` is not between 0 and 0.5.
        DataError
            If one is not finite, or there are too few observations or too many equal ones to fit a tail.
        """
        if not 0.0 < share < 0.5:
            raise UsageError(f"a tail has the share {share}, must be between 0 and 0.5.")
        _require_values(values, name)
        try:
            lower, upper = fit_pareto_tail(-values, share), fit_pareto_tail(values, share)
        except DataError as error:
            raise DataError(f"{name}: {error} The empirical margin needs no tail.") from error
        count = len(upper.excesses)
        middle = np.sort(values)[count:-count]
        if middle[0] == middle[-1]:
            raise DataError(
                f"{name}: all values between its tails are equal; use the empirical margin."
            )
        return cls(lower, upper, middle)

    def cdf(self, values: FloatArray) -> FloatArray:
        knots, probabilities = _knots(self.middle, self._probabilities())
        inner = np.interp(values, knots, probabilities)
        below = _beyond(self.lower, -values)
        above = 1.0 - _beyond(self.upper, values)
        outer = np.where(values < knots[0], below, above)
        return np.where((values < knots[0]) | (values > knots[-1]), outer, inner)

    def quantile(self, uniforms: FloatArray) -> FloatArray:
        _require_probabilities(uniforms)
        inner = np.interp(uniforms, self._probabilities(), self.middle)
        below = -_exceeded(self.lower, uniforms)
        above = _exceeded(self.upper, 1.0 - uniforms)
        tails = np.where(uniforms < 0.5, below, above)
        is_inner = (uniforms >= self.lower.share) & (uniforms <= 1.0 - self.upper.share)
        return np.where(is_inner, inner, tails)

    def _probabilities(self) -> FloatArray:
        return np.linspace(self.lower.share, 1.0 - self.upper.share, len(self.middle))


class FittedMargin(Margin, Protocol):
    """A margin that is made of observations."""

    @classmethod
    def fit(cls, values: FloatArray, name: str) -> Self:
        """Fit to observations (time,) of the asset `name`."""


MARGINS: dict[str, type[FittedMargin]] = {
    "empirical": EmpiricalMargin,
    "normal": NormalMargin,
    "student": StudentMargin,
    "pareto": ParetoMargin,
}


def fit_margins(kind: str, returns: FloatArray, names: Sequence[str]) -> tuple[Margin, ...]:
    """Fit a margin of the same kind to each asset's returns (time, asset).

    Raises
    ------
    UsageError
        If the kind is not `empirical`, `normal`, `student` or `pareto`.
    DataError
        If the returns of an asset are unfit.
    """
    if kind not in MARGINS:
        raise UsageError(f"there is no margin {kind}; choose one of {', '.join(MARGINS)}.")
    if returns.ndim != 2 or returns.shape[1] != len(names):
        raise DataError(f"returns have shape {returns.shape}, must be (time, {len(names)}).")
    return tuple(MARGINS[kind].fit(returns[:, i], name) for i, name in enumerate(names))


def uniforms_of(returns: FloatArray, margins: Sequence[Margin]) -> FloatArray:
    """Return the probability (time, asset) of each return under its margin, kept inside (0, 1).

    The probability integral transform: uniform where the margins are right.
    """
    columns = [margin.cdf(returns[:, i]) for i, margin in enumerate(margins)]
    return inside(np.column_stack(columns))


def _knots(ascending: FloatArray, probabilities: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return distinct values and the mean probability of each."""
    knots, places, counts = np.unique(ascending, return_inverse=True, return_counts=True)
    return knots, np.bincount(places, weights=probabilities) / counts


def _beyond(tail: ParetoTail, values: FloatArray) -> FloatArray:
    """Return the probability of more than each value, for those beyond the threshold."""
    excesses = np.maximum(values - tail.threshold, 0.0) / tail.scale
    if abs(tail.shape) < FLAT:
        return tail.share * np.exp(-excesses)
    # A tail with a negative shape ends where this reaches 0.
    room = np.maximum(1.0 + tail.shape * excesses, 0.0)
    with np.errstate(divide="ignore"):
        return np.asarray(tail.share * room ** (-1.0 / tail.shape), dtype=np.float64)


def _exceeded(tail: ParetoTail, probabilities: FloatArray) -> FloatArray:
    """Return the value that is exceeded with each probability, for those up to the tail's share."""
    exponents = np.log(tail.share / np.minimum(probabilities, tail.share))
    if abs(tail.shape) < FLAT:
        return tail.threshold + tail.scale * exponents
    return tail.threshold + tail.scale * np.expm1(tail.shape * exponents) / tail.shape


def _likeliest_student(scores: FloatArray, name: str) -> tuple[float, float, float]:
    """Return location, scale and degrees of freedom of values with median 0 and median deviation 1."""
    from scipy.optimize import minimize
    from scipy.special import digamma

    def cost(point: FloatArray) -> tuple[float, FloatArray]:
        location, scale, degrees = point[0], math.exp(point[1]), math.exp(point[2])
        z = (scores - location) / scale
        square = z**2 / degrees
        log_growth = float(np.mean(np.log1p(square)))
        weight = (degrees + 1.0) / degrees / (1.0 + square)
        half = 0.5 * (degrees + 1.0)
        constant = math.lgamma(half) - math.lgamma(0.5 * degrees) - 0.5 * math.log(degrees)
        pull = float(np.mean(weight * z**2))
        slope = digamma(half) - digamma(0.5 * degrees) - 1.0 / degrees - log_growth
        gradient = [
            -float(np.mean(weight * z)) / scale,
            1.0 - pull,
            -0.5 * degrees * (slope + pull / degrees),
        ]
        return point[1] - constant + half * log_growth, np.array(gradient)

    bounds = [(-10.0, 10.0), (-10.0, 10.0), tuple(math.log(each) for each in _DEGREES_RANGE)]
    start = np.array([0.0, 0.0, math.log(5.0)])
    found = minimize(cost, start, jac=True, bounds=bounds, method="L-BFGS-B", tol=1e-12)
    if not found.success:
        raise DataError(f"{name}: no Student's t fits its values: {found.message}.")
    return float(found.x[0]), math.exp(found.x[1]), math.exp(found.x[2])


def _require_values(values: FloatArray, name: str, count_min: int = 2) -> None:
    if values.ndim != 1 or len(values) < count_min:
        raise DataError(
            f"{name}: the values have shape {values.shape}, at least {count_min} in a row are needed; choose a longer "
            "history."
        )
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise DataError(
            f"{name}: value {bad[0]} is {values[bad[0]]}; fill the gap or leave it out."
        )
    if np.ptp(values) == 0.0:
        raise DataError(f"{name} does not move: all its values are equal; leave it out.")


def _require_probabilities(uniforms: FloatArray) -> None:
    if not ((uniforms > 0.0) & (uniforms < 1.0)).all():
        raise DataError("a quantile is asked for a probability that is not between 0 and 1.")
