"""Longer bars against a plain loop; nothing that is not complete yet."""

import math
from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.storage.calendars import sessions_between
from actors.storage.kinds import Kind, Table, schema_of
from actors.storage.resampling import resample
from trading.errors import DataError

MINUTE = 60_000_000_000
Row = tuple[str, int, float, float, float, float, float]


def bars(rows: list[Row], interval: str = "1m") -> Table:
    return Table(Kind.BAR, interval, pl.DataFrame(rows, schema=schema_of(Kind.BAR), orient="row"))


def ns(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000_000


def looped(rows: list[Row], minutes: int, until: int) -> list[Row]:
    """Group by hand: a bar that ends at t belongs to the first multiple of the interval from t on."""
    out: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        end = math.ceil(row[1] / (minutes * MINUTE)) * minutes * MINUTE
        out.setdefault((row[0], end), []).append(row)
    return [
        (symbol, end, group[0][2], max(r[3] for r in group), min(r[4] for r in group),
         group[-1][5], sum(r[6] for r in group))
        for (symbol, end), group in sorted(out.items())
        if end <= until
    ]  # fmt: skip


@settings(deadline=None, max_examples=40)
@given(
    minutes=st.sets(st.integers(1, 60), min_size=1),
    factor=st.sampled_from([1, 5, 15]),
    seed=st.integers(0, 1000),
)
def test_when_bars_are_joined_they_are_those_of_a_loop(
    minutes: set[int], factor: int, seed: int
) -> None:
    rows = []
    for symbol in "AB":
        for minute in sorted(minutes):
            low = 1.0 + (seed * 31 + minute * 17 + ord(symbol)) % 23
            rows.append((symbol, minute * MINUTE, low + 1, low + 3, low, low + 2, float(minute)))
    found = resample(bars(rows), f"{factor}m")
    assert found.rows() == looped(rows, factor, max(minutes) * MINUTE)


def test_when_the_last_bar_is_not_over_it_does_not_exist() -> None:
    rows: list[Row] = [("A", minute * MINUTE, 1.0, 1.0, 1.0, 1.0, 1.0) for minute in range(1, 10)]
    assert resample(bars(rows), "5m")["ts"].to_list() == [5 * MINUTE]
    assert resample(bars(rows), "5m", until=10 * MINUTE)["ts"].to_list() == [
        5 * MINUTE,
        10 * MINUTE,
    ]


@pytest.mark.parametrize("cut", range(1, 30))
def test_when_the_future_is_cut_off_the_bars_before_stay_the_same(cut: int) -> None:
    rows = [("A", minute * MINUTE, *[float(minute)] * 4, 1.0) for minute in range(1, 31)]
    whole, known = resample(bars(rows), "7m"), resample(bars(rows[:cut]), "7m")
    assert known.equals(whole.filter(pl.col("ts") <= cut * MINUTE))


def test_when_trades_are_joined_a_trade_at_the_end_belongs_to_the_next_bar() -> None:
    rows = [
        ("A", MINUTE // 2, 1, 5.0, 2.0, "BUY"),
        ("A", MINUTE - 1, 2, 4.0, 1.0, ""),
        ("A", MINUTE, 3, 9.0, 7.0, ""),
        ("A", 2 * MINUTE, 4, 8.0, 1.0, ""),
    ]
    table = Table(Kind.TRADE, "", pl.DataFrame(rows, schema=schema_of(Kind.TRADE), orient="row"))
    assert resample(table, "1m").rows() == [
        ("A", MINUTE, 5.0, 5.0, 4.0, 4.0, 3.0),
        ("A", 2 * MINUTE, 9.0, 9.0, 9.0, 9.0, 7.0),
    ]


def test_when_quotes_are_joined_the_mid_is_the_price() -> None:
    rows = [("A", 1, 1, 1.0, 3.0, 0.0, 0.0), ("A", 2, 2, 2.0, 4.0, 0.0, 0.0)]
    table = Table(Kind.QUOTE, "", pl.DataFrame(rows, schema=schema_of(Kind.QUOTE), orient="row"))
    expected = [("A", MINUTE, 2.0, 3.0, 2.0, 3.0, 0.0)]
    assert resample(table, "1m", until=MINUTE).rows() == expected


def test_when_days_are_sessions_the_label_is_their_close() -> None:
    """On 2020-11-27 New York closed at 13:00; the bar that ends at 14:30 UTC was before the open."""
    day = datetime(2020, 11, 27, tzinfo=UTC)
    moments = [day.replace(hour=14, minute=30), day.replace(hour=14, minute=31),
               day.replace(hour=18), day.replace(hour=18, minute=1)]  # fmt: skip
    rows: list[Row] = [("A", ns(m), *[float(i)] * 4, 1.0) for i, m in enumerate(moments, 1)]
    sessions = sessions_between("XNYS", ns(day), ns(day))
    found = resample(bars(rows), "1d", sessions=sessions)
    assert found.rows() == [("A", ns(day.replace(hour=18)), 2.0, 3.0, 2.0, 3.0, 2.0)]


@pytest.mark.parametrize(
    ("table", "interval", "words"),
    [
        (bars([], "5m"), "1m", "cannot be made of bars of 5m"),
        (bars([], "5m"), "7m", "cannot be made of bars of 5m"),
        (bars([]), "0m", "is no interval"),
        (Table(Kind.DELTA, "", pl.DataFrame(schema=schema_of(Kind.DELTA))), "1m", "book deltas"),
    ],
)
def test_when_it_cannot_be_done_it_is_said(table: Table, interval: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        resample(table, interval)
    sessions = sessions_between("24/7", 0, 0)
    with pytest.raises(DataError, match=r"sessions are for bars of 1d|" + words):
        resample(table, interval, sessions=sessions)
