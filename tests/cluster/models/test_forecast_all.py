"""`trader forecast --all`: tables in a folder, and the symbols that are not in them."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from actors.models.registry import ModelRegistry
from actors.storage.catalogue import Catalogue, Origin
from actors.storage.kinds import Kind, Table, schema_of

Trader = Callable[..., Any]
DAY_NS = 86_400_000_000_000


@pytest.fixture
def trader(trader: Any, registry: ModelRegistry) -> Any:
    return partial(trader, "forecast", "--model", "walk")


def test_all_symbols_become_tables(trader: Trader, home: Path) -> None:
    ended = trader("--all", "--out", "tables", "--horizon", "2", "--json")
    assert (ended.status, ended.err) == (0, "")
    summary = json.loads((home / "tables/forecasts.json").read_text())
    assert ended.json == summary
    assert (summary["model"], summary["forecasts"], summary["errors"]) == ("walk@1", 20, 0)
    rows = pl.read_parquet(home / "tables" / summary["folder"] / "forecasts.parquet")
    alone = trader("KO", "--horizon", "2", "--json").json
    for level in ("0.025", "0.5"):
        assert rows.filter(symbol="KO")[level].to_list() == pytest.approx(alone["quantiles"][level])


def test_all_of_some_symbols_are_those_alone(trader: Trader, home: Path) -> None:
    ended = trader("AAPL", "KO", "--all", "--out", str(home / "some"))
    assert ended.status == 0
    assert "walk@1, 5 bars ahead" in ended.out
    [table] = (home / "some").glob("*/forecasts.parquet")
    assert set(pl.read_parquet(table)["symbol"]) == {"AAPL", "KO"}


def test_stored_bars_are_forecast_symbol_by_symbol(trader: Trader, home: Path, state: Path) -> None:
    ts = (np.arange(18_000, 18_060) * 24 + 20) * (DAY_NS // 24)
    frames = []
    for symbol, count in (("AAA", 60), ("BBB", 60), ("NEW", 5)):
        close = 100.0 + np.arange(count) % 5
        prices = dict.fromkeys(("open", "high", "low", "close"), close)
        columns = {"ts": ts[-count:], **prices, "volume": np.ones(count)}
        frames.append(pl.DataFrame(columns).with_columns(symbol=pl.lit(symbol)))
    bars = Table(Kind.BAR, "1d", pl.concat(frames).select(*schema_of(Kind.BAR)))
    Catalogue(str(state / "catalogue")).write("x", [bars], Origin(("f",), "XNAS", 1))
    words = ("--all", "--data", "catalogue:x", "--out", str(home / "x"))
    ended = trader(*words)
    assert ended.status == 0
    assert "1 symbol has no forecast" in ended.err
    [table] = (home / "x").glob("*/errors.parquet")
    assert pl.read_parquet(table).select("symbol", "code").rows() == [
        ("NEW", "FORECAST_HISTORY_SHORT")
    ]
    ended = trader("NEW", *words)
    assert ended.status == 1
    assert "None of 1 symbols has a forecast" in ended.err
    assert trader("ZZZ", *words).status == 2


def test_batch_that_cannot_be_is_refused(trader: Trader) -> None:
    out = ("--all", "--out", "tables")
    refused = {
        (): "Name a symbol, or give --all",
        ("--all",): "--all needs a folder",
        (*out, "--model", "walk@2"): "--all takes one --model",
        (*out, "--ensemble", "mean"): "--ensemble does not go with --all",
        (*out, "--as-of", "2020"): "--as-of does not go with --all",
        (*out, "--plot"): "--plot does not go with --all",
        (*out, "--url", "http://x"): "--url does not go with --all",
        (*out, "--horizon", "6"): "from 1 to 5 bars ahead, not 6",
        (*out, "--data", "catalogue:none"): "none",
        ("APPL", *out): "did you mean AAPL?",
    }
    for words, reason in refused.items():
        ended = trader(*words)
        assert (ended.status, ended.out) == (2, ""), words
        assert reason in ended.err
