"""The losses that today's positions would have made in each past bar."""

from collections.abc import Sequence

import numpy as np

from trading.errors import DataError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.inputs import (
    require_confidence,
    require_exposures,
    require_horizon,
    require_returns,
)


def window_losses(
    returns: FloatArray,
    exposures: FloatArray,
    names: Sequence[str],
    confidence: float,
    horizon: int = 1,
    rows_min: int = 2,
) -> FloatArray:
    """Check the input of a measure and return the loss over every window of `horizon` bars (time - horizon + 1,).

    Windows overlap; positions are held through them, so that returns compound.

    Raises
    ------
    DataError
        If returns or exposures are unfit, or there are fewer than `rows_min` windows.
    UsageError
        If `confidence` or `horizon` is out of range.
    """
    require_confidence(confidence)
    require_horizon(horizon)
    require_returns(returns, names, rows_min=rows_min + horizon - 1)
    require_exposures(exposures, names)
    return -(window_returns(returns, horizon) @ exposures)


def window_returns(returns: FloatArray, horizon: int) -> FloatArray:
    """Return the compounded returns of every window of `horizon` bars (time - horizon + 1, asset)."""
    if horizon == 1:
        return returns
    growth = np.lib.stride_tricks.sliding_window_view(1.0 + returns, horizon, axis=0)
    compounded: FloatArray = np.prod(growth, axis=-1) - 1.0
    return compounded


def dependence_of(count: int, horizon: int) -> int:
    """Return how many bars apart losses of overlapping windows may be and still depend on each other.

    The overlap, and the usual growth with the length of history for the clustering of volatility (Newey and
    West 1994, "Automatic Lag Selection in Covariance Matrix Estimation", Review of Economic Studies 61).
    """
    return horizon - 1 + int(4.0 * (count / 100.0) ** (2.0 / 9.0))


def require_motion(losses: FloatArray) -> tuple[float, float]:
    """Return mean and standard deviation of losses.

    Raises
    ------
    DataError
        If all losses are the same: there is nothing to fit a distribution to.
    """
    mean, deviation = float(np.mean(losses)), float(np.std(losses))
    if deviation <= 1e-12 * float(np.max(np.abs(losses))):
        raise DataError("the portfolio does not move: all its losses are the same.")
    return mean, deviation
