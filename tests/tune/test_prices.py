"""Spans of time, and prices adjusted for splits and dividends."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.feeds.sources import PriceTable
from trading.backtest.engine import Actions
from trading.errors import DataError, UsageError
from trading.identifiers import InstrumentId
from trading.indicators.rolling import FloatArray
from trading.strategies.strategy import Bars
from tune.prices import adjusted, bars_of, moment_of, prices_of

NS = 1_000_000_000
DAY_NS = 86_400 * NS


def ns(year: int, month: int, day: int, hour: int = 0) -> int:
    return int(datetime(year, month, day, hour, tzinfo=UTC).timestamp()) * NS


def table_of(first: date, days: int, columns: int = 2) -> PriceTable:
    """Bars at 21:00 of each day; every field tells its row."""
    ts = ns(first.year, first.month, first.day, 21) + DAY_NS * np.arange(days, dtype=np.int64)
    close = 100.0 + np.arange(days)[:, None] + np.zeros(columns)
    ids = tuple(InstrumentId(f"{chr(65 + i)}.X") for i in range(columns))
    return PriceTable(ts, ids, close - 0.5, close + 1, close - 1, close, 10.0 * close)


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        ("2015", ns(2015, 1, 1), ns(2016, 1, 1)),
        ("2016", ns(2016, 1, 1), ns(2017, 1, 1)),
        ("2015-03", ns(2015, 3, 1), ns(2015, 4, 1)),
        ("2015-12", ns(2015, 12, 1), ns(2016, 1, 1)),
        ("2016-02", ns(2016, 2, 1), ns(2016, 3, 1)),
        ("2015-02", ns(2015, 2, 1), ns(2015, 3, 1)),
        ("2015-06-30", ns(2015, 6, 30), ns(2015, 7, 1)),
        ("2016-02-28", ns(2016, 2, 28), ns(2016, 2, 29)),
        ("2016-02-29", ns(2016, 2, 29), ns(2016, 3, 1)),
        ("2015-12-31", ns(2015, 12, 31), ns(2016, 1, 1)),
        ("1969-12-31", -DAY_NS, 0),
    ],
)
def test_when_a_date_is_read_begin_and_end_enclose_it(text: str, begin: int, end: int) -> None:
    assert moment_of(text) == begin
    assert moment_of(text, is_end=True) == end


@settings(deadline=None, max_examples=100)
@given(st.dates(date(1900, 1, 1), date(2200, 12, 30)))
def test_when_any_day_is_read_its_end_is_the_next_begin(day: date) -> None:
    following = day + timedelta(days=1)
    assert moment_of(day.isoformat(), is_end=True) == moment_of(following.isoformat())
    month = f"{day.year:04}-{day.month:02}"
    assert moment_of(month) <= moment_of(day.isoformat()) < moment_of(month, is_end=True)
    year = f"{day.year:04}"
    assert moment_of(year) <= moment_of(month)
    assert moment_of(month, is_end=True) <= moment_of(year, is_end=True)


@pytest.mark.parametrize("is_end", [False, True])
@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2015-13", "2015-00", "2015-02-29", "2015-06-31", "2015-1-1-1", "2015/01/01", "-2015", "2015-", "1e3", "0"],
)  # fmt: skip
def test_when_a_text_is_no_date_the_sentence_says_what_is(text: str, is_end: bool) -> None:
    with pytest.raises(UsageError) as caught:
        moment_of(text, is_end=is_end)
    assert str(caught.value) == f"{text!r} is no date; give YYYY, YYYY-MM or YYYY-MM-DD."


def test_when_no_bounds_are_given_all_bars_are_there() -> None:
    table = table_of(date(2015, 12, 1), 100)
    bars = bars_of(table)
    for name in ("ts", "close", "open", "high", "low", "volume"):
        np.testing.assert_array_equal(getattr(bars, name), getattr(table, name))
    assert bars.instrument_ids == table.instrument_ids


@pytest.mark.parametrize(
    ("start", "end", "first", "last"),
    [
        ("2015-12-31", "2016-01-01", date(2015, 12, 31), date(2016, 1, 1)),
        ("2016", "", date(2016, 1, 1), date(2016, 3, 9)),
        ("", "2015", date(2015, 12, 1), date(2015, 12, 31)),
        ("2016-02", "2016-02", date(2016, 2, 1), date(2016, 2, 29)),
        ("2016-02-29", "2016-02-29", date(2016, 2, 29), date(2016, 2, 29)),
        ("1990", "2050", date(2015, 12, 1), date(2016, 3, 9)),
        ("15", "9998", date(2015, 12, 1), date(2016, 3, 9)),
    ],
)
def test_when_a_span_is_given_both_bounds_are_in_it(
    start: str, end: str, first: date, last: date
) -> None:
    bars = bars_of(table_of(date(2015, 12, 1), 100), start, end)
    days = bars.ts.astype("datetime64[ns]").astype("datetime64[D]")
    assert (days[0], days[-1]) == (np.datetime64(first), np.datetime64(last))
    assert len(bars) == (last - first).days + 1
    assert bars.close[0, 0] == 100.0 + (first - date(2015, 12, 1)).days


@pytest.mark.parametrize(
    ("start", "end"), [("2017", ""), ("", "2014"), ("2016-02", "2016-01"), ("2050", "2060")]
)
def test_when_no_bar_lies_in_a_span_the_sentence_says_where_there_are_some(
    start: str, end: str
) -> None:
    with pytest.raises(DataError) as caught:
        bars_of(table_of(date(2015, 12, 1), 100), start, end)
    text = str(caught.value)
    assert "from 2015-12-01 to 2016-03-09" in text
    assert (start or "the begin") in text
    assert (end or "the end") in text


def test_when_there_are_no_actions_what_is_looked_at_is_what_is_traded() -> None:
    prices = prices_of(table_of(date(2020, 1, 1), 10), None, "2020-01-03", "2020-01-05")
    assert prices.bars is prices.market
    assert prices.actions is None
    assert len(prices.bars) == 3


def no_actions(rows: int, columns: int) -> tuple[FloatArray, FloatArray]:
    return np.ones((rows, columns)), np.zeros((rows, columns))


def test_when_a_span_is_cut_the_actions_stay_on_their_bars() -> None:
    table = table_of(date(2020, 1, 1), 10)
    splits, dividends = no_actions(10, 2)
    splits[4, 0], dividends[6, 1] = 2.0, 1.5
    prices = prices_of(table, Actions(splits, dividends), "2020-01-04", "2020-01-08")
    assert prices.actions is not None
    np.testing.assert_array_equal(prices.actions.splits, splits[3:8])
    np.testing.assert_array_equal(prices.actions.dividends, dividends[3:8])
    np.testing.assert_array_equal(prices.market.close, table.close[3:8])
    assert not np.array_equal(prices.bars.close, prices.market.close)


def test_when_shares_are_split_and_pay_the_adjusted_closes_are_those_of_a_hand() -> None:
    """100, then two for one at 50, then 2 paid at 49 (50 before it): 100 / 2 * (1 - 2 / 50) = 48."""
    market = Bars.of_closes(
        ns(2020, 1, 1) + DAY_NS * np.arange(4),
        (InstrumentId("A.X"),),
        np.array([[100.0], [50.0], [49.0], [51.0]]),
    )
    splits, dividends = no_actions(4, 1)
    splits[1], dividends[2] = 2.0, 2.0
    bars = adjusted(market, Actions(splits, dividends))
    np.testing.assert_allclose(bars.close[:, 0], [48.0, 48.0, 49.0, 51.0])
    np.testing.assert_allclose(bars.open, bars.close)


def test_when_shares_are_split_old_volumes_are_in_new_shares() -> None:
    market = bars_of(table_of(date(2020, 1, 1), 4, 1))
    splits, dividends = no_actions(4, 1)
    splits[2] = 4.0
    bars = adjusted(market, Actions(splits, dividends))
    np.testing.assert_allclose(bars.volume[:, 0] / market.volume[:, 0], [4, 4, 1, 1])
    np.testing.assert_allclose(bars.high[:, 0] / market.high[:, 0], [0.25, 0.25, 1, 1])


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 10**6), rows=st.integers(2, 40))
def test_when_anything_happens_adjusted_returns_are_total_returns(seed: int, rows: int) -> None:
    random = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(random.normal(0, 0.03, (rows, 2)), axis=0))
    splits = random.choice([0.5, 1.0, 1.0, 1.0, 2.0, 3.0], (rows, 2))
    dividends = random.choice([0.0, 0.0, 1.0], (rows, 2))
    table = table_of(date(2020, 1, 1), rows)
    market = Bars.of_closes(table.ts, table.instrument_ids, close)
    bars = adjusted(market, Actions(splits, dividends))
    for row in range(1, rows):
        before = close[row - 1] / splits[row] - dividends[row]
        np.testing.assert_allclose(bars.close[row] / bars.close[row - 1], close[row] / before)
    np.testing.assert_array_equal(bars.close[-1], close[-1])
