"""Weights that cannot know the future: decided bar by bar by a worker that was never shown a later bar.

A look-ahead can hide from questions about changed futures by remembering what it was once shown. It cannot
from this: a new worker sees the first window, then the second, and each answer is kept before the next is
shown.
"""

import numpy as np

from trading.indicators.rolling import FloatArray
from trading.strategies.strategy import Bars, Strategy
from tune.verdict.causality import TOLERANCE
from tune.verdict.finding import Finding, found_at


def causal_weights(strategy: Strategy, bars: Bars) -> FloatArray:
    """Return the weights (time, instrument) that a strategy decides as time goes by.

    Parameters
    ----------
    strategy : Strategy
        A new worker.
    """
    weights = np.zeros(bars.close.shape)
    for row in range(strategy.lookback - 1, len(bars)):
        window = bars.rows(row - strategy.lookback + 1, row + 1)
        weights[row] = strategy.targets(window)[-1]
    return weights


def compare(batch: FloatArray, causal: FloatArray, bars: Bars) -> Finding:
    """Compare what is decided with all of history in view with what is decided as time goes by."""
    check = "knows no later bar"
    wrong = np.argwhere(~(np.abs(batch - causal) <= TOLERANCE))
    if wrong.size:
        row, column = (int(each) for each in wrong[0])
        text = (
            f"with all bars in view it gives {batch[row, column]:g}, as time goes by "
            f"{causal[row, column]:g}; it looks ahead, or needs more bars than LOOKBACK says."
        )
        return found_at(check, bars, row, column, text)
    text = f"All of {len(bars):,} bars were decided without sight of a later one: the weights are equal."
    return Finding(check=check, passed=True, text=text)
