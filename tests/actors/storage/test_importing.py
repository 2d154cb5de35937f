"""Generated files through every layout: values, and each way in which a row can be bad."""

import gzip
import io
import tempfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.storage.importing import Source, read_source
from actors.storage.kinds import Kind, Table, schema_of
from trading.errors import DataError

NY_CLOSE_WINTER = datetime(2020, 1, 2, 21, tzinfo=UTC)
NY_CLOSE_SUMMER = datetime(2020, 7, 1, 20, tzinfo=UTC)
OHLCV = "timestamp,open,high,low,close,volume\n"


def ns(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000_000


def written(folder: Path, text: str, name: str = "data.csv") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def read_one(file: str, schema: str, **options: object) -> Table:
    (table,), _ = read_source(Source((file,), schema, **options))  # type: ignore[arg-type]
    return table


def test_when_closes_are_wide_each_cell_is_a_bar_at_the_new_york_close(tmp_path: Path) -> None:
    file = written(tmp_path, "Date,B,A\n2020-01-02,1.5,2\n2020-07-01,,3\n")
    table = read_one(file, "wide")
    assert (table.kind, table.interval) == (Kind.BAR, "1d")
    assert table.frame.columns == list(schema_of(Kind.BAR))
    assert table.frame.rows() == [
        ("A", ns(NY_CLOSE_WINTER), 2.0, 2.0, 2.0, 2.0, 0.0),
        ("A", ns(NY_CLOSE_SUMMER), 3.0, 3.0, 3.0, 3.0, 0.0),
        ("B", ns(NY_CLOSE_WINTER), 1.5, 1.5, 1.5, 1.5, 0.0),
    ]


@pytest.mark.parametrize("packing", [".csv", ".csv.gz", ".zip", ".parquet"])
def test_when_packed_the_rows_are_the_same(tmp_path: Path, packing: str) -> None:
    text = "Date,Ticker,Open,High,Low,Close,Volume\n2020-01-02,KO,1,4,0.5,3,7\n"
    path = tmp_path / f"data{packing}"
    if packing == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("inside.csv", text)
    elif packing == ".parquet":
        pl.read_csv(text.encode(), try_parse_dates=True).write_parquet(path)
    else:
        path.write_bytes(gzip.compress(text.encode()) if packing == ".csv.gz" else text.encode())
    frame = read_one(str(path), "long").frame
    assert frame.rows() == [("KO", ns(NY_CLOSE_WINTER), 1.0, 4.0, 0.5, 3.0, 7.0)]


def test_when_the_label_is_the_start_the_bar_ends_an_interval_later(tmp_path: Path) -> None:
    row = "1577836800000,1,2,1,2,5," + ",".join("0" * 6)
    frame = read_one(
        written(tmp_path, row + "\n"), "binance-klines", symbol="X", interval="1m"
    ).frame
    assert frame["ts"][0] == 1_577_836_860_000_000_000


def test_when_a_mapping_says_how_any_file_is_read(tmp_path: Path) -> None:
    mapping = """\
kind = "trade"
separator = ";"
time_unit = "us"
[columns]
time = "when"
price = "px"
size = "qty"
side = "way"
symbol = "what"
"""
    schema = written(tmp_path, mapping, "mapping.toml")
    file = written(tmp_path, "when;what;px;qty;way\n5;X;2.5;3;buy\n5;X;2.5;1;\n6;Y;1;1;SELL\n")
    frame = read_one(file, schema).frame
    assert frame.rows() == [
        ("X", 5000, 1, 2.5, 3.0, "BUY"),
        ("X", 5000, 2, 2.5, 1.0, ""),
        ("Y", 6000, 1, 1.0, 1.0, "SELL"),
    ]


def test_when_a_zone_is_named_local_times_become_utc(tmp_path: Path) -> None:
    mapping = 'kind = "quote"\ntime_zone = "Europe/Berlin"\n[columns]\ntime = "t"\nbid_px = "b"\nask_px = "a"\n'
    schema = written(tmp_path, mapping, "mapping.toml")
    file = written(tmp_path, "t,b,a\n2020-07-01 12:00:00.25,1,2\n")
    expected = ns(datetime(2020, 7, 1, 10, tzinfo=UTC)) + 250_000_000
    assert read_one(file, schema, symbol="X").frame["ts"].to_list() == [expected]
    skipped = written(tmp_path, "t,b,a\n2020-03-29 02:30:00,1,2\n")
    with pytest.raises(DataError, match=r"line 2, column t.*02:30:00 is not a time"):
        read_one(skipped, schema, symbol="X")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("2020-01-01,1,2,1,x,5", "line 2, column close (X): x is not a number"),
        ("2020-01-01,1,2,1,,5", "line 2, column close (X): an empty cell is not a number"),
        ("2020-01-01,1,2,1,nan,5", "line 2, column close (X): nan is no price"),
        ("2020-01-01,-1,2,1,1,5", "line 2, column open (X): -1.0 is no price"),
        ("2020-01-01,1,2,0,1,5", "line 2, column low (X): 0.0 is no price"),
        ("2020-01-01,1,inf,1,1,5", "line 2, column high (X): inf is no price"),
        ("2020-01-01,1,2,1,1,-5", "line 2, column volume (X): -5.0 is no size"),
        ("2020-01-01,1,1,2,1,5", "line 2, column high (X): 1.0 with low 2.0 is below the low"),
        ("yesterday,1,1,1,1,5", "line 2, column timestamp (X): yesterday is not a time"),
        (
            "2020-01-02,1,1,1,1,5\n2020-01-02,1,1,1,1,5",
            "line 3, column time (X): 2020-01-02 repeats",
        ),
        (
            "2020-01-02,1,1,1,1,5\n2020-01-01,1,1,1,1,5",
            "line 3, column time (X): 2020-01-01 is older",
        ),
    ],
)
def test_when_a_row_is_bad_the_error_names_file_line_and_column(
    tmp_path: Path, rows: str, words: str
) -> None:
    file = written(tmp_path, OHLCV + rows + "\n")
    with pytest.raises(DataError) as caught:
        read_one(file, "ohlcv", symbol="X", interval="1d")
    assert str(caught.value).startswith(f"{file}, {words}")
    assert "--on-error skip" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "schema", "options", "words"),
    [
        ("timestamp,open\n1,2\n", "ohlcv", {"interval": "1d"}, "has no column 'close'"),
        (OHLCV, "ohlcv", {"interval": "1d"}, "holds no rows"),
        ("", "ohlcv", {"interval": "1d"}, "holds no rows"),
        (OHLCV + "2020-01-01,1,1,1,1,1\n", "ohlcv", {}, "--interval"),
        (OHLCV + "2020-01-01,1,1,1,1,1\n", "ohlcv", {"interval": "1y"}, "is no interval"),
        (OHLCV + "2020-01-01,1,1,1,1,1\n", "ohlcv", {"interval": "1d", "symbol": ""}, "--symbol"),
        (
            OHLCV + "2020-01-01,1,1,1,1,1\n",
            "ohlcv",
            {"interval": "1d", "symbol": "A/B"},
            "no symbol",
        ),
        ("Date,A B\n2020-01-02,1\n", "wide", {}, "'A B' is no symbol"),
        ("1,2\n", "histdata-ticks", {}, "has 2 columns, its schema has 4"),
        (OHLCV, "ohlvc", {}, "did you mean ohlcv?"),
        (OHLCV, "missing.toml", {}, "cannot be read"),
        ("0,1,1,1,1,1\n", "lean", {}, "does not lie in a Lean folder"),
    ],
)
def test_when_the_whole_file_is_wrong_one_sentence_says_what_to_do(
    tmp_path: Path, text: str, schema: str, options: dict[str, str], words: str
) -> None:
    with pytest.raises(DataError) as caught:
        read_one(written(tmp_path, text), schema, **{"symbol": "X", **options})
    assert words in str(caught.value)


