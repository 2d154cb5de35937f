"""What every strategy promises about its weights, whatever it decides."""

import numpy as np

from trading.indicators.rolling import FloatArray
from trading.strategies.bar_strategy import WEIGHT_MAX
from trading.strategies.strategy import Bars
from tune.verdict.finding import Finding, found_at
from tune.verdict.questions import Targets

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
            f"the weight is {batch[row, column]}, must be from -{WEIGHT_MAX:g} to {WEIGHT_MAX:g}."
        )
        return found_at(check, bars, row, column, text)
    early = np.argwhere(batch[: lookback - 1] != 0.0)
    if early.size:
        row, column = (int(i) for i in early[0])
        text = f"it has a weight before the lookback of {lookback:,} bars is over."
        return found_at(check, bars, row, column, text)
    gross = np.abs(batch).sum(axis=1)
    held = 100 * float((gross > 0).mean())
    text = f"Finite; gross at most {gross.max():.2f}; invested at {held:.0f} % of the bars."
    if not gross.any():
        text = "All are 0 on these bars, so that the other checks prove little: try others."
    return Finding(check=check, passed=True, text=text)


def bars_are_only_read(bars: Bars, untouched: Bars) -> Finding:
    """A strategy that writes into its bars changes what the next one sees.

    Parameters
    ----------
    bars, untouched : Bars
        What the strategy was given, and what it was a copy of; written cells are restored.
    """
    given, copied = _arrays(bars), _arrays(untouched)
    changed = [
        name for name in copied if not np.array_equal(given[name], copied[name], equal_nan=True)
    ]
    for name in changed:
        given[name][:] = copied[name]
    text = f"It changed {', '.join(changed)}." if changed else "The bars were left as they were."
    return Finding(check="bars are only read", passed=not changed, text=text)


def same_answer_twice(targets: Targets, bars: Bars, batch: FloatArray) -> Finding:
    """No chance, no state between calls."""
    check = "same answer twice"
    different = np.argwhere(targets(bars.rows(0, len(bars))) != batch)
    if not different.size:
        return Finding(check=check, passed=True, text="Asked twice, it answered the same.")
    row, column = (int(i) for i in different[0])
    return found_at(check, bars, row, column, "asked twice, it answered differently.")


def _arrays(bars: Bars) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]:
    prices = {name: getattr(bars, name) for name in FIELDS}
    signals = {f"signal {name}": array for name, array in bars.signals.items()}
    return {"ts": bars.ts, **prices, **signals}
