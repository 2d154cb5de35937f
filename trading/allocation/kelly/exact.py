"""The weights that would have grown most over a sample of returns.

Source: Breiman (1961), "Optimal Gambling Systems for Favorable Games", Proceedings of the Fourth Berkeley
Symposium 1; Cover (1984), "An Algorithm for Maximizing Expected Log Investment Return", IEEE Transactions on
Information Theory 30. The mean log growth is concave in the weights. Fat tails, skewness and ruin count in full.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trading.allocation.kelly.barrier import grow_most
from trading.allocation.kelly.caps import NO_CAPS, Caps
from trading.errors import DataError
from trading.indicators.periods import IntArray
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.inputs import require_returns


def growth_optimal_weights(
    returns: FloatArray, names: Sequence[str], caps: Caps = NO_CAPS
) -> FloatArray:
    """Return the weights (asset,) that maximise mean log(1 + w' r) within the caps, to 1e-11 per bar.

    Weights are restored at every bar. They need not sum to 1: the rest is cash.

    Parameters
    ----------
    returns : (time, asset)
        Simple returns in excess of what cash earns; a column may as well be a strategy.

    Raises
    ------
    DataError
        If returns are unfit, some assets without caps are combinations of others, or growth has no upper bound.
    UsageError
        If the caps are unfit.
    """
    require_returns(returns, names)
    _require_curvature(returns, names, caps)
    return grow_most(SampleGrowth(returns), caps, names)


def growth_rate(returns: FloatArray, weights: FloatArray) -> float:
    """Return the mean log growth per bar of weights (asset,) that are restored at every bar of (time, asset) returns.

    Minus infinity when a bar takes all of the capital.
    """
    worth = 1.0 + returns @ weights
    return float(np.log(worth).mean()) if (worth > 0.0).all() else -np.inf


@dataclass(frozen=True, slots=True, eq=False)
class SampleGrowth:
    """mean log(1 + w' r) over returns (time, asset)."""

    returns: FloatArray

    @property
    def sharpness_min(self) -> float:
        return float(len(self.returns))

    @property
    def safe_gross(self) -> float:
        return 0.5 / max(float(np.abs(self.returns).max()), 0.5)

    def slopes(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        relative = self.returns / (1.0 + self.returns @ weights)[:, None]
        return relative.mean(axis=0), relative.T @ relative / len(relative)

    def restricted(self, columns: IntArray) -> "SampleGrowth":
        return SampleGrowth(self.returns[:, columns])


def _require_curvature(returns: FloatArray, names: Sequence[str], caps: Caps) -> None:
    """Assets that nothing limits must not be able to replace each other."""
    low, high = caps.bounds(names)
    unlimited = np.flatnonzero(np.isinf(low) & np.isinf(high) & np.isinf(caps.gross_max))
    if not len(unlimited):
        return
    part = returns[:, unlimited]
    scale = np.linalg.norm(part, axis=0)
    still = np.flatnonzero(scale == 0.0)
    if len(still):
        raise DataError(f"{names[unlimited[still[0]]]} does not move; leave it out.")
    if np.linalg.matrix_rank(part / scale) < part.shape[1]:
        raise DataError(
            "some assets are combinations of others, or there are fewer returns than assets; set caps, leave "
            "some out, or take a longer history."
        )
