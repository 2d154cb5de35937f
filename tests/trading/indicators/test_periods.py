import numpy as np
import pytest

from trading.indicators.periods import period_starts, row_of_last


def nanoseconds(*days: str) -> np.ndarray:
    return np.array([f"{day}T20:00" for day in days], dtype="datetime64[ns]").astype(np.int64)


def test_first_bar_of_a_month_is_marked_and_the_first_row_never() -> None:
    ts = nanoseconds("2022-01-03", "2022-01-31", "2022-02-01", "2022-02-02", "2022-04-04")
    assert period_starts(ts, 1).tolist() == [False, False, True, False, True]


def test_longer_periods_begin_at_fixed_months() -> None:
    ts = nanoseconds("2021-12-31", "2022-01-03", "2022-02-01", "2022-03-01", "2022-04-01")
    assert period_starts(ts, 3).tolist() == [False, True, False, False, True]
    assert period_starts(ts, 12).tolist() == [False, True, False, False, False]


@pytest.mark.parametrize(
    ("marks", "expected"),
    [([], []), ([False, False], [-1, -1]), ([False, True, False, True], [-1, 1, 1, 3])],
)
def test_row_of_last_mark(marks: list[bool], expected: list[int]) -> None:
    assert row_of_last(np.array(marks, dtype=np.bool_)).tolist() == expected
