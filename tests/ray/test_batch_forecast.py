"""Batch forecasts against one session asked symbol by symbol, and what happens to symbols that cannot be forecast."""

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import onnx.parser
import polars as pl
import pytest

from actors.feeds.sources import PriceTable, load_prices
from actors.models.forecasting import forecast_histories
from actors.models.manifest import ModelFile, ModelManifest, TrainingData
from actors.models.registry import ModelRegistry
from actors.models.session import load_session
from actors.storage.catalogue import Catalogue, Origin
from actors.storage.corporate_actions import ACTIONS_SCHEMA, adjust
from actors.storage.kinds import Kind, Table, schema_of
from trading.errors import DataError, ForecastRefused, ModelCorrupt, ModelUnknown
from trading.forecasting.history import History
from trading.forecasting.prediction import LEVELS
from trading.identifiers import InstrumentId
from tune import batch_forecast as subject
from tune.bar_histories import TableHistories, stored_histories, table_histories
from tune.batch_forecast import SUMMARY, BatchSummary, Workers, batch_forecast, registered_model

pytestmark = [pytest.mark.ray, pytest.mark.timeout(180)]

INPUT_SIZE, HORIZON = 30, 3
DAY = 86_400_000_000_000
LEVEL_COLUMNS = [str(level) for level in LEVELS]


def a_graph() -> bytes:
    """Quantiles from a product with a matrix, whose sums depend on how a run is batched.

    A window whose last close is above 1e6 is answered with NaN.
    """
    chance = np.random.default_rng(2)
    weights = chance.normal(0, 0.01, (INPUT_SIZE, HORIZON))
    table = ", ".join(repr(float(each)) for each in weights.ravel())
    steps = ", ".join(str(0.01 * k) for k in range(9))
    model = onnx.parser.parse_model(f"""
    <ir_version: 10, opset_import: ["" : 18]>
    net (double[window, {INPUT_SIZE}] close)
        => (double[window, {HORIZON}, 9] log_returns, double[window] scale)
    <int64[1] end = {{{INPUT_SIZE}}}, int64[1] one = {{1}}, int64[1] last = {{{INPUT_SIZE - 1}}},
     int64[1] two = {{2}}, double high = {{1000000.0}}, double nan = {{nan}}, double floor = {{0.001}},
     double[{INPUT_SIZE}, {HORIZON}] weights = {{{table}}}, double[9] steps = {{{steps}}}>
    {{
        newest = Slice(close, last, end, one)
        ratio = Div(close, newest)
        path = Log(ratio)
        middle = MatMul(path, weights)
        lowest = Unsqueeze(middle, two)
        is_bad = Greater(newest, high)
        flat = Squeeze(newest, one)
        zero = Sub(flat, flat)
        scale = Add(zero, floor)
        marked = Unsqueeze(is_bad, two)
        good = Add(lowest, steps)
        log_returns = Where(marked, nan, good)
    }}""")
    onnx.checker.check_model(model)
    return model.SerializeToString()


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> ModelRegistry:
    registry = ModelRegistry(str(tmp_path_factory.mktemp("models")))
    plain = ModelManifest(
        name="net",
        version=0,
        kind="linear",
        horizon=HORIZON,
        input_size=INPUT_SIZE,
        data=TrainingData(source="", digest="", symbols=("A",), first_ts=1, last_ts=2),
        code="",
        parameters={},
        metrics={},
        baselines={},
        beats_naive=True,
        files=(ModelFile(name="model.onnx", sha256="", size_bytes=0),),
        created_at=3,
    )
    registry.register(plain, {"model.onnx": a_graph()})
    registry.promote("net@1", "champion", by="", why="", at=1)
    return registry


def a_table(symbols: int) -> PriceTable:
    """Random walks; one too short, one still, one broken, one that makes the model answer NaN."""
    chance = np.random.default_rng(7)
    close = 50 * np.exp(chance.normal(0, 0.02, (80, symbols)).cumsum(axis=0))
    close[:60, 1] = np.nan
    close[-40:, 3] = 7.0
    close[-2, 5] = -1.0
    close[-1, 8] = 5e6
    close[10:20, 9] = np.nan
    names = tuple(InstrumentId(f"S{number:03}.XNAS") for number in range(symbols))
    ts = np.arange(1, 81, dtype=np.int64) * DAY
    return PriceTable(ts, names, close, close, close, close, np.zeros_like(close))


def read(target: Path) -> tuple[BatchSummary, pl.DataFrame, pl.DataFrame]:
    summary = msgspec.json.decode((target / SUMMARY).read_bytes(), type=BatchSummary)
    folder = target / summary.folder
    return summary, *(
        pl.read_parquet(folder / f"{name}.parquet") for name in ("forecasts", "errors")
    )


def contents(target: Path) -> dict[str, bytes]:
    return {str(p.relative_to(target)): p.read_bytes() for p in target.rglob("*") if p.is_file()}


