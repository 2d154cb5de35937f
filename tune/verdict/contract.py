"""What every strategy promises about its weights, whatever it decides."""

from dataclasses import replace

import numpy as np

from trading.indicators.rolling import FloatArray
from trading.strategies.bar_strategy import WEIGHT_MAX
from trading.strategies.strategy import Bars
from tune.verdict.causality import Targets
from tune.verdict.finding import Finding

FIELDS = ("close", "open", "high", "low", "volume")


def weights_are_sane(lookback: int, bars: Bars, batch: FloatArray) -> Finding:
    """Shape, finite, not beyond the limit, nothing before the lookback."""
    check = "weights"
    if batch.shape != bars.close.shape:
        text = f"They are of shape {batch.shape}, must be {bars.close.shape}."
        return Finding(check=check, passed=False, text=text)
    is_bad = ~(np.abs(batch) <= WEIGHT_MAX)
    if is_bad.any():
        row, column = (int(i) for i in np.argwhere(is_bad)[0])
        text = (
            f"{bars.instrument_ids[column]} at bar {row + 1}: the weight is {batch[row, column]}."
        )
        return Finding(check=check, passed=False, text=text)
    early = np.flatnonzero(batch[: lookback - 1].any(axis=1))
    if early.size:
        text = f"Bar {early[0] + 1} has weights, before the lookback of {lookback} bars is over."
        return Finding(check=check, passed=False, text=text)
    gross = float(np.abs(batch).sum(axis=1).max(initial=0.0))
    held = float((np.abs(batch).sum(axis=1) > 0).mean())
    text = f"Finite; gross at most {gross:.2f}; invested at {100 * held:.0f} % of the bars."
    return Finding(check=check, passed=True, text=text)


def bars_are_only_read(bars: Bars, untouched: Bars) -> Finding:
    """A strategy that writes into its bars changes what the next one sees.

    Parameters
    ----------
    bars, untouched : Bars
        What the strategy was given, and what it was a copy of; written cells are restored.
    """
    changed = [
        name
        for name in FIELDS
        if not np.array_equal(getattr(bars, name), getattr(untouched, name), equal_nan=True)
    ]
    for name in changed:
        getattr(bars, name)[:] = getattr(untouched, name)
    text = f"It changed {', '.join(changed)}." if changed else "The bars were left as they were."
    return Finding(check="bars are only read", passed=not changed, text=text)


def same_answer_twice(targets: Targets, bars: Bars, batch: FloatArray) -> Finding:
    """No chance, no state between calls."""
    again = targets(bars.rows(0, len(bars)))
    passed = np.array_equal(again, batch)
    text = (
        "Asked twice, it answered the same." if passed else "Asked twice, it answered differently."
    )
    return Finding(check="same answer twice", passed=passed, text=text)


def unknown_prices_get_no_weight(targets: Targets, bars: Bars) -> Finding:
    """An instrument without any price, and prices that stand still, must not break it."""
    check = "missing and constant prices"
    nan = {name: getattr(bars, name).copy() for name in FIELDS}
    for name in FIELDS:
        nan[name][:, 0] = 0.0 if name == "volume" else np.nan
        if bars.close.shape[1] > 1 and name != "volume":
            nan[name][:, 1] = 100.0
    weights = np.asarray(targets(replace(bars, **nan)))
    if not np.isfinite(weights).all():
        return Finding(check=check, passed=False, text="They lead to weights that are no numbers.")
    if weights[:, 0].any():
        row = int(np.flatnonzero(weights[:, 0])[0])
        text = f"An instrument without a price has the weight {weights[row, 0]:g} at bar {row + 1}."
        return Finding(check=check, passed=False, text=text)
    return Finding(
        check=check, passed=True, text="No price, no weight; constant prices do no harm."
    )
