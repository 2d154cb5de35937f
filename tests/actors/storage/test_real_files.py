"""Real minute, tick and book files: counts and values worked out apart from our readers."""

import csv
import gzip
import io
import json
import zipfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from actors.storage.binance_capture import read_capture
from actors.storage.importing import Source, read_source
from actors.storage.kinds import Kind, Table

DATA = Path(__file__).parents[3] / "../shared/data"


def real(pattern: str) -> list[Path]:
    found = sorted(DATA.glob(pattern))
    if not found:
        pytest.skip(f"real data is absent: {pattern}")
    return found


def read(pattern: str, schema: str, **options: Any) -> tuple[Table, list[Path]]:
    files = real(pattern)
    (table,), bad = read_source(Source(tuple(map(str, files)), schema, **options))
    assert bad.count == 0
    return table, files


def zipped_rows(path: Path) -> list[list[str]]:
    with zipfile.ZipFile(path) as archive:
        text = archive.read(archive.namelist()[0]).decode()
    return list(csv.reader(io.StringIO(text)))


def epoch_ns(moment: datetime) -> int:
    return int((moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1)) * 1000


def test_lean_forex_minutes() -> None:
    table, files = read("lean/forex/oanda/minute/eurusd/*_quote.zip", "lean")
    expected = []
    for path in files:
        day = datetime.strptime(path.name[:8], "%Y%m%d").replace(tzinfo=UTC)
        for row in zipped_rows(path):
            numbers = [float(cell) for cell in row]
            bid, ask = numbers[1:5], numbers[6:10]
            end = day + timedelta(milliseconds=numbers[0] + 60_000)
            mids = [(b + a) / 2 for b, a in zip(bid, ask, strict=True)]
            expected.append(("EURUSD", epoch_ns(end), *mids, 0.0))
    assert (table.kind, table.interval, len(files)) == (Kind.BAR, "1m", 15)
    assert table.frame.rows() == expected


def test_lean_forex_ticks() -> None:
    table, files = read("lean/forex/oanda/tick/eurusd/*_quote.zip", "lean")
    rows = [
        (epoch_ns(datetime.strptime(p.name[:8], "%Y%m%d").replace(tzinfo=UTC)) + int(r[0]) * 1_000_000,
         float(r[1]), float(r[2]))
        for p in files
        for r in zipped_rows(p)
    ]  # fmt: skip
    assert table.kind is Kind.QUOTE
    assert table.frame.select("ts", "bid_px", "ask_px").rows() == rows
    assert table.frame["sequence"].to_list() == list(range(1, len(rows) + 1))


@pytest.mark.parametrize(
    ("pattern", "interval", "rows"),
    [
        ("lean/crypto/coinbase/daily/btcusd_trade.zip", "1d", 1318),
        ("lean/forex/oanda/daily/eurusd.zip", "1d", 3738),
        ("lean/forex/fxcm/daily/eurusd.zip", "1d", None),
        ("lean/crypto/coinbase/minute/ethusd/*_trade.zip", "1m", None),
        ("lean/crypto/coinbase/minute/btcusd/*_quote.zip", "1m", None),
        ("lean/crypto/coinbase/second/btcusd/*_trade.zip", "1s", None),
        ("lean/cryptofuture/binance/hour/adausdt_trade.zip", "1h", None),
        ("lean/cfd/oanda/minute/xauusd/*_quote.zip", "1m", None),
    ],
)
def test_lean_counts(pattern: str, interval: str, rows: int | None) -> None:
    table, files = read(pattern, "lean")
    lines = sum(len(zipped_rows(path)) for path in files)
    assert (table.interval, table.frame.height) == (interval, lines)
    assert rows in (None, lines)


def test_lean_days_of_a_fixed_offset_market_end_at_its_midnight() -> None:
    table, files = read("lean/forex/fxcm/daily/eurusd.zip", "lean")
    first = datetime.strptime(zipped_rows(files[0])[0][0], "%Y%m%d %H:%M").replace(tzinfo=UTC)
    assert table.frame["ts"][0] == epoch_ns(first + timedelta(hours=24 + 5))


