from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from skfolio.datasets import load_sp500_dataset

from actors.feeds.sources import NEW_YORK, PriceTable, load_prices, symbols_of
from trading.errors import DataError

WIDE = "Date,AAA,BBB\n2022-01-03,1.5,20\n2022-07-05,1.6,21\n"
LONG = (
    "Date,Ticker,Open,High,Low,Close,Volume\n"
    "2022-01-03,AAA,1,3,0.5,2,100\n"
    "2022-01-03,BBB,5,5,5,5,7\n"
    "2022-01-04,AAA,2,4,1,3,200\n"
    "2022-01-04,BBB,6,6,6,6,8\n"
)


def written(folder: Path, text: str) -> str:
    path = folder / "prices.csv"
    path.write_text(text)
    return str(path)


def moment(table: PriceTable, row: int) -> str:
    return datetime.fromtimestamp(int(table.ts[row]) / 1e9, UTC).isoformat()


def test_shipped_prices_are_those_of_skfolio() -> None:
    table = load_prices("sp500", ("MSFT", "AAPL"))
    expected = load_sp500_dataset()
    assert table.instrument_ids == ("MSFT.XNAS", "AAPL.XNAS")
    np.testing.assert_array_equal(table.close, expected[["MSFT", "AAPL"]].to_numpy())
    assert table.open is table.close
    assert not table.volume.any()
    assert [moment(table, 0)[:10], moment(table, -1)[:10]] == ["1990-01-02", "2022-12-28"]
    assert symbols_of("sp500") == tuple(expected.columns)


def test_day_stands_for_the_close_of_the_new_york_session(tmp_path: Path) -> None:
    table = load_prices(written(tmp_path, WIDE), ())
    assert moment(table, 0) == "2022-01-03T21:00:00+00:00"
    assert moment(table, 1) == "2022-07-05T20:00:00+00:00"


def test_wide_csv_has_one_column_of_closes_per_symbol(tmp_path: Path) -> None:
    table = load_prices(written(tmp_path, WIDE), ("BBB",))
    assert table.instrument_ids == ("BBB.XNAS",)
    assert table.close.tolist() == [[20.0], [21.0]]
    assert table.high.tolist() == table.close.tolist()


def test_long_csv_has_whole_bars(tmp_path: Path) -> None:
    table = load_prices(written(tmp_path, LONG), ("AAA", "BBB"))
    assert table.open.tolist() == [[1.0, 5.0], [2.0, 6.0]]
    assert table.high[:, 0].tolist() == [3.0, 4.0]
    assert table.low[:, 0].tolist() == [0.5, 1.0]
    assert table.close[:, 0].tolist() == [2.0, 3.0]
    assert table.volume.tolist() == [[100.0, 7.0], [200.0, 8.0]]


@pytest.mark.parametrize("text", [WIDE, LONG])
def test_parquet_file_gives_the_same_table_as_the_csv(tmp_path: Path, text: str) -> None:
    source = written(tmp_path, text)
    pl.read_csv(source, try_parse_dates=True).write_parquet(tmp_path / "prices.parquet")
    one, other = load_prices(source, ()), load_prices(str(tmp_path / "prices.parquet"), ())
    assert one.instrument_ids == other.instrument_ids
    for name in ("ts", "open", "high", "low", "close", "volume"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_bars_of_one_moment_leave_out_what_is_missing(tmp_path: Path) -> None:
    table = load_prices(written(tmp_path, "Date,AAA,BBB\n2022-01-03,1,2\n2022-01-04,,3\n"), ())
    (bar,) = table.bars_at(1)
    assert (bar.instrument_id, bar.close, bar.sequence) == ("BBB.XNAS", 3.0, 2)
    assert bar.ts_event == table.ts[1]
    assert len(table.bars_at(0)) == 2


def test_missing_price_may_be_empty_or_nan_and_a_symbol_may_have_none(tmp_path: Path) -> None:
    text = "Date,AAA,BBB\n2022-01-03,1,\n2022-01-04,nan,\n2022-01-05,NaN,\n2022-01-06,,\n"
    table = load_prices(written(tmp_path, text), ())
    assert table.close[0, 0] == 1.0
    assert np.isnan(table.close[1:, 0]).all()
    assert np.isnan(table.close[:, 1]).all()
    assert [len(table.bars_at(row)) for row in range(4)] == [1, 0, 0, 0]


def test_shipped_prices_are_20_stocks_over_33_years() -> None:
    table = load_prices("sp500", ())
    assert (len(table), len(table.instrument_ids)) == (8_313, 20)
    assert np.isfinite(table.close).all()
    assert (np.diff(table.ts) > 0).all()


def test_moment_without_a_zone_is_utc_and_one_with_a_zone_is_kept(tmp_path: Path) -> None:
    plain = load_prices(written(tmp_path, "Date,AAA\n2022-01-03T15:30:00,1\n"), ())
    assert moment(plain, 0) == "2022-01-03T15:30:00+00:00"
    zoned = pl.DataFrame({"Date": [datetime(2022, 1, 3, 15, 30, tzinfo=NEW_YORK)], "AAA": [1]})
    zoned.write_parquet(tmp_path / "zoned.parquet")
    assert moment(load_prices(str(tmp_path / "zoned.parquet"), ()), 0).startswith(
        "2022-01-03T20:30:00"
    )


@pytest.mark.parametrize("name", ["prices.parquet", "prices.csv"])
def test_file_that_is_neither_csv_nor_parquet_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"\xff\xfe\x00 no table \x00")
    with pytest.raises(DataError, match=f"{name} cannot be read|first column must be"):
        load_prices(str(path), ())


