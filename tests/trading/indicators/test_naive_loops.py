"""Every indicator against a loop over single numbers, with holes in the prices."""

import math
import statistics
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.indicators.cointegration import engle_granger
from trading.indicators.periods import period_starts, row_of_last
from trading.indicators.returns import realised_volatility, simple_returns
from trading.indicators.rolling import rolling_mean, rolling_std, zscore

NAN = math.nan
values = st.floats(0.01, 1e6) | st.just(NAN)
columns = st.lists(values, min_size=0, max_size=25)
windows = st.integers(2, 8)


def array(column: list[float]) -> np.ndarray:
    return np.array(column, dtype=np.float64).reshape(-1, 1)


def whole_window(column: list[float], row: int, window: int) -> list[float] | None:
    """The last `window` values, or None where one is missing."""
    found = column[max(row - window + 1, 0) : row + 1]
    return None if len(found) < window or any(map(math.isnan, found)) else found


def assert_column(result: np.ndarray, expected: list[float], rel: float = 1e-9) -> None:
    assert result.shape == (len(expected), 1)
    assert result[:, 0].tolist() == pytest.approx(expected, rel=rel, abs=1e-9, nan_ok=True)


@settings(deadline=None)
@given(column=columns, window=st.integers(1, 8))
def test_mean_is_that_of_the_loop(column: list[float], window: int) -> None:
    expected = [
        statistics.fmean(found) if (found := whole_window(column, row, window)) else NAN
        for row in range(len(column))
    ]
    assert_column(rolling_mean(array(column), window), expected)


@settings(deadline=None)
@given(column=columns, window=windows)
def test_deviation_is_that_of_the_loop(column: list[float], window: int) -> None:
    expected = [
        statistics.stdev(found) if (found := whole_window(column, row, window)) else NAN
        for row in range(len(column))
    ]
    assert_column(rolling_std(array(column), window), expected, rel=1e-6)


@settings(deadline=None)
@given(
    column=st.lists(st.integers(1, 10_000).map(float) | st.just(NAN), max_size=25), window=windows
)
def test_score_is_that_of_the_loop(column: list[float], window: int) -> None:
    expected = []
    for row in range(len(column)):
        found = whole_window(column, row, window)
        deviation = statistics.stdev(found) if found else 0.0
        score = (found[-1] - statistics.fmean(found)) / deviation if found and deviation else NAN
        expected.append(score)
    assert_column(zscore(array(column), window), expected)


@settings(deadline=None)
@given(column=columns)
def test_returns_are_those_of_the_loop(column: list[float]) -> None:
    expected = [NAN] * min(1, len(column))
    expected += [column[row] / column[row - 1] - 1 for row in range(1, len(column))]
    assert_column(simple_returns(array(column)), expected)


@settings(deadline=None)
@given(column=columns, window=windows)
def test_volatility_is_that_of_the_loop(column: list[float], window: int) -> None:
    expected = []
    for row in range(len(column)):
        found = whole_window(column, row, window + 1)
        daily = [later / earlier - 1 for earlier, later in pairwise(found or [])]
        expected.append(statistics.stdev(daily) * math.sqrt(252) if daily else NAN)
    assert_column(realised_volatility(array(column), window), expected, rel=1e-6)


@settings(deadline=None)
@given(
    days=st.lists(st.integers(0, 20_000), min_size=1, max_size=40, unique=True).map(sorted),
    months=st.integers(1, 12),
)
def test_periods_are_those_of_the_calendar(days: list[int], months: int) -> None:
    moments = [datetime(1970, 1, 1, 21, tzinfo=UTC) + timedelta(days=day) for day in days]
    periods = [((each.year - 1970) * 12 + each.month - 1) // months for each in moments]
    ts = np.array([int(each.timestamp()) * 10**9 for each in moments], dtype=np.int64)
    starts = [False, *(now != before for before, now in pairwise(periods))]
    marks = period_starts(ts, months)
    assert marks.tolist() == starts
    last, expected = -1, []
    for row, is_start in enumerate(starts):
        last = row if is_start else last
        expected.append(last)
    assert row_of_last(marks).tolist() == expected


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), count=st.integers(30, 80))
def test_pair_is_judged_alone_whatever_stands_beside_it(seed: int, count: int) -> None:
    noise = np.random.default_rng(seed)
    y, x = noise.normal(0, 0.01, (2, count, 4)).cumsum(axis=1)
    together = engle_granger(y, x)
    for pair in range(4):
        alone = engle_granger(y[:, [pair]], x[:, [pair]])
        for name in ("alpha", "beta", "deviation", "statistic"):
            assert getattr(together, name)[pair] == pytest.approx(getattr(alone, name)[0])