def test_one_minute_bars_of_a_perpetual() -> None:
    table, _ = read("nautilus/btc-perp-*_1m.csv", "ohlcv", symbol="BTC-PERP", interval="1m")
    first = ("BTC-PERP", epoch_ns(datetime(2021, 12, 31, 23, 1, tzinfo=UTC)),
             46319.0, 46385.0, 46319.0, 46377.0, 2300413.7295)  # fmt: skip
    assert table.frame.height == 45_031
    assert table.frame.row(0) == first


@pytest.mark.parametrize(
    ("pattern", "schema", "rows", "first"),
    [
        ("nautilus/quote_tick_data.csv", "histdata-ticks", 9500,
         (datetime(2020, 1, 1, 22, 0, 0, 65_000, tzinfo=UTC), 1.1212, 1.12172)),
        ("nautilus/truefx/usdjpy-ticks.csv", "quotes", 1000,
         (datetime(2013, 1, 1, 22, 0, 0, 295_000, tzinfo=UTC), 86.655, 86.728)),
    ],
)  # fmt: skip
def test_quote_ticks(pattern: str, schema: str, rows: int, first: Any) -> None:
    table, _ = read(pattern, schema, symbol="X")
    assert table.frame.height == rows
    assert table.frame.select("ts", "bid_px", "ask_px").row(0) == (epoch_ns(first[0]), *first[1:])


def test_twenty_stocks_and_five_stocks() -> None:
    wide, _ = read("pypi/skfolio/sp500_dataset.csv.gz", "wide")
    assert (wide.frame.height, wide.frame["symbol"].n_unique()) == (8313 * 20, 20)
    long, _ = read("pypi/bokeh_sampledata/stocks.csv.gz", "long")
    assert long.frame.height == 12_154


@pytest.mark.parametrize("name", ["usdm/btcusdt", "spot/btcusdt", "spot/ethusdt"])
def test_binance_capture_of_the_first_lines(name: str) -> None:
    (path,) = real(f"hftbacktest/{name}_20240808.gz")
    with gzip.open(path) as file:
        lines = [next(file) for _ in range(4000)]
    tables, bad = read_capture(str(path), lines)
    counts = {table.kind: table.frame.height for table in tables}
    assert bad.count == 0
    assert counts == counted(lines)
    book = {table.kind: table for table in tables}[Kind.DELTA].frame
    assert replayed(book.select("side", "price", "size").rows()) == book_of(lines)


def counted(lines: list[bytes]) -> dict[Kind, int]:
    """Count messages with plain json; updates up to the snapshot's id are part of it."""
    messages = [json.loads(line.partition(b" ")[2]) for line in lines]
    (snapshot,) = [m for m in messages if "lastUpdateId" in m]
    names = Counter(m["stream"].split("@")[1] for m in messages if "stream" in m)
    deltas = len(snapshot["bids"]) + len(snapshot["asks"])
    for message in messages:
        data = message.get("data", {})
        if data.get("e") == "depthUpdate" and data["u"] > snapshot["lastUpdateId"]:
            deltas += len(data["b"]) + len(data["a"])
    return {Kind.QUOTE: names["bookTicker"], Kind.TRADE: names["trade"], Kind.DELTA: deltas}


def book_of(lines: list[bytes]) -> dict[tuple[str, float], float]:
    messages = [json.loads(line.partition(b" ")[2]) for line in lines]
    (snapshot,) = [m for m in messages if "lastUpdateId" in m]
    rows = [("BUY", *level) for level in snapshot["bids"]]
    rows += [("SELL", *level) for level in snapshot["asks"]]
    for message in messages:
        data = message.get("data", {})
        if data.get("e") == "depthUpdate" and data["u"] > snapshot["lastUpdateId"]:
            rows += [("BUY", *level) for level in data["b"]]
            rows += [("SELL", *level) for level in data["a"]]
    return replayed([(side, float(price), float(size)) for side, price, size in rows])


def replayed(rows: list[tuple[str, float, float]]) -> dict[tuple[str, float], float]:
    book: dict[tuple[str, float], float] = {}
    for side, price, size in rows:
        if size:
            book[side, price] = size
        else:
            book.pop((side, price), None)
    return book
