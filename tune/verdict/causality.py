"""Does the batch see what live trading cannot? Three ways to find out.

Source of the last: freqtrade's `recursive-analysis`, as an idea: results that depend on how much history was loaded.
"""

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np

from trading.indicators.rolling import FloatArray
from trading.strategies.strategy import Bars
from tune.verdict.finding import Finding

TOLERANCE = 1e-9
SETTLED = 1e-6
"""A difference of weights below this is none to a trader."""
SCRAMBLED = 3.0

Targets = Callable[[Bars], FloatArray]


def batch_equals_live(
    targets: Targets, lookback: int, bars: Bars, batch: FloatArray, rows: list[int]
) -> Finding:
    """Compare the batch with the last row of the trailing window at each of `rows`."""
    for row in rows:
        if row < lookback - 1:
            continue
        live = targets(bars.rows(row - lookback + 1, row + 1))[-1]
        gap = np.abs(live - batch[row])
        if not gap.max() <= TOLERANCE:
            return Finding(
                check="batch equals live",
                passed=False,
                text=f"{_place(bars, row, int(gap.argmax()))}: the last {lookback} bars give "
                f"{live[gap.argmax()]:g}, all history {batch[row, gap.argmax()]:g}; the strategy looks "
                "ahead, or needs more bars than its lookback says.",
            )
    count = sum(row >= lookback - 1 for row in rows)
    return Finding(
        check="batch equals live",
        passed=True,
        text=f"The trailing window gives the weights of the batch at {count:,} bars.",
    )


def future_changes_nothing(
    targets: Targets, bars: Bars, batch: FloatArray, rows: list[int]
) -> Finding:
    """Cut the future off, and put another in its place: no row before may change."""
    for row in rows:
        for kind, changed in (
            ("cut off", bars.rows(0, row + 1)),
            ("scrambled", scrambled(bars, row)),
        ):
            before = targets(changed)[: row + 1]
            gap = np.abs(before - batch[: row + 1])
            if not gap.max(initial=0.0) <= TOLERANCE:
                at, column = np.unravel_index(int(gap.argmax()), gap.shape)
                return Finding(
                    check="no look into the future",
                    passed=False,
                    text=f"{_place(bars, int(at), int(column))}: the weight changes from "
                    f"{batch[at, column]:g} to {before[at, column]:g} when everything behind bar "
                    f"{row + 1} is {kind}.",
                )
    return Finding(
        check="no look into the future",
        passed=True,
        text=f"Nothing changed when the future was cut off or scrambled at {len(rows):,} bars.",
    )


def warm_up(targets: Targets, lookback: int, bars: Bars, batch: FloatArray) -> Finding:
    """Find how many bars the last row needs until it no longer depends on where history begins."""
    last = len(bars) - 1
    lengths = [lookback]
    while lengths[-1] < len(bars):
        lengths.append(min(2 * lengths[-1], len(bars)))
    gaps = {
        length: float(
            np.abs(targets(bars.rows(last - length + 1, last + 1))[-1] - batch[last]).max()
        )
        for length in lengths
        if length <= len(bars)
    }
    settled = [
        length for length in gaps if max(gaps[each] for each in gaps if each >= length) < SETTLED
    ]
    passed = bool(settled) and settled[0] == lookback
    return Finding(
        check="warm-up",
        passed=passed,
        text=(
            f"The last bar is settled after {settled[0] if settled else len(bars):,} bars; the lookback "
            f"is {lookback:,}, where the largest difference is {gaps.get(lookback, float('nan')):.2g}."
        ),
    )


def scrambled(bars: Bars, row: int) -> Bars:
    """Return bars whose rows behind `row` run backwards, three times as high; signals turned around."""
    behind = slice(row + 1, None)

    def change(array: FloatArray, factor: float) -> FloatArray:
        changed = array.copy()
        changed[behind] = array[behind][::-1] * factor
        return changed

    return Bars(
        bars.ts,
        bars.instrument_ids,
        close=change(bars.close, SCRAMBLED),
        open=change(bars.open, SCRAMBLED),
        high=change(bars.high, SCRAMBLED),
        low=change(bars.low, SCRAMBLED),
        volume=change(bars.volume, SCRAMBLED),
        signals={name: change(array, -1.0) for name, array in bars.signals.items()},
    )


def _place(bars: Bars, row: int, column: int) -> str:
    day = datetime.fromtimestamp(int(bars.ts[row]) // 10**9, UTC).date()
    return f"{bars.instrument_ids[column]} at bar {row + 1} ({day})"
