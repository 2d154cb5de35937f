"""Splits and dividends by hand."""

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from actors.feeds.sources import PriceTable
from actors.storage.corporate_actions import ACTIONS_SCHEMA, action_arrays, adjust, read_actions
from actors.storage.kinds import Kind, schema_of
from trading.errors import DataError
from trading.identifiers import InstrumentId

DAYS = [date(2020, 1, day) for day in (2, 3, 6, 7)]
CLOSES = [100.0, 102.0, 50.0, 51.0]


def close_of(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, 21, tzinfo=UTC).timestamp()) * 1_000_000_000


def bars() -> pl.DataFrame:
    rows = [("A", close_of(d), c, c, c, c, 10.0) for d, c in zip(DAYS, CLOSES, strict=True)]
    return pl.DataFrame(rows, schema=schema_of(Kind.BAR), orient="row")


def actions(*rows: tuple[str, date, str, float]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=ACTIONS_SCHEMA, orient="row")


def test_when_split_prices_before_are_divided_and_volumes_multiplied() -> None:
    found = adjust(bars(), actions(("A", DAYS[2], "split", 2.0)))
    assert found["close"].to_list() == [50.0, 51.0, 50.0, 51.0]
    assert found["volume"].to_list() == [20.0, 20.0, 10.0, 10.0]


def test_when_a_dividend_is_paid_returns_are_those_of_reinvesting() -> None:
    found = adjust(bars(), actions(("A", DAYS[3], "dividend", 1.0)))
    # On the ex-date a holder has 51 + 1 of 50: 4 %.
    assert found["close"].to_list() == pytest.approx([98.0, 99.96, 49.0, 51.0])
    assert found["close"][3] / found["close"][2] == pytest.approx(51 / 49)
    assert found["volume"].to_list() == [10.0] * 4


def test_when_split_and_dividend_share_a_day_the_dividend_is_on_the_new_units() -> None:
    both = actions(("A", DAYS[2], "split", 2.0), ("A", DAYS[2], "dividend", 1.02))
    # Close before: 102, which is 51 after the split; the factor is 1 - 1.02 / 51 = 0.98.
    expected = [50 * 0.98, 51 * 0.98, 50.0, 51.0]
    assert adjust(bars(), both)["close"].to_list() == pytest.approx(expected)


def test_when_actions_lie_outside_or_belong_to_others_nothing_changes() -> None:
    others = actions(
        ("A", date(2019, 1, 1), "split", 2.0), ("A", date(2021, 1, 1), "dividend", 2.0),
        ("A", DAYS[0], "dividend", 2.0), ("B", DAYS[2], "split", 2.0),
    )  # fmt: skip
    assert adjust(bars(), others).equals(bars())


def test_when_a_dividend_is_not_below_the_price_it_is_refused() -> None:
    with pytest.raises(DataError, match="is not below the price 102"):
        adjust(bars(), actions(("A", DAYS[2], "dividend", 102.0)))


def table() -> PriceTable:
    close = np.array([[100.0, 7.0], [102.0, 7.0], [50.0, np.nan], [51.0, 7.0]])
    ts = np.array([close_of(day) for day in DAYS])
    ids = (InstrumentId("A.XNAS"), InstrumentId("B.XNAS"))
    return PriceTable(ts, ids, close, close, close, close, np.zeros_like(close))


def test_when_aligned_each_action_stands_at_the_first_bar_that_has_it() -> None:
    found = action_arrays(
        table(),
        actions(
            ("A", date(2020, 1, 4), "split", 2.0),
            ("A", DAYS[3], "dividend", 0.5),
            ("A", DAYS[3], "dividend", 0.25),
            ("B", DAYS[2], "split", 3.0),
            ("A", date(2019, 12, 1), "split", 5.0),
            ("B", date(2021, 1, 1), "dividend", 5.0),
        ),
    )
    assert found.splits.tolist() == [[1, 1], [1, 1], [2, 1], [1, 3]]
    assert found.dividends.tolist() == [[0, 0], [0, 0], [0, 0], [0.75, 0]]


def test_when_a_file_is_read_its_rows_are_sorted(tmp_path: Path) -> None:
    path = tmp_path / "actions.csv"
    path.write_text("ex_date,kind,value,symbol\n2020-01-07,Dividend,1,A\n2020-01-06,split,2,A\n")
    assert read_actions(str(path)).equals(
        actions(("A", DAYS[2], "split", 2.0), ("A", DAYS[3], "dividend", 1.0))
    )


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("A,2020-1-x,split,2", "line 2, column ex_date: '2020-1-x' cannot be; write YYYY-MM-DD"),
        ("A,2020-01-02,merger,2", "line 2, column kind: 'merger'"),
        ("A,2020-01-02,split,0", "line 2, column value: '0'"),
        ("A,2020-01-02,split,nan", "line 2, column value: 'nan'"),
        (",2020-01-02,split,2", "line 2, column symbol: None"),
        ("A,2020-01-02,split,2\nA,2020-01-02,split,2", "has the split of A on 2020-01-02 twice"),
    ],
)
def test_when_an_action_is_wrong_it_is_named(tmp_path: Path, row: str, words: str) -> None:
    path = tmp_path / "actions.csv"
    path.write_text(f"symbol,ex_date,kind,value\n{row}\n")
    with pytest.raises(DataError) as caught:
        read_actions(str(path))
    assert words in str(caught.value)


def test_when_columns_are_missing_it_is_said(tmp_path: Path) -> None:
    path = tmp_path / "actions.csv"
    path.write_text("symbol,ex_date,value\nA,2020-01-02,2\n")
    with pytest.raises(DataError, match="has no column 'kind'"):
        read_actions(str(path))
