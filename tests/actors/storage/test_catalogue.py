"""Storing and reading back: same values, one step from old to new, nothing half done in sight."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.storage import files
from actors.storage.catalogue import Catalogue, Origin
from actors.storage.corporate_actions import ACTIONS_SCHEMA
from actors.storage.event_streams import read_events
from actors.storage.files import Folder
from actors.storage.kinds import Kind, Table, schema_of
from trading.data import BookDelta, QuoteTick, TradeTick
from trading.errors import DataError, UsageError
from trading.values import BookAction, OrderSide

DAY = 86_400_000_000_000
YEAR = 366 * DAY


def bars(closes: dict[str, list[float]], step: int = DAY) -> Table:
    rows = [
        (symbol, (row + 1) * step, close, close, close, close, 1.0)
        for symbol, values in closes.items()
        for row, close in enumerate(values)
    ]
    return Table(Kind.BAR, "1d", pl.DataFrame(rows, schema=schema_of(Kind.BAR), orient="row"))


def origin(at: int = 1) -> Origin:
    return Origin(("file.csv",), "XNAS", at)


def events(kind: Kind, rows: list[tuple[object, ...]]) -> Table:
    return Table(kind, "", pl.DataFrame(rows, schema=schema_of(kind), orient="row"))


CLOSES = st.lists(st.floats(1e-9, 1e12), min_size=1, max_size=5)


@settings(deadline=None, max_examples=25)
@given(
    closes=st.dictionaries(st.sampled_from(["A", "B.C", "600000", "^X"]), CLOSES, min_size=1),
    step=st.sampled_from([DAY, YEAR]),
)
def test_what_is_stored_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, closes: dict[str, list[float]], step: int
) -> None:
    place = Catalogue(str(tmp_path_factory.mktemp("catalogue")))
    table = bars(dict(sorted(closes.items())), step)
    manifest = place.write("x", [table], origin())
    assert place.read("x", Kind.BAR, "1d").equals(table.frame)
    assert place.read("x", Kind.BAR, "1d", start=step, end=step + 1).equals(
        table.frame.filter(pl.col("ts") == step)
    )
    assert (manifest.rows, manifest.symbols()) == (table.frame.height, tuple(sorted(closes)))
    assert manifest == place.manifest("x")


def test_when_stored_the_folders_are_partitions(tmp_path: Path) -> None:
    place = Catalogue(str(tmp_path))
    quotes = events(Kind.QUOTE, [("X", DAY, 1, 1.0, 2.0, 0.0, 0.0)])
    manifest = place.write("mix", [bars({"A": [1.0]}, YEAR), quotes], origin())
    assert [file.path.partition("/")[2] for file in manifest.files] == [
        "kind=bar/interval=1d/symbol=A/year=1971/part-0.parquet",
        "kind=quote/symbol=X/year=1970/date=1970-01-02/part-0.parquet",
    ]
    pattern = f"{tmp_path}/mix/*/kind=bar/**/*.parquet"
    assert pl.read_parquet(pattern, hive_partitioning=True)["symbol"].to_list() == ["A"]


def test_when_memory_is_the_file_system_it_works_too() -> None:
    place = Catalogue("memory://catalogue-test")
    place.write("x", [bars({"A": [1.0, 2.0]})], origin())
    assert place.names() == ["x"]
    assert place.read("x", Kind.BAR, "1d")["close"].to_list() == [1.0, 2.0]
    place.remove("x")
    assert place.names() == []


@pytest.mark.parametrize("failing", range(4))
def test_when_an_import_breaks_off_the_old_version_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    """Fail just before the nth file gets its name: three files of rows, then the manifest."""
    place = Catalogue(str(tmp_path))
    old = bars({"A": [1.0], "B": [1.0]})
    place.write("x", [old], origin(1))
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    write, calls = files._write_synced, [0]

    def broken(path: Path, content: bytes) -> None:
        write(path, content[: len(content) // 2])
        if calls[0] == failing:
            raise KeyboardInterrupt
        calls[0] += 1
        write(path, content)

    monkeypatch.setattr(files, "_write_synced", broken)
    with pytest.raises(KeyboardInterrupt):
        place.write("x", [bars({"A": [2.0], "B": [2.0], "C": [2.0]})], origin(2))
    monkeypatch.undo()
    assert place.read("x", Kind.BAR, "1d").equals(old.frame)
    left = {path for path in tmp_path.rglob("*") if path.is_file()} - before
    assert all(path.suffix == ".parquet" and failing == 3 for path in left)


def test_when_replaced_the_version_before_stays_until_the_next(tmp_path: Path) -> None:
    place = Catalogue(str(tmp_path))
    versions = [place.write("x", [bars({"A": [float(n)]})], origin(n)).version for n in (1, 2, 3)]
    assert place.manifest("x").previous == versions[1]
    assert sorted(p.name for p in (tmp_path / "x").iterdir() if p.is_dir()) == versions[1:]


def test_when_two_data_sets_are_written_at_once_both_are_whole(tmp_path: Path) -> None:
    tables = {name: bars({s: [float(i)] * 30 for s in "ABCDE"}) for i, name in enumerate("xy", 1)}

    def write(name: str) -> None:
        Catalogue(str(tmp_path)).write(name, [tables[name]], origin())

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, "xy"))
    place = Catalogue(str(tmp_path))
    assert place.names() == ["x", "y"]
    for name, table in tables.items():
        assert place.read(name, Kind.BAR, "1d").equals(table.frame)


def test_when_values_are_equal_the_hash_is_too(tmp_path: Path) -> None:
    place = Catalogue(str(tmp_path))
    hashes = [
        place.write(f"d{index}", [bars(closes)], origin(index)).data_hash
        for index, closes in enumerate([{"A": [1.0, 2.0]}, {"A": [1.0, 2.0]}, {"A": [1.0, 2.5]}])
    ]
    assert hashes[0] == hashes[1] != hashes[2]
    actions = pl.DataFrame([("A", None, "split", 2.0)], schema=ACTIONS_SCHEMA, orient="row")
    with_actions = place.write("d9", [bars({"A": [1.0, 2.0]})], origin(9), actions)
    assert with_actions.data_hash != hashes[0]
    assert place.actions("d9").equals(actions)
    assert place.actions("d0").is_empty()


def test_when_something_is_missing_or_damaged_it_is_said(tmp_path: Path) -> None:
    place = Catalogue(str(tmp_path))
    with pytest.raises(DataError, match="has no data set 'x'; it has nothing"):
        place.manifest("x")
    with pytest.raises(UsageError, match="is no name"):
        place.write("../x", [bars({"A": [1.0]})], origin())
    with pytest.raises(DataError, match="no rows to store"):
        place.write("x", [], origin())
    manifest = place.write("x", [bars({"A": [1.0]})], origin())
    path = tmp_path / "x" / manifest.files[0].path
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="missing or damaged"):
        place.read("x", Kind.BAR, "1d")
    path.unlink()
    with pytest.raises(DataError, match="missing or damaged"):
        place.read("x", Kind.BAR, "1d")
    newer = msgspec.structs.replace(manifest, schema_version=99)
    Folder(str(tmp_path)).write("x/manifest.json", msgspec.json.encode(newer))
    with pytest.raises(DataError, match="newer than"):
        place.manifest("x")
    Folder(str(tmp_path)).write("x/manifest.json", b"{")
    with pytest.raises(DataError, match="is damaged"):
        place.manifest("x")


def test_when_events_are_read_they_come_in_order_as_messages(tmp_path: Path) -> None:
    place = Catalogue(str(tmp_path))
    tables = [
        events(
            Kind.QUOTE, [("X", 5, 1, 1.0, 2.0, 3.0, 4.0), ("X", DAY + 1, 2, 1.5, 2.0, 3.0, 4.0)]
        ),
        events(Kind.TRADE, [("X", 5, 1, 1.5, 1.0, "SELL"), ("X", 7, 2, 1.5, 1.0, "")]),
        events(Kind.DELTA, [("X", 5, 1, "BUY", 1.0, 3.0), ("X", 6, 2, "SELL", 2.0, 0.0)]),
    ]
    place.write("x", tables, origin())
    found = list(read_events(place, "x"))
    assert [(type(e), e.ts_event, e.sequence) for e in found] == [
        (BookDelta, 5, 1),
        (TradeTick, 5, 1),
        (QuoteTick, 5, 1),
        (BookDelta, 6, 2),
        (TradeTick, 7, 2),
        (QuoteTick, DAY + 1, 2),
    ]
    delta, trade, quote, removal, unsided, _ = found
    assert isinstance(delta, BookDelta)
    assert isinstance(removal, BookDelta)
    assert isinstance(trade, TradeTick)
    assert isinstance(unsided, TradeTick)
    assert isinstance(quote, QuoteTick)
    assert (delta.side, delta.action, delta.price, delta.size) == (
        OrderSide.BUY, BookAction.UPDATE, 1.0, 3.0,
    )  # fmt: skip
    assert (removal.side, removal.action) == (OrderSide.SELL, BookAction.DELETE)
    assert (trade.aggressor_side, unsided.aggressor_side) == (OrderSide.SELL, None)
    assert (quote.bid_px, quote.ask_px, quote.bid_size, quote.ask_size) == (1.0, 2.0, 3.0, 4.0)
    assert {event.instrument_id for event in found} == {"X.XNAS"}
    assert [e.ts_event for e in read_events(place, "x", 6, DAY + 1)] == [6, 7]
    assert list(read_events(place, "x", kinds=(Kind.TRADE,))) == [trade, unsided]
    assert list(read_events(place, "x", symbols=("Y",))) == []


def test_when_a_file_is_replaced_readers_keep_what_they_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Folder(str(tmp_path))
    folder.write("file", b"old")
    with (tmp_path / "file").open("rb") as reader:
        folder.write("file", b"new")
        assert reader.read() == b"old"
    assert folder.read("file") == b"new"

    def broken(path: Path, content: bytes) -> None:
        path.write_bytes(content[:1])
        raise OSError("the disk is full")

    monkeypatch.setattr(files, "_write_synced", broken)
    with pytest.raises(OSError, match="disk is full"):
        folder.write("file", b"never")
    assert folder.read("file") == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
