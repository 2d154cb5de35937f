"""Recorded events of the catalogue: the grid that they lie on, the time that is read, what is refused."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from actors.storage.catalogue import Catalogue, Origin
from actors.storage.kinds import Kind, Table, schema_of
from trading.errors import DataError, UsageError
from trading.indicators.rolling import FloatArray
from trading.strategies.strategy import Bars
from trading.values import OrderSide
from tune.event_gear.bar_builder import BarPrice
from tune.event_gear.settings import EventSettings
from tune.recorded import is_recording, recording_of
from tune.report.event_summary import event_figures, replay_events

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
BEGIN = 18_000 * DAY
"""2019-04-14."""


def table(kind: Kind, rows: list[tuple[object, ...]]) -> Table:
    interval = "1d" if kind is Kind.BAR else ""
    return Table(kind, interval, pl.DataFrame(rows, schema=schema_of(kind), orient="row"))


def quotes(symbol: str = "EUR", size: float = 50_000.0, count: int = 120) -> Table:
    """A quote each second; the middle swings once in 40 seconds."""
    middle = 1.1 + 0.001 * np.sin(np.arange(count) * np.pi / 20)
    rows: list[tuple[object, ...]] = [
        (symbol, BEGIN + i * SECOND, i + 1, round(m - 1e-5, 5), round(m + 1e-5, 5), size, size)
        for i, m in enumerate(middle.tolist())
    ]
    return table(Kind.QUOTE, rows)


def trades(symbol: str, *prices: float, size: float = 0.25) -> Table:
    rows: list[tuple[object, ...]] = [
        (symbol, BEGIN + i * DAY, i + 1, price, size, "BUY") for i, price in enumerate(prices)
    ]
    return table(Kind.TRADE, rows)


def deltas(symbol: str) -> Table:
    levels = [("BUY", 99.5, 3.0), ("SELL", 100.5, 2.0), ("SELL", 100.5, 1.125)]
    rows: list[tuple[object, ...]] = [
        (symbol, BEGIN + i * DAY, i + 1, *level) for i, level in enumerate(levels)
    ]
    return table(Kind.DELTA, rows)


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return Catalogue(str(tmp_path / "catalogue"))


def write(catalogue: Catalogue, *tables: Table) -> None:
    catalogue.write("own", list(tables), Origin(("own.csv",), "FX", 1))


def test_data_set_without_bars_is_a_recording(catalogue: Catalogue) -> None:
    write(catalogue, quotes(), trades("BTC", 1.0))
    assert is_recording(catalogue.manifest("own"))
    bar = table(Kind.BAR, [("EUR", BEGIN, 1.0, 1.0, 1.0, 1.0, 0.0)])
    write(catalogue, quotes(), bar)
    assert not is_recording(catalogue.manifest("own"))


def test_every_price_and_size_lies_on_the_finest_grid(catalogue: Catalogue) -> None:
    write(catalogue, quotes(), trades("BTC", 60_000.5, 60_001.0, 60_001.25), deltas("BTC"))
    recording = recording_of(catalogue, "own", "20s")
    bitcoin, euro = recording.instruments
    assert (bitcoin.instrument_id, euro.instrument_id) == ("BTC.FX", "EUR.FX")
    assert (bitcoin.tick_size, bitcoin.lot_size) == (Decimal("0.01"), Decimal("0.001"))
    assert (euro.tick_size, euro.lot_size) == (Decimal("0.00001"), Decimal(1))
    assert bitcoin.min_quantity == bitcoin.lot_size
    assert recording.interval_ns == 20 * SECOND
    assert recording_of(catalogue, "own").interval_ns == 60 * SECOND


def test_bars_are_of_trades_where_there_are_some(catalogue: Catalogue) -> None:
    write(catalogue, quotes(), deltas("BTC"), trades("BTC", 1.5))
    assert recording_of(catalogue, "own").price is BarPrice.TRADE
    assert recording_of(catalogue, "own", symbols=("EUR",)).price is BarPrice.MIDDLE


def test_events_are_those_of_the_symbols_and_the_time_each_time_anew(catalogue: Catalogue) -> None:
    write(catalogue, quotes(), deltas("BTC"))
    recording = recording_of(catalogue, "own", symbols=("BTC",), end="2019-04-15")
    for _ in range(2):
        assert [event.ts_event for event in recording.events()] == [BEGIN, BEGIN + DAY]
    recording = recording_of(catalogue, "own", symbols=("EUR",), start="2019-04-14")
    assert sum(1 for _ in recording.events()) == 120


def test_book_without_its_beginning_is_refused(catalogue: Catalogue) -> None:
    write(catalogue, deltas("BTC"))
    with pytest.raises(UsageError, match="--from would cut off the beginning of the books"):
        recording_of(catalogue, "own", start="2019-04-15")
    assert len(recording_of(catalogue, "own", start="2019-04-14").instruments) == 1


@pytest.mark.parametrize(
    ("tables", "words", "told"),
    [
        ((quotes(),), {"symbols": ("USD",)}, "no symbol 'USD'; it has EUR"),
        ((quotes(),), {"interval": "soon"}, "'soon' is no interval"),
        ((quotes(),), {"start": "2019-05"}, "has no event in that time"),
        ((quotes(size=0.0),), {}, "shows no sizes to trade with for EUR"),
        ((quotes(), trades("BTC", 5.0)), {}, "shows no sizes to trade with for BTC"),
        ((trades("BTC", 5.0, size=1 / 3), deltas("BTC")), {}, "more than 10 digits"),
    ],
)
def test_recording_that_cannot_be_replayed_is_refused(
    catalogue: Catalogue, tables: tuple[Table, ...], words: dict[str, str], told: str
) -> None:
    write(catalogue, *tables)
    with pytest.raises(DataError, match=told):
        recording_of(catalogue, "own", **words)


class Swing:
    """Holds what fell in the last bar."""

    lookback = 2

    def targets(self, bars: Bars) -> FloatArray:
        fell = np.diff(bars.close, axis=0, prepend=bars.close[:1]) < 0
        return np.where(fell, 0.04, 0.0)


def test_replay_fills_at_what_was_quoted(catalogue: Catalogue) -> None:
    write(catalogue, quotes())
    recording = recording_of(catalogue, "own", "10s")
    run = replay_events("swing", Swing(), recording, EventSettings(), "drift")
    quoted = list(quotes().frame.iter_rows(named=True))
    assert len(run.result.fills) > 3
    for fill in run.result.fills:
        quote = next(row for row in reversed(quoted) if row["ts"] <= fill.ts_event)
        price = quote["ask_px"] if fill.side is OrderSide.BUY else quote["bid_px"]
        assert fill.last_px == Decimal(str(price))
    figures = event_figures(run)["metrics"]
    assert (figures["bars"], figures["books_agree"], figures["commission"]) == (13, True, 0.0)


def test_record_of_less_than_two_bars_is_refused(catalogue: Catalogue) -> None:
    write(catalogue, quotes(count=1))
    recording = recording_of(catalogue, "own", "1m")
    with pytest.raises(DataError, match="does not add up to two bars"):
        replay_events("swing", Swing(), recording, EventSettings(), "drift")
