import numpy as np
import pytest

from trading.metrics.monthly import monthly_table


def times(*days: str) -> np.ndarray:
    return np.array(days, dtype="datetime64[ns]").astype(np.int64)


def test_months_compound_by_hand() -> None:
    ts = times("2019-12-30", "2019-12-31T23:59:59", "2020-01-01", "2020-03-05", "2022-02-01")
    table = monthly_table(ts, np.array([0.1, 0.2, -0.5, 1.0, 0.25]))
    assert table.years.tolist() == [2019, 2020, 2021, 2022]
    expected = np.full((4, 12), np.nan)
    expected[0, 11], expected[1, 0], expected[1, 2], expected[3, 1] = 0.32, -0.5, 1.0, 0.25
    assert table.months == pytest.approx(expected, nan_ok=True)
    assert table.totals == pytest.approx([0.32, 0.0, np.nan, 0.25], nan_ok=True)


def test_years_before_1970_are_years_too() -> None:
    table = monthly_table(times("1969-11-03", "1970-02-03"), np.array([0.1, 0.2]))
    assert table.years.tolist() == [1969, 1970]
    assert table.months[0, 10] == pytest.approx(0.1)
    assert table.months[1, 1] == pytest.approx(0.2)


def test_all_months_together_are_the_whole() -> None:
    ts = times("2000-01-03") + np.arange(2000) * 86_400_000_000_000
    returns = np.random.default_rng(0).normal(0, 0.01, 2000)
    table = monthly_table(ts, returns)
    whole = np.prod(1 + returns)
    assert np.nanprod(1 + table.months) == pytest.approx(whole)
    assert np.prod(1 + table.totals) == pytest.approx(whole)


def test_no_bars_make_an_empty_table() -> None:
    table = monthly_table(times(), np.zeros(0))
    assert table.months.shape == (0, 12)
    assert table.totals.shape == (0,)
