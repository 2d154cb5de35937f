import math

import numpy as np
import pytest

from trading.metrics.periods_per_year import periods_per_year

MINUTE = 60_000_000_000
DAY = 1440 * MINUTE


def days(first: str, last: str, *, weekends: bool) -> np.ndarray:
    every = np.arange(np.datetime64(first), np.datetime64(last))
    kept = every if weekends else every[np.is_busday(every)]
    return kept.astype("datetime64[ns]").astype(np.int64)


@pytest.mark.parametrize("last", ["2020-01-08", "2020-06-01", "2024-01-01"])
def test_business_days_are_252_a_year(last: str) -> None:
    assert periods_per_year(days("2020-01-01", last, weekends=False)) == 252.0


def test_days_closed_at_four_in_new_york_are_business_days_too() -> None:
    ts = days("2020-01-01", "2021-01-01", weekends=False) + 21 * 60 * MINUTE
    ts[60:200] -= 60 * MINUTE  # summer time
    assert periods_per_year(ts) == 252.0
    early = ts[:3] - np.array([0, 120, 0]) * MINUTE
    assert periods_per_year(early) == 252.0


def test_days_without_weekends_are_counted_by_the_calendar() -> None:
    ts = days("2020-01-01", "2021-01-01", weekends=True)
    assert periods_per_year(ts) == pytest.approx(365.25)


def test_weeks_months_and_minutes_are_counted_by_the_calendar() -> None:
    assert periods_per_year(np.arange(100) * 7 * DAY) == pytest.approx(365.25 / 7)
    months = np.arange("2000-01", "2010-01", dtype="datetime64[M]").astype("datetime64[ns]")
    assert periods_per_year(months.astype(np.int64)) == pytest.approx(12, rel=1e-3)
    sessions = days("2020-01-01", "2021-01-01", weekends=False)
    bars = (sessions[:, None] + np.arange(390) * MINUTE).ravel()
    assert periods_per_year(bars) == pytest.approx(262 * 390 * 365.25 / 366, rel=0.01)


@pytest.mark.parametrize("count", [0, 1])
def test_one_bar_tells_nothing(count: int) -> None:
    assert math.isnan(periods_per_year(np.zeros(count, dtype=np.int64)))