def test_pool_of_sessions_writes_what_one_process_writes(
    ray_session: Any, registry: ModelRegistry, tmp_path: Path
) -> None:
    histories = table_histories(a_table(200))
    model = registered_model(registry, "net@champion")
    alone = batch_forecast(histories, model, str(tmp_path / "alone"))
    together = batch_forecast(histories, model, str(tmp_path / "pool"), workers=Workers(2, 0.5))
    assert together == alone
    assert (alone.forecasts, alone.errors) == (196, 4)
    assert contents(tmp_path / "pool") == contents(tmp_path / "alone")


def test_killed_worker_costs_no_symbol(
    ray_session: Any, registry: ModelRegistry, tmp_path: Path
) -> None:
    histories = table_histories(a_table(200))
    model = registered_model(registry, "net")
    batch_forecast(histories, model, str(tmp_path / "whole"))
    dies_once = _DiesOnce(histories, str(tmp_path / "died"))
    batch_forecast(dies_once, model, str(tmp_path / "hurt"), workers=Workers(1))
    assert (tmp_path / "died").exists()
    assert contents(tmp_path / "hurt") == contents(tmp_path / "whole")


class _DiesOnce:
    """Kills the process that reads symbol S100 for the first time."""

    def __init__(self, histories: TableHistories, marker: str) -> None:
        self.symbols = histories.symbols
        self._histories, self._marker = histories, Path(marker)

    def history(self, symbol: str, bars: int) -> History:
        if symbol == "S100" and not self._marker.exists():
            self._marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return self._histories.history(symbol, bars)


def test_numbers_are_those_of_single_calls(registry: ModelRegistry, tmp_path: Path) -> None:
    symbols = ("AAPL", "KO", "XOM")
    table = load_prices("sp500", symbols)
    model = registered_model(registry, "net")
    batch_forecast(table_histories(table), model, str(tmp_path), horizon=2)
    _, forecasts, errors = read(tmp_path)
    assert errors.is_empty()
    assert forecasts.select("symbol", "step").rows() == [(s, k) for s in symbols for k in (1, 2)]
    session = load_session(registry, "net")
    for column, symbol in enumerate(symbols):
        history = History(symbol, table.ts, table.close[:, column])
        [alone] = forecast_histories(session, [history], 2, lambda: 0)
        rows = forecasts.filter(symbol=symbol)
        found = rows.select(LEVEL_COLUMNS).to_numpy()
        expected = np.array([alone.quantiles[level] for level in LEVEL_COLUMNS]).T
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        assert rows["as_of"].unique().to_list() == [table.ts[-1]]
        assert rows["last_close"].unique().to_list() == [table.close[-1, column]]
        assert rows.select("model", "version", "provider", "is_fallback").unique().rows() == [
            ("net", 1, "cpu", False)
        ]


def test_symbol_that_cannot_be_forecast_is_a_row_of_the_errors(
    registry: ModelRegistry, tmp_path: Path
) -> None:
    summary = batch_forecast(
        table_histories(a_table(12)), registered_model(registry, "net"), str(tmp_path)
    )
    stored, forecasts, errors = read(tmp_path)
    assert stored == summary
    assert errors.select("symbol", "code").rows() == [
        ("S001", "FORECAST_HISTORY_SHORT"),
        ("S003", "FORECAST_HISTORY_CONSTANT"),
        ("S005", "FORECAST_HISTORY_INVALID"),
        ("S008", "FORECAST_OUTPUT_INVALID"),
    ]
    assert "S001 has 20 bars; the model reads 30" in errors["reason"][0]
    assert set(forecasts["symbol"]) | set(errors["symbol"]) == {f"S{n:03}" for n in range(12)}
    assert set(forecasts["symbol"]).isdisjoint(errors["symbol"])


