"""Correlation by the name of a method."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

from trading.errors import UsageError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.correlation.denoised import denoised_correlation
from trading.portfolio_risk.correlation.exponential import ewma_correlation
from trading.portfolio_risk.correlation.ledoit_wolf import ledoit_wolf_correlation
from trading.portfolio_risk.correlation.patchy import patchy_correlation
from trading.portfolio_risk.correlation.sample import sample_correlation

Correlate: TypeAlias = Callable[[FloatArray, Sequence[str]], FloatArray]

METHODS: Mapping[str, Correlate] = MappingProxyType(
    {
        "sample": sample_correlation,
        "ewma": ewma_correlation,
        "ledoit_wolf": ledoit_wolf_correlation,
        "denoised": denoised_correlation,
        "patchy": patchy_correlation,
    }
)


def correlate(method: str, returns: FloatArray, names: Sequence[str]) -> FloatArray:
    """Return the correlation (asset, asset) of returns (time, asset): always positive semidefinite, within rounding.

    Raises
    ------
    UsageError
        If `method` is not one of `METHODS`.
    DataError
        If returns are unfit for the method.
    """
    if method not in METHODS:
        raise UsageError(f"there is no correlation {method!r}; known are: {', '.join(METHODS)}.")
    return METHODS[method](returns, names)
