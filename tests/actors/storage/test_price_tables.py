"""Tables for backtests: aligned, cut, resampled, from every kind of source."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from actors.feeds.sources import load_prices
from actors.storage.catalogue import Catalogue, Origin
from actors.storage.importing import Source, read_source
from actors.storage.kinds import Kind, Table, schema_of
from actors.storage.price_tables import load_table, open_source
from trading.errors import DataError

MINUTE = 60_000_000_000


@pytest.fixture
def place(tmp_path: Path) -> Catalogue:
    """A in minutes 1 to 10; B in the odd ones alone."""
    rows = [
        (symbol, minute * MINUTE, float(minute), minute + 2.0, minute - 0.5, minute + 1.0, 3.0)
        for symbol, step in (("A", 1), ("B", 2))
        for minute in range(1, 11, step)
    ]
    frame = pl.DataFrame(rows, schema=schema_of(Kind.BAR), orient="row")
    place = Catalogue(str(tmp_path / "catalogue"))
    place.write("m", [Table(Kind.BAR, "1m", frame)], Origin(("f",), "OANDA", 1))
    return place


def test_when_loaded_instruments_share_the_moments(place: Catalogue) -> None:
    table = load_table(place, "m", ["B", "A"])
    assert table.instrument_ids == ("B.OANDA", "A.OANDA")
    assert table.ts.tolist() == [minute * MINUTE for minute in range(1, 11)]
    assert table.close[:3].tolist() == [
        [2.0, 2.0],
        [pytest.approx(np.nan, nan_ok=True), 3.0],
        [4.0, 4.0],
    ]
    assert table.volume[:2].tolist() == [[3.0, 3.0], [0.0, 3.0]]
    assert table.open[0].tolist() == [1.0, 1.0]
    assert len(table.bars_at(1)) == 1


def test_when_cut_the_end_is_not_included(place: Catalogue) -> None:
    table = load_table(place, "m", start=3 * MINUTE, end=5 * MINUTE)
    assert table.ts.tolist() == [3 * MINUTE, 4 * MINUTE]


def test_when_resampled_a_cut_changes_no_bar(place: Catalogue) -> None:
    whole = load_table(place, "m", interval="5m")
    assert whole.ts.tolist() == [5 * MINUTE, 10 * MINUTE]
    assert whole.close.tolist() == [[6.0, 6.0], [11.0, 10.0]]
    assert whole.volume.tolist() == [[15.0, 9.0], [15.0, 6.0]]
    cut = load_table(place, "m", start=8 * MINUTE, interval="5m")
    assert cut.ts.tolist() == [10 * MINUTE]
    assert cut.open.tolist() == whole.open[1:].tolist()
    assert load_table(place, "m", end=10 * MINUTE, interval="5m").ts.tolist() == [5 * MINUTE]


@pytest.mark.parametrize(
    ("name", "symbols", "interval", "words"),
    [
        ("n", (), "", "has no data set 'n'; it has m"),
        ("m", ("a",), "", "did you mean A?"),
        ("m", ("Z9",), "", "it has A, B"),
        ("m", (), "30s", "holds nothing that bars of 30s are made of"),
        ("m", (), "1h", "has no bar of 1h in that time"),
    ],
)
def test_when_it_is_not_there_it_is_said(
    place: Catalogue, name: str, symbols: tuple[str, ...], interval: str, words: str
) -> None:
    with pytest.raises(DataError) as caught:
        load_table(place, name, symbols, interval=interval)
    assert words in str(caught.value)


def test_when_a_source_is_opened_its_name_decides(place: Catalogue, tmp_path: Path) -> None:
    assert open_source("catalogue:m", ["A"], place).close[-1, 0] == 11.0
    assert open_source("catalogue:m@5m", (), place).ts.size == 2
    path = tmp_path / "closes.csv"
    path.write_text("Date,X\n2020-01-02,5\n")
    assert open_source(str(path), (), place).close.tolist() == [[5.0]]
    with pytest.raises(DataError, match="there is no file"):
        open_source("m", (), place)


def test_the_shipped_stocks_are_the_same_through_the_catalogue(tmp_path: Path) -> None:
    import skfolio

    file = Path(skfolio.__file__).parent / "datasets" / "data" / "sp500_dataset.csv.gz"
    tables, bad = read_source(Source((str(file),), "wide"))
    place = Catalogue(str(tmp_path))
    place.write("sp500", tables, Origin((str(file),), "XNAS", 1))
    direct, stored = (
        load_prices("sp500", ["AAPL", "KO"]),
        load_table(place, "sp500", ["AAPL", "KO"]),
    )
    assert bad.count == 0
    assert stored.instrument_ids == direct.instrument_ids
    assert np.array_equal(stored.ts, direct.ts)
    for name in ("open", "high", "low", "close", "volume"):
        assert np.array_equal(getattr(stored, name), getattr(direct, name))
