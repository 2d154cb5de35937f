import math
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.errors import DataError
from trading.identifiers import InstrumentId
from trading.indicators.periods import IntArray
from trading.strategies.holdings import (
    Holding,
    lag_cost,
    weights_of_holdings,
)

NAMES = (InstrumentId("AAA.XNAS"), InstrumentId("BRK.B.XNYS"))
Q1, Q2 = date(2020, 3, 31), date(2020, 6, 30)
MAY, AUGUST = date(2020, 5, 15), date(2020, 8, 14)


def closes(*days: str) -> IntArray:
    """21:00 UTC of each day, when New York closes in winter."""
    moments: IntArray = np.array([f"{day}T21:00" for day in days], "datetime64[ns]").astype(
        np.int64
    )
    return moments


QUARTER = [
    Holding(Q1, MAY, "AAA", 60.0),
    Holding(Q1, MAY, "BRK.B", 20.0),
    Holding(Q1, MAY, "ELSE", 20.0),
]


def test_holding_is_known_from_the_bar_after_its_disclosed_day_and_not_from_its_report() -> None:
    ts = closes("2020-03-31", "2020-04-01", "2020-05-15", "2020-05-18", "2020-05-19")
    weights = weights_of_holdings(QUARTER, ts, NAMES)
    assert np.isnan(weights[:3]).all()
    np.testing.assert_array_equal(weights[3:], [[0.6, 0.2], [0.6, 0.2]])


@given(st.integers(0, 200), st.integers(0, 60))
@settings(deadline=None, max_examples=60)
def test_no_bar_on_or_before_the_disclosed_day_knows_anything(report: int, delay: int) -> None:
    start = date(2020, 1, 1).toordinal()
    day, disclosed = date.fromordinal(start + report), date.fromordinal(start + report + delay)
    days = [date.fromordinal(start + i) for i in range(270)]
    ts = closes(*map(str, days))
    weights = weights_of_holdings([Holding(day, disclosed, "AAA", 1.0)], ts, NAMES)
    for on, row in zip(days, weights, strict=True):
        assert math.isnan(row[0]) == (on <= disclosed)


def test_next_report_replaces_the_portfolio_and_what_is_gone_has_weight_0() -> None:
    ts = closes("2020-05-18", "2020-08-17")
    weights = weights_of_holdings([Holding(Q2, AUGUST, "BRK.B", 5.0), *QUARTER], ts, NAMES)
    np.testing.assert_array_equal(weights, [[0.6, 0.2], [0.0, 1.0]])


def test_amendment_replaces_its_report_and_a_late_old_report_changes_nothing() -> None:
    amended = Holding(Q1, date(2020, 5, 20), "AAA", 1.0)
    newer = Holding(Q2, AUGUST, "BRK.B", 1.0)
    late = Holding(Q1, date(2020, 9, 1), "AAA", 1.0)
    ts = closes("2020-05-19", "2020-05-21", "2020-08-17", "2020-09-02")
    weights = weights_of_holdings([late, newer, amended, *QUARTER], ts, NAMES)
    np.testing.assert_array_equal(weights, [[0.6, 0.2], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])


def test_reports_of_two_quarters_on_one_day_leave_the_newer() -> None:
    both = [Holding(Q2, AUGUST, "AAA", 1.0), Holding(Q1, AUGUST, "BRK.B", 1.0)]
    weights = weights_of_holdings(both, closes("2020-08-17"), NAMES)
    np.testing.assert_array_equal(weights, [[1.0, 0.0]])


def test_lines_of_one_symbol_add_up_and_shorts_count_by_their_size() -> None:
    lines = [
        Holding(Q1, MAY, "AAA", 30.0),
        Holding(Q1, MAY, "AAA", 20.0),
        Holding(Q1, MAY, "BRK.B", -50.0),
    ]
    weights = weights_of_holdings(lines, closes("2020-05-18"), NAMES)
    np.testing.assert_array_equal(weights, [[0.5, -0.5]])


def test_weights_are_taken_as_they_are() -> None:
    lines = [Holding(Q1, MAY, "AAA", 0.3), Holding(Q1, MAY, "BRK.B", 0.1)]
    weights = weights_of_holdings(lines, closes("2020-05-18"), NAMES, unit="weight")
    np.testing.assert_array_equal(weights, [[0.3, 0.1]])


def test_portfolio_of_nothing_has_no_weight() -> None:
    lines = [Holding(Q1, MAY, "AAA", 0.0)]
    weights = weights_of_holdings(lines, closes("2020-05-18"), NAMES)
    np.testing.assert_array_equal(weights, [[0.0, 0.0]])


def test_shares_are_valued_at_the_last_close_up_to_the_report_date() -> None:
    ts = closes("2020-03-30", "2020-03-31", "2020-04-01", "2020-05-18")
    close = np.array([[1.0, 1.0], [2.0, 10.0], [900.0, 900.0], [900.0, 900.0]])
    lines = [Holding(Q1, MAY, "AAA", 15.0), Holding(Q1, MAY, "BRK.B", 7.0)]
    weights = weights_of_holdings(lines, ts, NAMES, "shares", close)
    np.testing.assert_allclose(weights[-1], [0.3, 0.7])


@pytest.mark.parametrize(
    ("lines", "unit", "what"),
    [
        (
            [Holding(MAY, Q1, "AAA", 1.0)],
            "value",
            "disclosed on 2020-03-31, before its report date",
        ),
        ([Holding(Q1, MAY, "AAA", math.nan)], "value", "the amount is nan"),
        ([Holding(Q1, MAY, "ELSE", 1.0)], "shares", "ELSE on 2020-03-31: no price"),
        ([Holding(Q1, MAY, "AAA", 1.0)], "shares", "AAA on 2020-03-31: no price"),
        ([Holding(date(2019, 1, 1), MAY, "BRK.B", 1.0)], "shares", "BRK.B on 2019-01-01: no price"),
    ],
)
def test_bad_line_is_named(lines: list[Holding], unit: str, what: str) -> None:
    ts, close = closes("2020-03-31", "2020-05-18"), np.array([[math.nan, 5.0], [1.0, 1.0]])
    with pytest.raises(DataError, match=what):
        weights_of_holdings(lines, ts, NAMES, unit, close)  # type: ignore[arg-type]


def test_shares_without_prices_are_refused() -> None:
    with pytest.raises(DataError, match="Holdings in shares need prices"):
        weights_of_holdings(QUARTER, closes("2020-05-18"), NAMES, unit="shares")


def test_no_lines_are_an_unknown_leader() -> None:
    ts = closes("2020-05-18", "2020-05-19")
    assert np.isnan(weights_of_holdings([], ts, NAMES)).all()


def test_lag_costs_what_the_price_ran_away() -> None:
    traded = np.array([1_000.0, -1_000.0, 500.0, 500.0])
    leader = np.array([100.0, 100.0, 50.0, 50.0])
    ours = np.array([101.0, 101.0, 49.0, math.nan])
    np.testing.assert_allclose(lag_cost(traded, leader, ours), [10.0, -10.0, -10.0, math.nan])