def a_catalogue(folder: Path) -> Catalogue:
    chance = np.random.default_rng(5)
    rows = 700
    ts = (np.arange(17_000, 17_000 + rows) * 24 + 20) * (DAY // 24)  # 20:00 UTC: 15:00 in New York
    frames = []
    for symbol in ("AAA", "BBB", "CCC"):
        close = 100 * np.exp(np.cumsum(chance.normal(0, 0.01, rows)))
        close[-10:] /= 4.0 if symbol == "BBB" else 1.0
        prices = dict.fromkeys(("open", "high", "low", "close"), close)
        columns = {"ts": ts, **prices, "volume": chance.uniform(1, 9, rows)}
        frames.append(pl.DataFrame(columns).with_columns(symbol=pl.lit(symbol)))
    bars = Table(Kind.BAR, "1d", pl.concat(frames).select(*schema_of(Kind.BAR)))
    split_day = pl.from_epoch(pl.Series([ts[-10]]), "ns").dt.date()[0]
    actions = pl.DataFrame([("BBB", split_day, "split", 4.0)], schema=ACTIONS_SCHEMA, orient="row")
    catalogue = Catalogue(str(folder))
    catalogue.write("x", [bars], Origin(("f",), "XNAS", 1), actions)
    return catalogue


def test_stored_bars_are_read_from_the_newest_file_on_and_adjusted(tmp_path: Path) -> None:
    catalogue = a_catalogue(tmp_path)
    histories = stored_histories(catalogue, "x")
    assert histories.symbols == ("AAA", "BBB", "CCC")
    for symbol in histories.symbols:
        whole = catalogue.read("x", Kind.BAR, "1d", (symbol,))
        expected = adjust(whole, catalogue.actions("x"))
        for bars in (5, 30, 400, 5_000):
            found = histories.history(symbol, bars)
            np.testing.assert_array_equal(found.ts, expected["ts"].to_numpy()[-bars:])
            np.testing.assert_array_equal(found.close, expected["close"].to_numpy()[-bars:])
            assert found.volume is not None
            np.testing.assert_array_equal(found.volume, expected["volume"].to_numpy()[-bars:])
    moves = np.diff(np.log(histories.history("BBB", 60).close))
    assert np.abs(moves).max() < 0.1


def test_damaged_file_is_an_error_of_its_symbol_alone(
    registry: ModelRegistry, tmp_path: Path
) -> None:
    histories = stored_histories(a_catalogue(tmp_path / "data"), "x")
    newest = histories.files["CCC"][0]
    (tmp_path / "data" / "x" / newest.path).write_bytes(b"no parquet")
    summary = batch_forecast(histories, registered_model(registry, "net"), str(tmp_path / "out"))
    _, forecasts, errors = read(tmp_path / "out")
    assert (summary.forecasts, errors["symbol"].to_list()) == (2, ["CCC"])
    assert errors["code"].to_list() == ["DATA_INVALID"]
    assert set(forecasts["symbol"]) == {"AAA", "BBB"}


def test_when_all_fail_there_are_only_errors(registry: ModelRegistry, tmp_path: Path) -> None:
    summary = batch_forecast(
        table_histories(a_table(12)),
        registered_model(registry, "net"),
        str(tmp_path),
        symbols=["S003", "S001"],
    )
    _, forecasts, errors = read(tmp_path)
    assert (summary.forecasts, summary.errors, summary.last_as_of) == (0, 2, None)
    assert forecasts.is_empty()
    assert errors["symbol"].to_list() == ["S001", "S003"]


def test_version_before_stays_when_storing_fails(
    registry: ModelRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = registered_model(registry, "net")
    table = a_table(12)
    first = batch_forecast(table_histories(table), model, str(tmp_path))
    before = contents(tmp_path)

    class FullDisk(subject.Folder):
        def write(self, path: str, content: bytes) -> None:
            if path.endswith("forecasts.parquet"):
                raise OSError("no space left")
            super().write(path, content)

    monkeypatch.setattr(subject, "Folder", FullDisk)
    with pytest.raises(OSError, match="no space left"):
        batch_forecast(table_histories(table), model, str(tmp_path), symbols=["S000"])
    summary, forecasts, _ = read(tmp_path)
    assert summary == first
    assert forecasts["symbol"].n_unique() == 8
    assert {name: contents(tmp_path)[name] for name in before} == before


def test_same_bars_give_the_same_version(registry: ModelRegistry, tmp_path: Path) -> None:
    model = registered_model(registry, "net")
    for _ in range(2):
        batch_forecast(table_histories(a_table(12)), model, str(tmp_path))
    assert len(contents(tmp_path)) == 3


def test_what_cannot_work_is_said_before_any_work(registry: ModelRegistry, tmp_path: Path) -> None:
    model = registered_model(registry, "net")
    histories = table_histories(a_table(12))
    with pytest.raises(DataError, match="no bars of ZZZ"):
        batch_forecast(histories, model, str(tmp_path), symbols=["S000", "ZZZ"])
    with pytest.raises(ForecastRefused, match="from 1 to 3 bars ahead, not 9"):
        batch_forecast(histories, model, str(tmp_path), horizon=9)
    with pytest.raises(ModelUnknown, match="no model 'nobody'"):
        registered_model(registry, "nobody")
    twice = replace(a_table(12), instrument_ids=("A.XNAS", "A.XNYS") * 6)
    with pytest.raises(DataError, match="in the table twice"):
        table_histories(twice)
    with pytest.raises(DataError, match="has no bars of 1m at all"):
        stored_histories(a_catalogue(tmp_path / "data"), "x", "1m")
    with pytest.raises(DataError, match="has no bars of 1d of ZZZ"):
        stored_histories(Catalogue(str(tmp_path / "data")), "x", symbols=["AAA", "ZZZ"])
    assert not (tmp_path / SUMMARY).exists()


def test_graph_that_was_changed_is_refused(tmp_path: Path, registry: ModelRegistry) -> None:
    other = ModelRegistry(str(tmp_path))
    other.register(registry.manifest("net@1"), {"model.onnx": a_graph()})
    [graph] = (tmp_path / "files").iterdir()
    graph.write_bytes(graph.read_bytes() + b" ")
    with pytest.raises(ModelCorrupt, match=r"net@1: model\.onnx is not what was registered"):
        registered_model(other, "net@1")
