"""Stored prices end where the cluster's market is."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from serve.desk.analysis.market import bars, symbols
from serve.desk.analysis.prices import prices_of
from serve.desk.analysis.quick import quick_analysis
from tests.serve.analysis.desks import on_prices, simulated, walk, without_cluster
from trading.errors import DataError, NotFound, UsageError


def test_a_running_market_hides_what_has_not_happened(tmp_path: Path) -> None:
    desk, trading = simulated(tmp_path)
    now = trading.snapshot().clock_ns
    stored = prices_of(desk)
    assert stored.is_cut
    assert int(stored.table.ts[-1]) == now
    before = quick_analysis(desk, "AAPL")
    trading.advance(3)
    after = quick_analysis(desk, "AAPL")
    assert int(prices_of(desk).table.ts[-1]) > now
    assert after.as_of > before.as_of
    assert after.price != before.price


def test_without_a_cluster_all_prices_are_known(tmp_path: Path) -> None:
    stored = prices_of(without_cluster(tmp_path))
    assert not stored.is_cut
    assert len(stored.table) == 8313


def test_nothing_changed_gives_the_same_object(tmp_path: Path) -> None:
    desk = without_cluster(tmp_path)
    assert prices_of(desk) is prices_of(desk)


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    desk = on_prices(tmp_path, {"A": walk(1, 60)})
    assert len(prices_of(desk).table) == 60
    assert len(prices_of(on_prices(tmp_path, {"A": walk(1, 70)})).table) == 70


def test_a_source_that_begins_later_is_refused_by_name(tmp_path: Path) -> None:
    later = tmp_path / "later.csv"
    later.write_text("Date,A\n2031-01-06,1.0\n2031-01-07,2.0\n")
    desk, _ = simulated(tmp_path)
    with pytest.raises(DataError, match="begins after"):
        prices_of(replace(desk, source=str(later)))


@pytest.mark.parametrize("name", ["AAPL", "aapl", " AAPL ", "AAPL.XNAS"])
def test_a_symbol_is_found_however_it_is_written(tmp_path: Path, name: str) -> None:
    assert prices_of(without_cluster(tmp_path)).column(name) == 0


def test_an_unknown_symbol_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="did you mean AAPL"):
        prices_of(without_cluster(tmp_path)).column("APPL")


def test_bars_are_those_of_the_file_and_say_what_is_missing(tmp_path: Path) -> None:
    close = walk(2, 40)
    found = bars(on_prices(tmp_path, {"A": close, "B": walk(3, 40)}), "A", limit=5)
    assert [bar.close for bar in found.bars] == pytest.approx(close[-5:])
    assert found.left_out == 35
    assert found.bars[0].open is None
    assert found.bars[0].volume is None
    assert found.data.symbols == ["A"]
    assert found.as_of == found.bars[-1].at


def test_bars_of_a_file_with_ranges_have_them(tmp_path: Path) -> None:
    file = tmp_path / "full.csv"
    file.write_text(
        "Date,Ticker,Open,High,Low,Close,Volume\n"
        "2020-01-06,A,1.0,3.0,0.5,2.0,10\n2020-01-07,A,2.0,4.0,1.5,3.0,20\n"
    )
    bar = bars(replace(without_cluster(tmp_path), source=str(file)), "A").bars[-1]
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (2.0, 4.0, 1.5, 3.0, 20.0)


def test_bars_keep_to_the_dates(tmp_path: Path) -> None:
    found = bars(without_cluster(tmp_path), "MSFT", start="2010-03", end="2010-03-15", limit=1000)
    days = {bar.at.date().isoformat() for bar in found.bars}
    assert min(days) == "2010-03-01"
    assert max(days) == "2010-03-15"


def test_bars_of_no_time_say_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="1990-01-02 to 2022-12-28"):
        bars(without_cluster(tmp_path), "MSFT", start="2030")
    with pytest.raises(UsageError, match="limit"):
        bars(without_cluster(tmp_path), "MSFT", limit=0)


def test_symbols_lists_what_the_file_has(tmp_path: Path) -> None:
    close = walk(4, 30)
    close[:10] = np.nan
    file = on_prices(tmp_path, {"A": walk(1, 30), "B": walk(2, 30)})
    assert [row.symbol for row in symbols(file).symbols] == ["A", "B"]
    assert symbols(file).symbols[0].bars == 30
