"""Walk-forward splits: train on the past, test on what came next, move on.

      rolling                          anchored
    |train--|purge|test|              |train--|purge|test|
            |train--|purge|test|      |train----------|purge|test|

Purged and embargoed after Lopez de Prado (2018), "Advances in Financial Machine Learning", chapter 7. A
training set always lies before its test, so the embargo, which he puts between a test and the training
that follows, stands here between a test and the next one.
"""

import re
from dataclasses import dataclass

import numpy as np

from trading.errors import UsageError
from trading.indicators.periods import IntArray

SHORTEST_LAST_TEST = 0.5
"""The last test may be shorter than the others, down to this fraction; below it, it is left out."""
_PERIOD = re.compile(r"([1-9]\d{0,4})([dwmy])")
_DAYS = {"d": 1, "w": 7}
_MONTHS = {"m": 1, "y": 12}


@dataclass(frozen=True, slots=True)
class Split:
    """Rows to train on, and the later rows to test on."""

    train: slice
    test: slice


@dataclass(frozen=True, slots=True)
class Period:
    """A length on the calendar: months, or days."""

    months: int = 0
    days: int = 0

    def after(self, date: np.datetime64, times: int = 1) -> np.datetime64:
        """Return `date` moved by so many periods; a day that the month lacks becomes its last."""
        day = date.astype("datetime64[D]")
        month = day.astype("datetime64[M]")
        target = month + times * self.months
        last = (target + 1).astype("datetime64[D]") - np.timedelta64(1, "D")
        moved = min(target.astype("datetime64[D]") + (day - month.astype("datetime64[D]")), last)
        result: np.datetime64 = moved + np.timedelta64(times * self.days, "D")
        return result


@dataclass(frozen=True, slots=True)
class WalkForward:
    """How long to train and how long to test."""

    train: Period
    test: Period


def parse_walk_forward(text: str) -> WalkForward:
    """Return the plan that `text` names: '24m/6m' trains on 24 months and tests on the next 6.

    Parameters
    ----------
    text : str
        Two lengths, each a whole number of d (days), w (weeks), m (months) or y (years).

    Raises
    ------
    UsageError
        If it is anything else.
    """
    found = [_PERIOD.fullmatch(part) for part in text.replace(" ", "").lower().split("/")]
    if len(found) != 2 or found[0] is None or found[1] is None:
        raise UsageError(
            f"walk-forward {text!r} is not understood; write train/test such as 24m/6m, "
            "in d (days), w (weeks), m (months) or y (years)."
        )
    return WalkForward(_period(found[0]), _period(found[1]))


def walk_forward(
    count: int,
    train_bars: int,
    test_bars: int,
    *,
    is_anchored: bool = False,
    purge_bars: int = 0,
    embargo_bars: int = 0,
) -> tuple[Split, ...]:
    """Return the splits of `count` bars, oldest first.

    Parameters
    ----------
    train_bars : int
        Bars before each test, purged ones included (> `purge_bars`).
    test_bars : int
        Bars in each test (>= 1); see `SHORTEST_LAST_TEST`.
    is_anchored : bool
        Every training begins at the first bar.
    purge_bars : int
        Last bars of each training that are left out, because their labels reach into the test: the bars
        that a label looks ahead (>= 0).
    embargo_bars : int
        Bars left out between a test and the next (>= 0).

    Raises
    ------
    UsageError
        If a number is out of its range, or not one split fits.
    """
    _require_bars(train_bars, test_bars, least=1)
    _require_bars(purge_bars, embargo_bars, least=0)
    starts = range(train_bars, count, test_bars + embargo_bars)
    windows = [(start - train_bars, start, start + test_bars) for start in starts]
    if windows and (count - windows[-1][1]) / test_bars < SHORTEST_LAST_TEST:
        windows.pop()
    return _splits(windows, count, is_anchored, purge_bars, embargo_bars)


def walk_forward_by_calendar(
    ts: IntArray,
    plan: WalkForward,
    *,
    is_anchored: bool = False,
    purge_bars: int = 0,
    embargo_bars: int = 0,
) -> tuple[Split, ...]:
    """Return the splits of bars at `ts`, periods counted from the day (UTC) of the first bar.

    Parameters are those of `walk_forward`. Periods without bars to train on or to test give no split. A
    test begins where its period does, or `embargo_bars` after the test before it if that is later.

    Parameters
    ----------
    ts : (time,)
        Times of the bars (ns UTC), rising.

    Raises
    ------
    UsageError
        If a number is out of its range, or not one split fits.
    """
    _require_bars(purge_bars, embargo_bars, least=0)
    if not ts.size:
        raise UsageError("walk-forward: there are no bars; choose a longer period.")
    times = ts.astype("datetime64[ns]")
    origin = plan.train.after(times[0].astype("datetime64[D]"))
    windows, turn = [], 0
    while True:
        begin, end = plan.test.after(origin, turn), plan.test.after(origin, turn + 1)
        shortest = (end - begin).astype("timedelta64[s]") * SHORTEST_LAST_TEST
        if begin + shortest > times[-1]:
            break
        first = plan.train.after(begin, -1)
        row, start, stop = np.searchsorted(times, np.array([first, begin, end])).tolist()
        windows.append((row, start, stop))
        turn += 1
    return _splits(windows, ts.size, is_anchored, purge_bars, embargo_bars)


def _splits(
    windows: list[tuple[int, int, int]],
    count: int,
    is_anchored: bool,
    purge_bars: int,
    embargo_bars: int,
) -> tuple[Split, ...]:
    """Splits of windows (first row to train on, first to test, row after the last)."""
    splits: list[Split] = []
    for first, begin, end in windows:
        start = max(begin, splits[-1].test.stop + embargo_bars) if splits else begin
        train = slice(0 if is_anchored else first, begin - purge_bars)
        test = slice(start, min(end, count))
        if train.start < train.stop and test.start < test.stop:
            splits.append(Split(train, test))
    if not splits:
        raise UsageError(
            f"walk-forward: {count} bars are too few for one training, its purge and a test; "
            "choose shorter ones or a longer period."
        )
    return tuple(splits)


def _require_bars(first: int, second: int, *, least: int) -> None:
    if min(first, second) < least:
        names = "train and test" if least else "purge and embargo"
        raise UsageError(
            f"walk-forward: {names} need at least {least} bars, got {first} and {second}"
        )


def _period(found: re.Match[str]) -> Period:
    number, unit = int(found[1]), found[2]
    if unit in _MONTHS:
        return Period(months=number * _MONTHS[unit])
    return Period(days=number * _DAYS[unit])