def test_symbol_asked_for_twice_is_loaded_once() -> None:
    assert symbols_of("sp500", ("KO", "AAPL", "KO")) == ("KO", "AAPL")


def test_unknown_symbol_names_the_nearest() -> None:
    with pytest.raises(DataError, match=r"sp500 has no symbol 'AAPLE'; did you mean AAPL\?"):
        load_prices("sp500", ("AAPLE",))
    with pytest.raises(DataError, match="no symbol '123'; it has AAPL, AMD"):
        load_prices("sp500", ("123",))


def test_missing_file_says_what_is_possible() -> None:
    with pytest.raises(DataError, match=r"no file 'gone.csv'; data.source is `sp500` or a CSV"):
        load_prices("gone.csv", ())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read"),
        ("Day,AAA\n2022-01-03,1\n", "the first column must be `Date`"),
        ("Date,AAA\n2022-01-03,1\n2022-01-04,x\n", "line 3, column AAA: 'x' is not a number"),
        ("Date,AAA\n2022-01-03,1\n2022-01-04,-2\n", r"row 2 \(2022-01-04\), AAA: .* is -2.0"),
        ("Date,AAA\n2022-01-03,1\n2022-01-04,0\n", r"row 2 \(2022-01-04\), AAA: .* is 0.0"),
        ("Date,AAA\n2022-01-03,1\n2022-01-04,inf\n", r"AAA"),
        ("Date,AAA\n2022-01-03,1\n2022-01-03,1\n", "row 2: 2022-01-03 repeats the row before"),
        ("Date,AAA\n2022-01-04,1\n2022-01-03,1\n", "row 2: 2022-01-03 is older than the row"),
        ("Date,AAA\n2022-01-03,1\nsoon,1\n", "is not a date"),
        ("Date,AAA\n2022-01-03,1\n2022-01-04,1,9\n", "cannot be read"),
        (
            "Date,AAA\n2022-01-03,1\n2022-01-04,2022-01-05\n",
            "line 3, column AAA: '2022-01-05' is not",
        ),
        (
            "Date,AAA\n2022-01-03,2022-01-04\n2022-01-04,2022-01-05\n",
            "line 2, column AAA: .* is not",
        ),
        ("Date,AAA\n", "holds no rows"),
        ("Date\n2022-01-03\n", "needs a symbol as its name"),
        ("Date,AAA,\n2022-01-03,1,\n", "needs a symbol as its name"),
        ("Date,Ticker,Close\n2022-01-03,AAA,1\n2022-01-03,AAA,2\n", "arranged by Ticker"),
        ("Date,Ticker,Close\n2022-01-03,AAA,1\n2022-01-04,AAA,x\n", "line 3, column Close: 'x' is"),
        ("Date,Ticker,Close,Volume\n2022-01-03,AAA,1,q\n", "line 2, column Volume: 'q' is not"),
        ("Date,Ticker,Open\n2022-01-03,AAA,1\n", "there is no column 'Close'"),
    ],
)
def test_bad_file_is_refused_in_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    source = written(tmp_path, text)
    with pytest.raises(DataError, match=message) as caught:
        load_prices(source, ())
    assert source in str(caught.value)
    assert "\n" not in str(caught.value)