def test_when_a_file_is_missing_or_damaged_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_one(str(tmp_path / "none.csv"), "wide")
    for name in ("data.gz", "data.zip", "data.parquet"):
        path = tmp_path / name
        path.write_bytes(b"this is no archive")
        with pytest.raises(DataError, match=r"is damaged|cannot be read"):
            read_one(str(path), "wide")
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.csv", "x")
        archive.writestr("b.csv", "x")
    with pytest.raises(DataError, match="must hold one file, it holds 2"):
        read_one(str(tmp_path / "two.zip"), "wide")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('kind = "bar"\n[columns]\nclose = "c"\n', "`time` is missing"),
        ('kind = "bar"\n[columns]\ntime = "t"\nprice = "c"\n', "'price' is none of"),
        ('kind = "bar"\ntime_zone = "Mars"\n[columns]\ntime = "t"\n', "'Mars'"),
        ('kind = "bar"\ncolour = 1\n[columns]\ntime = "t"\n', "colour"),
        ("kind = \n", "is wrong"),
    ],
)
def test_when_a_mapping_is_wrong_it_is_said(tmp_path: Path, text: str, words: str) -> None:
    schema = written(tmp_path, text, "mapping.toml")
    with pytest.raises(DataError) as caught:
        read_one(written(tmp_path, "t,c\n1,2\n"), schema, symbol="X", interval="1d")
    assert words in str(caught.value)
    assert "mapping.toml" in str(caught.value)


