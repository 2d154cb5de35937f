"""Features on Ray against a plain loop over the symbols, and each feature against its definition."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from actors.storage.catalogue import Catalogue, Origin
from actors.storage.kinds import Kind, Table, schema_of
from trading.errors import DataError
from tune.features import SUMMARY, FeatureWindows, build_features, cutler_rsi, features_of

pytestmark = [pytest.mark.ray, pytest.mark.timeout(180)]

SYMBOLS = ("AAA", "BBB", "CCC", "600000")
ROWS = 120


@pytest.fixture(scope="module")
def place() -> Iterator[Catalogue]:
    generator = np.random.default_rng(5)
    frames = []
    for symbol in sorted(SYMBOLS):
        close = 100 * np.exp(np.cumsum(generator.normal(0, 0.01, ROWS)))
        prices = dict.fromkeys(("open", "high", "low", "close"), close)
        columns = {"ts": np.arange(1, ROWS + 1), **prices, "volume": generator.uniform(1, 9, ROWS)}
        frames.append(pl.DataFrame(columns).with_columns(symbol=pl.lit(symbol)))
    frame = pl.concat(frames).select(*schema_of(Kind.BAR))
    folder = tempfile.mkdtemp(prefix="tr-", dir="/tmp")
    catalogue = Catalogue(folder)
    catalogue.write("x", [Table(Kind.BAR, "1d", frame)], Origin(("f",), "XNAS", 1))
    yield catalogue
    shutil.rmtree(folder)


def test_features_on_ray_are_those_of_one_process(
    ray_session: Any, place: Catalogue, tmp_path: Path
) -> None:
    windows = FeatureWindows(momentum=7)
    summary = build_features(place.url, "x", str(tmp_path), windows=windows)
    assert summary["rows"] == dict.fromkeys(sorted(SYMBOLS), ROWS)
    assert (tmp_path / SUMMARY).is_file()
    for symbol in SYMBOLS:
        stored = pl.read_parquet(
            tmp_path / f"symbol={symbol}/part-0.parquet", hive_partitioning=False
        )
        alone = features_of(place.read("x", Kind.BAR, "1d", (symbol,)), windows)
        assert stored.equals(alone)
        assert alone["momentum"].is_nan().sum() == 7


def test_features_follow_their_definitions(place: Catalogue) -> None:
    bars = place.read("x", Kind.BAR, "1d", ("AAA",))
    close = bars["close"].to_numpy()
    row = features_of(bars, FeatureWindows()).row(100, named=True)
    returns = close[1:] / close[:-1] - 1
    changes = np.diff(close)[86:100]
    gains, losses = changes[changes > 0].sum(), -changes[changes < 0].sum()
    assert row["return_1"] == pytest.approx(returns[99])
    assert row["momentum"] == pytest.approx(close[100] / close[80] - 1)
    assert row["volatility"] == pytest.approx(returns[79:100].std(ddof=1) * np.sqrt(252))
    assert row["rsi"] == pytest.approx(100 - 100 / (1 + gains / losses))
    window = bars["volume"].to_numpy()[81:101]
    assert row["volume_zscore"] == pytest.approx((window[-1] - window.mean()) / window.std(ddof=1))


def test_when_nothing_moves_the_rsi_is_in_the_middle() -> None:
    rsi = cutler_rsi(np.array([[5.0], [5.0], [5.0], [6.0], [5.0]]), 2)[:, 0]
    assert rsi[2:].tolist() == [50.0, 100.0, 50.0]
    assert np.isnan(rsi[:2]).all()


def test_when_there_are_no_such_bars_it_is_said(place: Catalogue, tmp_path: Path) -> None:
    for options in ({"interval": "1m"}, {"symbols": ["ZZZ"]}):
        with pytest.raises(DataError, match="has no bars of"):
            build_features(place.url, "x", str(tmp_path), **options)  # type: ignore[arg-type]
