"""Bars as a bad day brings them: a strategy answers with sane weights, or refuses in a clear sentence."""

from dataclasses import replace
from typing import Any

import numpy as np

from trading.indicators.rolling import FloatArray
from trading.strategies.bar_strategy import WEIGHT_MAX
from trading.strategies.strategy import Bars
from tune.verdict.contract import FIELDS
from tune.verdict.finding import Finding, found_at
from tune.verdict.questions import StrategyFailed, Targets

PRICES = ("close", "open", "high", "low")
STILL = 100.0


def missing_prices(targets: Targets, bars: Bars) -> Finding:
    """Take every price of the first instrument away: it must get no weight."""
    arrays: dict[str, Any] = {name: getattr(bars, name).copy() for name in FIELDS}
    for name in FIELDS:
        arrays[name][:, 0] = np.nan if name in PRICES else 0.0
    is_unknown = np.zeros(bars.close.shape, dtype=bool)
    is_unknown[:, 0] = True
    return _judge("missing prices", targets, replace(bars, **arrays), is_unknown)


def constant_prices(targets: Targets, bars: Bars) -> Finding:
    """Let every price stand still."""
    still: dict[str, Any] = {name: np.full(bars.close.shape, STILL) for name in PRICES}
    return _judge("constant prices", targets, replace(bars, **still))


def zero_volume(targets: Targets, bars: Bars) -> Finding:
    """Let nothing have been traded."""
    return _judge("zero volume", targets, replace(bars, volume=np.zeros(bars.close.shape)))


def one_bar(targets: Targets, lookback: int, bars: Bars) -> Finding:
    """Show the newest bar alone: there is no weight before the lookback is over."""
    newest = bars.rows(len(bars) - 1, len(bars))
    return _judge("one bar", targets, newest, np.full(newest.close.shape, lookback > 1))


def _judge(
    check: str, targets: Targets, bars: Bars, must_be_0: np.ndarray | None = None
) -> Finding:
    """Ask for the weights; those of the cells `must_be_0` are 0, all are within the limit."""
    try:
        weights = targets(bars)
    except StrategyFailed as failure:
        if not failure.is_refusal:
            raise
        return Finding(check=check, passed=True, text=str(failure))
    bad = np.argwhere(~_is_sane(weights, must_be_0))
    if bad.size:
        row, column = (int(i) for i in bad[0])
        text = f"the weight is {weights[row, column]:g} with {check}."
        return found_at(check, bars, row, column, text)
    held = 100 * float(weights.any(axis=1).mean())
    return Finding(
        check=check, passed=True, text=f"No harm done; invested at {held:.0f} % of the bars."
    )


def _is_sane(weights: FloatArray, must_be_0: np.ndarray | None) -> np.ndarray:
    is_sane = np.abs(weights) <= WEIGHT_MAX
    return is_sane if must_be_0 is None else is_sane & ((weights == 0.0) | ~must_be_0)