def test_when_bad_rows_are_skipped_the_good_stay_and_the_bad_are_counted(tmp_path: Path) -> None:
    days = range(1, 29)
    rows = [f"2020-02-{day:02d},1,1,1,{0 if day % 2 else day},1" for day in days]
    file = written(tmp_path, OHLCV + "\n".join(rows) + "\n")
    source = Source((file,), "ohlcv", "X", "1d", skip_bad=True)
    (table,), bad = read_source(source)
    assert table.frame["close"].to_list() == [float(day) for day in days if day % 2 == 0]
    assert (bad.count, bad.named[0].line, bad.named[1].line) == (14, 2, 4)


def test_when_every_row_is_bad_nothing_is_imported(tmp_path: Path) -> None:
    file = written(tmp_path, OHLCV + "2020-01-01,0,1,1,1,1\n")
    with pytest.raises(DataError, match="no good row is left"):
        read_source(Source((file,), "ohlcv", "X", "1d", skip_bad=True))


def test_when_files_are_given_in_any_order_time_decides(tmp_path: Path) -> None:
    second = written(tmp_path, OHLCV + "2020-01-02,2,2,2,2,0\n", "a.csv")
    first = written(tmp_path, OHLCV + "2020-01-01,1,1,1,1,0\n", "b.csv")
    (table,), _ = read_source(Source((second, first), "ohlcv", "X", "1d"))
    assert table.frame["close"].to_list() == [1.0, 2.0]
    with pytest.raises(DataError, match="repeats a row before it"):
        read_source(Source((first, first), "ohlcv", "X", "1d"))


PRICES = st.floats(min_value=1e-6, max_value=1e9)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(PRICES, PRICES, st.floats(0, 1e12)), min_size=1, max_size=20))
def test_what_was_written_is_what_is_read(rows: list[tuple[float, float, float]]) -> None:
    buffer = io.StringIO(OHLCV)
    buffer.seek(0, io.SEEK_END)
    expected = []
    for minute, (a, b, volume) in enumerate(rows):
        low, high = min(a, b), max(a, b)
        buffer.write(f"{minute},{a!r},{high!r},{low!r},{b!r},{volume!r}\n")
        expected.append(("X", (minute) * 1_000_000_000, a, high, low, b, volume))
    with tempfile.TemporaryDirectory() as folder:
        mapping = 'kind = "bar"\ntime_unit = "s"\n[columns]\ntime = "timestamp"\n' + "".join(
            f'{name} = "{name}"\n' for name in ("open", "high", "low", "close", "volume")
        )
        schema = written(Path(folder), mapping, "m.toml")
        file = written(Path(folder), buffer.getvalue())
        assert read_one(file, schema, symbol="X", interval="1s").frame.rows() == expected
