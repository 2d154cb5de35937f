from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.errors import UsageError
from trading.validation.splits import (
    Period,
    Split,
    WalkForward,
    parse_walk_forward,
    walk_forward,
    walk_forward_by_calendar,
)

MINUTE = 60_000_000_000


def days(first: str, last: str) -> np.ndarray:
    every = np.arange(np.datetime64(first), np.datetime64(last))
    return every[np.is_busday(every)].astype("datetime64[ns]").astype(np.int64)


def dates(ts: np.ndarray, rows: slice) -> tuple[str, str]:
    """First and last day of the rows."""
    chosen = ts[rows].astype("datetime64[ns]").astype("datetime64[D]").astype(str)
    return str(chosen[0]), str(chosen[-1])


def test_rolling_by_hand() -> None:
    assert walk_forward(20, 8, 4) == (
        Split(slice(0, 8), slice(8, 12)),
        Split(slice(4, 12), slice(12, 16)),
        Split(slice(8, 16), slice(16, 20)),
    )


def test_anchored_by_hand_with_purge_and_embargo() -> None:
    splits = walk_forward(20, 8, 4, is_anchored=True, purge_bars=2, embargo_bars=1)
    assert splits == (
        Split(slice(0, 6), slice(8, 12)),
        Split(slice(0, 11), slice(13, 17)),
        Split(slice(0, 16), slice(18, 20)),
    )


def test_a_last_test_below_half_is_left_out() -> None:
    assert [split.test for split in walk_forward(14, 8, 4)] == [slice(8, 12), slice(12, 14)]
    assert [split.test for split in walk_forward(13, 8, 4)] == [slice(8, 12)]


sizes = {
    "count": st.integers(1, 200),
    "train": st.integers(1, 60),
    "test": st.integers(1, 40),
    "purge": st.integers(0, 20),
    "embargo": st.integers(0, 20),
    "is_anchored": st.booleans(),
}


def assert_honest(splits: tuple[Split, ...], count: int, purge: int, embargo: int) -> None:
    """No row of a training is in or within `purge` of its test, and tests keep their distance."""
    for split in splits:
        train, test = (set(range(count)[rows]) for rows in (split.train, split.test))
        assert train
        assert test
        assert max(train) + purge < min(test)
        assert len(train) == split.train.stop - split.train.start  # all rows exist
        assert len(test) == split.test.stop - split.test.start
    for before, after in pairwise(splits):
        assert before.test.stop + embargo <= after.test.start


@settings(deadline=None, max_examples=150)
@given(**sizes)
def test_no_split_ever_looks_ahead(
    count: int, train: int, test: int, purge: int, embargo: int, is_anchored: bool
) -> None:
    try:
        splits = walk_forward(
            count, train, test, is_anchored=is_anchored, purge_bars=purge, embargo_bars=embargo
        )
    except UsageError:
        assert train - purge < 1 or count < train + test / 2
        return
    assert_honest(splits, count, purge, embargo)
    assert all(split.test.stop - split.test.start == test for split in splits[:-1])
    for split in splits:
        first = 0 if is_anchored else split.test.start - train
        assert split.train == slice(first, split.test.start - purge)
    if embargo == 0:
        assert all(a.test.stop == b.test.start for a, b in pairwise(splits))


def test_two_years_and_half_a_year_by_the_calendar() -> None:
    ts = days("2015-01-02", "2019-01-01")
    splits = walk_forward_by_calendar(ts, parse_walk_forward("24m/6m"))
    assert [(dates(ts, split.train), dates(ts, split.test)) for split in splits] == [
        (("2015-01-02", "2016-12-30"), ("2017-01-02", "2017-06-30")),
        (("2015-07-02", "2017-06-30"), ("2017-07-03", "2018-01-01")),
        (("2016-01-04", "2018-01-01"), ("2018-01-02", "2018-06-29")),
        (("2016-07-04", "2018-06-29"), ("2018-07-02", "2018-12-31")),
    ]


def test_anchored_by_the_calendar_begins_at_the_first_bar() -> None:
    ts = days("2015-01-02", "2019-01-01")
    plan = parse_walk_forward("2y/26w")
    splits = walk_forward_by_calendar(ts, plan, is_anchored=True, purge_bars=3, embargo_bars=2)
    assert all(split.train.start == 0 for split in splits)
    assert_honest(splits, ts.size, 3, 2)


@settings(deadline=None, max_examples=100)
@given(
    train=st.tuples(st.integers(1, 40), st.sampled_from("dwm")),
    test=st.tuples(st.integers(1, 20), st.sampled_from("dwm")),
    purge=st.integers(0, 5),
    embargo=st.integers(0, 5),
    gaps=st.lists(st.integers(0, 499), max_size=200),
    is_anchored=st.booleans(),
)
def test_no_split_by_the_calendar_looks_ahead(
    train: tuple[int, str],
    test: tuple[int, str],
    purge: int,
    embargo: int,
    gaps: list[int],
    is_anchored: bool,
) -> None:
    ts = np.delete(days("2018-01-31", "2020-01-31"), gaps)
    plan = parse_walk_forward(f"{train[0]}{train[1]}/{test[0]}{test[1]}")
    try:
        splits = walk_forward_by_calendar(
            ts, plan, is_anchored=is_anchored, purge_bars=purge, embargo_bars=embargo
        )
    except UsageError:
        return
    assert_honest(splits, ts.size, purge, embargo)


def test_minutes_are_cut_at_midnight() -> None:
    ts = np.datetime64("2024-03-04", "ns").astype(np.int64) + np.arange(5 * 1440) * MINUTE
    splits = walk_forward_by_calendar(ts, parse_walk_forward("2d/1d"))
    assert [split.test for split in splits] == [
        slice(1440 * day, 1440 * (day + 1)) for day in (2, 3, 4)
    ]


def test_a_period_is_a_length() -> None:
    assert parse_walk_forward("24m/6m") == WalkForward(Period(months=24), Period(months=6))
    assert parse_walk_forward(" 2Y / 13w ") == WalkForward(Period(months=24), Period(days=91))
    assert parse_walk_forward("90d/1d") == WalkForward(Period(days=90), Period(days=1))


def test_a_day_that_a_month_lacks_becomes_its_last() -> None:
    end = np.datetime64("2024-01-31")
    assert str(Period(months=1).after(end)) == "2024-02-29"
    assert str(Period(months=1).after(end, 2)) == "2024-03-31"
    assert str(Period(months=1).after(end, -2)) == "2023-11-30"
    assert str(Period(days=7).after(end, 2)) == "2024-02-14"


@pytest.mark.parametrize(
    "text", ["", "24m", "24m/6", "0m/6m", "24m/6m/1m", "-1m/2m", "1.5m/1m", "m/m"]
)
def test_a_plan_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="write train/test such as 24m/6m"):
        parse_walk_forward(text)


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(UsageError, match="train and test need at least 1 bars, got 0 and 4"):
        walk_forward(10, 0, 4)
    with pytest.raises(UsageError, match="purge and embargo need at least 0 bars"):
        walk_forward(10, 4, 4, purge_bars=-1)
    with pytest.raises(UsageError, match="10 bars are too few"):
        walk_forward(10, 10, 4)
    with pytest.raises(UsageError, match="there are no bars"):
        walk_forward_by_calendar(np.zeros(0, np.int64), parse_walk_forward("1m/1m"))
    with pytest.raises(UsageError, match="are too few"):
        walk_forward_by_calendar(days("2020-01-01", "2020-03-01"), parse_walk_forward("2y/1y"))
