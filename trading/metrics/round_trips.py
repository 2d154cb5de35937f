"""Figures of round trips, from the profit of each: `Trades.profit`, open ones at their last price."""

import math

import numpy as np

from trading.indicators.rolling import FloatArray
from trading.metrics.quotient import quotient


def win_rate(profit: FloatArray) -> float:
    """Return the share of trades with a profit above 0. NaN without trades."""
    return float(np.count_nonzero(profit > 0)) / profit.size if profit.size else math.nan


def profit_factor(profit: FloatArray) -> float:
    """Return the sum of all profits over the sum of all losses. NaN without losses."""
    gained = float(np.maximum(profit, 0.0).sum())
    return quotient(gained, float(np.maximum(-profit, 0.0).sum()))


def expectancy(profit: FloatArray) -> float:
    """Return the mean profit of a trade, in its currency. NaN without trades."""
    return float(profit.mean()) if profit.size else math.nan
