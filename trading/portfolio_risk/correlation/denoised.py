"""Correlation without the part of its eigenvalues that chance alone would show.

Sources: Marchenko and Pastur (1967), "Distribution of Eigenvalues for Some Sets of Random Matrices", Mathematics of the
USSR-Sbornik 1; Laloux, Cizeau, Bouchaud and Potters (1999), "Noise Dressing of Financial Correlation Matrices",
Physical Review Letters 83; Lopez de Prado (2020), "Machine Learning for Asset Managers", section 2.5.1 (constant
residual eigenvalue).
"""

from collections.abc import Sequence

import numpy as np

from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.correlation.sample import correlation_of, sample_correlation


def denoised_correlation(returns: FloatArray, names: Sequence[str]) -> FloatArray:
    """Return the correlation of returns (time, asset), every eigenvalue that may be noise replaced by their mean.

    Noise is what uncorrelated returns of as many bars could show: eigenvalues up to (1 + sqrt(assets / bars))^2. The
    variance of noise is not fitted: what a strong market leaves over differs from asset to asset, and a lower edge
    would keep that as factors. So a weak factor beside a strong one is averaged away; and in up to one sample of
    twenty the largest eigenvalue of pure noise is kept.

    Raises
    ------
    DataError
        If returns are unfit, or an asset does not move.
    """
    values, vectors = np.linalg.eigh(sample_correlation(returns, names))
    noisy = len(values) - _factors(values, len(returns))
    cleaned = values.copy()
    cleaned[:noisy] = values[:noisy].mean() if noisy else 0.0
    return correlation_of((vectors * np.maximum(cleaned, 0.0)) @ vectors.T, names)


def factor_count(returns: FloatArray, names: Sequence[str]) -> int:
    """Return how many eigenvalues of the correlation of returns (time, asset) are more than noise.

    Raises
    ------
    DataError
        If returns are unfit, or an asset does not move.
    """
    values, _ = np.linalg.eigh(sample_correlation(returns, names))
    return _factors(values, len(returns))


def _factors(values: FloatArray, bars: int) -> int:
    edge = (1.0 + np.sqrt(len(values) / bars)) ** 2
    return int((values > edge).sum())
