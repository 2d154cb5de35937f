"""Does the batch see what live trading cannot? Three ways to find out.

Source of the last: freqtrade's `recursive-analysis`, as an idea: results that depend on how much history was loaded.
"""

import numpy as np

from trading.indicators.rolling import FloatArray
from trading.strategies.strategy import Bars
from tune.verdict.finding import Finding, found_at
from tune.verdict.questions import Targets, telling_rows

TOLERANCE = 1e-9
SETTLED = 1e-6
"""A difference of weights below this is none to a trader."""
ENDS = 5
"""Bars at which the warm-up is looked at."""


def batch_equals_live(
    targets: Targets, lookback: int, bars: Bars, batch: FloatArray, rows: list[int]
) -> Finding:
    """Compare the batch with the last row of the trailing window at each of `rows`."""
    check = "batch equals live"
    rows = [row for row in rows if row >= lookback - 1]
    for row in rows:
        live = targets(bars.rows(row - lookback + 1, row + 1))[-1]
        gap = np.abs(live - batch[row])
        if not gap.max() <= TOLERANCE:
            column = int(gap.argmax())
            text = (
                f"the last {lookback:,} bars give {live[column]:g}, all history "
                f"{batch[row, column]:g}; the strategy looks ahead, or needs more bars than its "
                "lookback says."
            )
            return found_at(check, bars, row, column, text)
    text = f"The trailing window gives the weights of the batch at {len(rows):,} bars."
    return Finding(check=check, passed=True, text=text)


def future_changes_nothing(
    targets: Targets, bars: Bars, batch: FloatArray, rows: list[int]
) -> Finding:
    """Cut the future off, and put another in its place: no row before may change."""
    check = "no look into the future"
    for row in rows:
        futures = {
            "cut off": bars.rows(0, row + 1),
            "replaced by higher prices": scrambled(bars, row, 3.0),
            "replaced by lower prices": scrambled(bars, row, 1.0 / 3.0),
        }
        for kind, changed in futures.items():
            before = targets(changed)[: row + 1]
            gap = np.abs(before - batch[: row + 1])
            if not gap.max(initial=0.0) <= TOLERANCE:
                at, column = (int(i) for i in np.unravel_index(int(gap.argmax()), gap.shape))
                text = (
                    f"the weight changes from {batch[at, column]:g} to {before[at, column]:g} when "
                    f"everything after bar {row + 1} is {kind}."
                )
                return found_at(check, bars, at, column, text)
    text = f"Nothing changed when the future was cut off or replaced at {len(rows):,} bars."
    return Finding(check=check, passed=True, text=text)


def warm_up(targets: Targets, lookback: int, bars: Bars, batch: FloatArray) -> Finding:
    """Find how many bars a row needs until it no longer depends on where history begins."""
    ends = telling_rows(batch, max(lookback, len(bars) // 2), len(bars), ENDS)
    gaps = _gaps_by_length(targets, lookback, bars, batch, ends)
    lengths = sorted(gaps)
    needed = next(
        (each for each in lengths if all(gaps[more] < SETTLED for more in lengths if more >= each)),
        None,
    )
    known = f"settle after {needed:,} bars" if needed else f"do not settle in {lengths[-1]:,} bars"
    text = (
        f"Weights {known}; the lookback is {lookback:,}, where they differ by "
        f"{gaps[lookback]:.2g} at most, at {len(ends)} bars."
    )
    return Finding(check="warm-up", passed=needed == lookback, text=text)


def _gaps_by_length(
    targets: Targets, lookback: int, bars: Bars, batch: FloatArray, ends: list[int]
) -> dict[int, float]:
    """Largest difference from all history for windows of `lookback` bars, twice as many, and so on.

    A window that is all history would differ by nothing and tell nothing: it is left out.
    """
    gaps: dict[int, float] = {}
    length = lookback
    while any(length <= end for end in ends):
        gaps[length] = max(
            float(np.abs(targets(bars.rows(end - length + 1, end + 1))[-1] - batch[end]).max())
            for end in ends
            if length <= end
        )
        length *= 2
    return gaps


def scrambled(bars: Bars, row: int, factor: float) -> Bars:
    """Return bars whose rows after `row` run backwards, times `factor`; signals change their sign."""
    after = slice(row + 1, None)

    def change(array: FloatArray, times: float) -> FloatArray:
        changed = array.copy()
        changed[after] = array[after][::-1] * times
        return changed

    return Bars(
        bars.ts,
        bars.instrument_ids,
        close=change(bars.close, factor),
        open=change(bars.open, factor),
        high=change(bars.high, factor),
        low=change(bars.low, factor),
        volume=change(bars.volume, factor),
        signals={name: change(array, -1.0) for name, array in bars.signals.items()},
    )
