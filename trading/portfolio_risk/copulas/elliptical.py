"""What the Gaussian and the t copula share: a correlation, and draws from the vectors behind the uniforms."""

from collections.abc import Mapping, Sequence

import numpy as np

from trading.errors import DataError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.copulas.conditions import Interval, by_column
from trading.portfolio_risk.copulas.truncated import rest_given, truncated_draws
from trading.portfolio_risk.copulas.uniforms import inside, require_count, require_names
from trading.portfolio_risk.inputs import require_covariance

_SMALLEST = 1e-8
"""Eigenvalue that a repaired correlation has at least."""


def quantile(uniforms: FloatArray, degrees: float) -> FloatArray:
    """Return quantiles of Student's t, of the normal distribution for infinite degrees of freedom.

    Each value is computed once, however often it repeats: the ranks of many assets are the same numbers, and the
    quantile of Student's t takes 30 times as long as that of the normal distribution.
    """
    from scipy.special import ndtri, stdtrit

    if np.isinf(degrees):
        return np.asarray(ndtri(uniforms), dtype=np.float64)
    distinct, places = np.unique(uniforms, return_inverse=True)
    # scipy takes the quantile at 0 for +infinity.
    scores = np.where(distinct > 0.0, stdtrit(degrees, distinct), -np.inf)
    return np.asarray(scores[places.reshape(uniforms.shape)], dtype=np.float64)


def cdf(scores: FloatArray, degrees: float) -> FloatArray:
    """Return probabilities, inside (0, 1), under the same distributions."""
    from scipy.special import ndtr, stdtr

    return inside(ndtr(scores) if np.isinf(degrees) else stdtr(degrees, scores))


def drawn(
    correlation: FloatArray, degrees: float, count: int, rng: np.random.Generator
) -> FloatArray:
    """Draw uniforms (count, asset).

    Raises
    ------
    UsageError
        If `count` is below 1.
    """
    require_count(count)
    scores = rng.standard_normal((count, len(correlation))) @ np.linalg.cholesky(correlation).T
    if not np.isinf(degrees):
        scores /= np.sqrt(rng.chisquare(degrees, (count, 1)) / degrees)
    return cdf(scores, degrees)


def drawn_given(
    conditions: Mapping[str, Interval],
    names: Sequence[str],
    correlation: FloatArray,
    degrees: float,
    count: int,
    rng: np.random.Generator,
) -> FloatArray:
    """Draw uniforms (count, asset) given where some assets are.

    Exact for conditions at a quantile, and for one condition alone; by Gibbs sampling for several of which one is an
    interval.

    Raises
    ------
    UsageError
        If `count` is below 1, or a condition is of another asset.
    """
    require_count(count)
    held = by_column(conditions, names)
    columns = list(held)
    bounds = np.array([[each.low, each.high] for each in held.values()]).T
    start = np.column_stack([each.drawn(count, rng) for each in held.values()])
    # Ends at 0 and 1 are infinite scores.
    part = truncated_draws(
        quantile(inside(start), degrees),
        quantile(bounds, degrees),
        correlation[np.ix_(columns, columns)],
        degrees,
        rng,
    )
    uniforms = cdf(rest_given(part, columns, correlation, degrees, rng), degrees)
    # What a quantile and its probability lose by rounding.
    uniforms[:, columns] = np.clip(uniforms[:, columns], *bounds)
    return inside(uniforms)


def require_correlation(correlation: FloatArray, names: Sequence[str]) -> None:
    """Check a correlation (asset, asset).

    Raises
    ------
    UsageError
        If there are fewer than two assets, or a name repeats.
    DataError
        If it is not a correlation that can be inverted.
    """
    require_names(names)
    require_covariance(correlation, names)
    if not np.allclose(np.diag(correlation), 1.0, rtol=0.0, atol=1e-9):
        raise DataError("the diagonal of a correlation must be 1; divide by the deviations.")


def invertible(correlation: FloatArray) -> FloatArray:
    """Return the correlation with eigenvalues raised to a small positive one.

    Pairs that were estimated one by one need not fit together (Rousseeuw and Molenberghs 1993; algorithm 7.57 of
    McNeil, Frey and Embrechts 2015).
    """
    values, vectors = np.linalg.eigh(correlation)
    if values[0] >= _SMALLEST:
        return correlation
    raised = (vectors * np.maximum(values, _SMALLEST)) @ vectors.T
    scale = np.sqrt(np.diag(raised))
    repaired: FloatArray = raised / np.outer(scale, scale)
    return repaired
