import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.market_hours import ALWAYS_OPEN, MarketHours
from trading.values import NANOS_PER_DAY

HOUR = 3_600 * 10**9
WEEK = MarketHours(
    opens=tuple(day * NANOS_PER_DAY + 14 * HOUR for day in range(5)),
    closes=tuple(day * NANOS_PER_DAY + 21 * HOUR for day in range(5)),
)
GLOBEX = MarketHours(
    opens=tuple(day * NANOS_PER_DAY + 23 * HOUR for day in range(4)),
    closes=tuple((day + 1) * NANOS_PER_DAY + 22 * HOUR for day in range(4)),
)
"""Each session begins on the evening before its day."""


def test_market_is_open_from_the_first_to_the_last_moment_of_a_session() -> None:
    assert not WEEK.is_open(14 * HOUR - 1)
    assert WEEK.is_open(14 * HOUR)
    assert WEEK.is_open(21 * HOUR)
    assert not WEEK.is_open(21 * HOUR + 1)
    assert not WEEK.is_open(-1)
    assert not WEEK.is_open(10 * NANOS_PER_DAY)


def test_what_happens_after_the_close_belongs_to_the_next_day() -> None:
    assert WEEK.day_of(21 * HOUR) == 0
    assert WEEK.day_of(21 * HOUR + 1) == 1
    assert WEEK.end_of_day(21 * HOUR + 1) == NANOS_PER_DAY + 21 * HOUR


def test_session_over_midnight_is_one_day() -> None:
    assert GLOBEX.day_of(23 * HOUR) == GLOBEX.day_of(NANOS_PER_DAY + 22 * HOUR) == 1
    assert GLOBEX.day_of(NANOS_PER_DAY + 22 * HOUR + 1) == 2


def test_without_sessions_days_are_those_of_utc() -> None:
    assert ALWAYS_OPEN.is_open(0)
    assert [ALWAYS_OPEN.day_of(ts) for ts in (0, NANOS_PER_DAY - 1, NANOS_PER_DAY)] == [0, 0, 1]


@given(st.integers(0, 12 * NANOS_PER_DAY), st.integers(0, 12 * NANOS_PER_DAY))
def test_days_never_go_back_and_end_after_their_moments(one: int, other: int) -> None:
    early, late = sorted((one, other))
    for hours in (WEEK, GLOBEX, ALWAYS_OPEN):
        assert hours.day_of(early) <= hours.day_of(late)
        end = hours.end_of_day(early)
        assert end >= early
        assert hours.day_of(end) == hours.day_of(early)
        assert hours.day_of(end + 1) > hours.day_of(early)


def test_sessions_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="in order"):
        MarketHours(opens=(5, 1), closes=(6, 2))
    MarketHours(opens=(0, 5), closes=(5, 9))  # one ends where the next begins


def test_the_next_open_is_strictly_later() -> None:
    hours = MarketHours(opens=(10, 30), closes=(20, 40))
    assert [hours.next_open(ts) for ts in (0, 10, 29)] == [10, 30, 30]
    assert hours.next_open(30) == NANOS_PER_DAY
    assert ALWAYS_OPEN.next_open(0) == NANOS_PER_DAY
    assert ALWAYS_OPEN.next_open(NANOS_PER_DAY - 1) == NANOS_PER_DAY
