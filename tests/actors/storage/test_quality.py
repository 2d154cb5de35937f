"""One fault at a time in clean data: the check that is for it finds it, and no other does."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from actors.storage.calendars import Sessions, sessions_between
from actors.storage.catalogue import Catalogue, Origin
from actors.storage.kinds import Kind, Table, schema_of
from actors.storage.quality import (
    SERIOUS,
    WARNING,
    Finding,
    Limits,
    check_bars,
    check_data_set,
    check_events,
    robust_scores,
)
from trading.errors import DataError
from trading.values import NANOS_PER_DAY

ROWS = 200
START = 20_000 * NANOS_PER_DAY


def clean() -> pl.DataFrame:
    ts = START + NANOS_PER_DAY * np.arange(1, ROWS + 1)
    wiggle = np.where(np.arange(ROWS) % 2, 1.01, 0.99) + 0.0001 * np.arange(ROWS)
    close = 100 * np.cumprod(wiggle / wiggle.mean())
    columns = {"ts": ts, "open": close, "high": close * 1.01, "low": close * 0.99, "close": close}
    frame = pl.DataFrame(columns).with_columns(symbol=pl.lit("A"), volume=pl.lit(5.0))
    return frame.select(*schema_of(Kind.BAR))


def changed(column: str, rows: list[int], value: float) -> pl.DataFrame:
    frame = clean()
    return frame.with_columns(frame[column].scatter(rows, value))


def found(frame: pl.DataFrame, sessions: Sessions | None = None) -> dict[tuple[str, str], int]:
    return {(f.check, f.severity): f.count for f in check_bars(frame, "1d", sessions, Limits())}


def test_when_data_is_clean_nothing_is_found() -> None:
    sessions = sessions_between("24/7", START, START + ROWS * NANOS_PER_DAY)
    assert found(clean(), sessions) == {}


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (changed("low", [7, 9], 0.0), {("price", SERIOUS): 2}),
        (changed("low", [7], float("nan")), {("price", SERIOUS): 1}),
        (changed("high", [7], 50.0), {("range", SERIOUS): 1}),
        (changed("open", [7], 1000.0), {("range", WARNING): 1}),
        (changed("volume", [3, 4], 0.0), {("volume", WARNING): 2}),
        (changed("ts", [7], START + 7 * NANOS_PER_DAY), {("duplicate", SERIOUS): 1}),
        (changed("ts", [7], START), {("order", SERIOUS): 1}),
    ],
)
def test_when_one_thing_is_wrong_it_alone_is_found(
    frame: pl.DataFrame, expected: dict[tuple[str, str], int]
) -> None:
    assert found(frame) == expected


def scaled(rows: slice, factor: float) -> pl.DataFrame:
    frame = clean()
    factors = np.ones(ROWS)
    factors[rows] = factor
    return frame.with_columns(
        pl.col(name) * pl.Series(factors) for name in ("open", "high", "low", "close")
    )


def test_when_a_price_jumps_and_comes_back_it_is_a_spike() -> None:
    assert found(scaled(slice(50, 51), 3.0)) == {("spike", SERIOUS): 1}


def test_when_a_price_jumps_and_stays_it_is_a_jump() -> None:
    assert found(scaled(slice(50, None), 3.0)) == {("jump", WARNING): 1}


def test_when_a_crash_is_taken_back_it_is_no_bad_tick_yet() -> None:
    assert found(scaled(slice(50, 51), 0.75)) == {("jump", WARNING): 2}


def test_when_the_market_is_quiet_a_small_move_is_no_outlier() -> None:
    calm = np.full(ROWS, 100.0) + np.where(np.arange(ROWS) % 2, 1e-6, 0.0)
    calm[100:] *= 1.004
    prices = {name: pl.Series(calm) for name in ("open", "high", "low", "close")}
    assert found(clean().with_columns(**prices)) == {}


def test_when_a_price_stands_still_it_is_stale() -> None:
    close = clean()["close"].to_numpy().copy()
    close[100:130] = close[100]
    close[130:] *= close[129] / clean()["close"][129]
    columns = {"open": close, "high": close * 1.01, "low": close * 0.99, "close": close}
    assert found(clean().with_columns(**{k: pl.Series(v) for k, v in columns.items()})) == {
        ("stale", WARNING): 30
    }


def test_scores_are_those_of_the_formula() -> None:
    price = np.exp(np.cumsum([0.0, 1.0, 2.0, 3.0, 4.0, 15.0]))
    scores, returns = robust_scores(price)
    # Returns that moved: 1 2 3 4 15; median 3, deviations 2 1 0 1 12, MAD 1.
    assert returns.tolist() == pytest.approx([0, 1, 2, 3, 4, 15])
    assert scores[1:].tolist() == pytest.approx([-1.349, -0.6745, 0, 0.6745, 8.094])
    assert robust_scores(np.array([5.0, 5.0]))[0].tolist() == [0, 0]


def new_york(days: list[int]) -> pl.DataFrame:
    """Bars of November 2020, Thanksgiving week, at 16:00 as sources with dates alone have them."""
    ts = [int(datetime(2020, 11, d, 21, tzinfo=UTC).timestamp()) * 10**9 for d in days]
    rows = [("A", moment, *[10.0 + i % 3] * 4, 1.0) for i, moment in enumerate(ts)]
    return pl.DataFrame(rows, schema=schema_of(Kind.BAR), orient="row")


def test_when_sessions_are_missing_or_too_many_the_calendar_says_so() -> None:
    frame = new_york([23, 24, 25, 27, 30])
    sessions = sessions_between("XNYS", frame["ts"][0], frame["ts"][-1])
    assert found(frame, sessions) == {}
    (gap,) = check_bars(new_york([23, 25, 30]), "1d", sessions, Limits())
    assert gap == Finding(
        "A", "gap", SERIOUS, 2,
        int(datetime(2020, 11, 24, tzinfo=UTC).timestamp()) * 10**9,
        "40.00% of 5 bars are missing, in 2 gaps",
    )  # fmt: skip
    assert found(new_york([23, 24, 25, 26, 27, 30]), sessions) == {("closed", WARNING): 1}


def test_when_minutes_are_missing_they_are_counted_within_the_session() -> None:
    """An early close: 210 minutes on 2020-11-27, the next session three days later."""
    days = [datetime(2020, 11, d, tzinfo=UTC) for d in (27, 30)]
    first = int(days[0].replace(hour=14, minute=31).timestamp()) * 10**9
    last = int(days[1].replace(hour=14, minute=35).timestamp()) * 10**9
    sessions = sessions_between("XNYS", first, last)
    assert sessions is not None
    expected = sessions.closes_of_bars("1m", first, last)
    assert expected.size == 210 + 5
    rows = [("A", int(ts), *[10.0 + i % 2] * 4, 1.0) for i, ts in enumerate(expected) if i != 100]
    frame = pl.DataFrame(rows, schema=schema_of(Kind.BAR), orient="row")
    (gap,) = check_bars(frame, "1m", sessions, Limits())
    assert (gap.check, gap.severity, gap.count, gap.first) == ("gap", WARNING, 1, expected[100])


def test_when_the_calendar_is_unknown_it_is_said() -> None:
    with pytest.raises(DataError, match="there is no calendar 'MOON'"):
        sessions_between("MOON", START, START)
    assert sessions_between("none", START, START) is None


def test_when_quotes_cross_or_numbers_are_missing_it_is_serious() -> None:
    rows = [("A", 1, 1, 1.0, 2.0, 0.0, 0.0), ("A", 2, 2, 3.0, 2.0, 0.0, 0.0),
            ("A", 2, 4, 1.0, 2.0, 0.0, 0.0)]  # fmt: skip
    frame = pl.DataFrame(rows, schema=schema_of(Kind.QUOTE), orient="row")
    findings = check_events(frame, Kind.QUOTE, Limits())
    assert {(f.check, f.severity) for f in findings} == {
        ("crossed", SERIOUS),
        ("sequence", SERIOUS),
    }
    trades = [("A", 2, 1, 5.0, 0.0, ""), ("A", 1, 2, 5.0, 1.0, "")]
    frame = pl.DataFrame(trades, schema=schema_of(Kind.TRADE), orient="row")
    findings = check_events(frame, Kind.TRADE, Limits())
    assert {(f.check, f.severity) for f in findings} == {("order", SERIOUS), ("size", WARNING)}


def test_when_a_file_was_changed_by_hand_the_hash_tells(tmp_path: Path) -> None:
    place = Catalogue(str(tmp_path))
    manifest = place.write("x", [Table(Kind.BAR, "1d", clean())], Origin(("f",), "XNAS", 1))
    assert check_data_set(place, "x") == []
    path = tmp_path / "x" / manifest.files[0].path
    frame = pl.read_parquet(path, hive_partitioning=False)
    frame.with_columns(pl.col("volume") + 1).write_parquet(path)
    (finding,) = check_data_set(place, "x")
    assert (finding.check, finding.severity) == ("changed", SERIOUS)
