"""Forecasts of thousands of symbols: windows per second of batches and of a pool, against a loop of single calls.

Method: 4,000 symbols with 100 daily bars each; a light and a heavy network with their default architecture, untrained.
The loop asks the session symbol by symbol and writes nothing. `batch_forecast` reads, checks, forecasts 64
symbols a run and writes Parquet: in this process, and by Ray Data over 1 and 2 sessions; the pool's time includes the
start of its processes. The times are those of all symbols divided by their number; the note has the windows per second.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from actors.feeds.sources import PriceTable
from actors.models.forecasting import forecast_histories
from actors.models.registry import ModelRegistry
from actors.models.session import ModelSession, load_session
from bench.bench_inference import registered
from bench.measured_rows import row, with_ratios
from cluster import ray_runtime
from cluster.config import load_config
from trading.identifiers import instrument_id
from tune.bar_histories import TableHistories, table_histories
from tune.batch_forecast import PIECE, Workers, batch_forecast, registered_model

SYMBOLS, BARS = 4_000, 100
LOOP_SYMBOLS = 400
KINDS = ("nhits", "tft")
ROUNDS = 3
DAY = 86_400_000_000_000


def rows() -> list[dict[str, object]]:
    """Return one row per measured subject."""
    with tempfile.TemporaryDirectory(prefix="tr-", dir="/tmp") as folder:
        ray = ray_runtime.start_local(_config(folder))  # before neuralforecast imports Ray
        try:
            return [found for kind in KINDS for found in _measured(kind, Path(folder))]
        finally:
            ray.shutdown()


def _measured(kind: str, folder: Path) -> list[dict[str, object]]:
    registered(kind, folder / "models")
    registry = ModelRegistry(str(folder / "models"))
    model = registered_model(registry, kind)
    histories = table_histories(_table())
    what = f"one symbol of {SYMBOLS:,}, {kind}"

    def in_batches(workers: Workers | None) -> Callable[[], object]:
        return lambda: batch_forecast(histories, model, str(folder / "out"), workers=workers)

    def few() -> object:
        return batch_forecast(
            histories,
            model,
            str(folder / "few"),
            symbols=histories.symbols[:PIECE],
            workers=Workers(1),
        )

    compared = with_ratios(
        [
            _row(what, "batches of 64, this process", in_batches(None)),
            _loop_row(what, load_session(registry, kind), histories),
            *(_row(what, f"Ray Data, pool of {n}", in_batches(Workers(n))) for n in (1, 2)),
        ]
    )
    note = "in all, most of it the start of the pool"
    return [*compared, _row(f"{PIECE} symbols, {kind}", "Ray Data, pool of 1", few, 1, note)]


def _config(folder: str) -> Any:
    return load_config(
        None,
        {"cluster": {"name": "b", "state_dir": folder, "dashboard": False, "num_cpus": 2}},
    )


def _table() -> PriceTable:
    moves = np.random.default_rng(7).normal(0.0, 0.015, (BARS, SYMBOLS))
    close = 100.0 * np.exp(moves.cumsum(axis=0))
    names = tuple(instrument_id(f"S{number:04}", "XNAS") for number in range(SYMBOLS))
    ts = np.arange(1, BARS + 1, dtype=np.int64) * DAY
    return PriceTable(ts, names, close, close, close, close, np.zeros_like(close))


def _row(
    what: str, subject: str, run: Callable[[], object], parts: int = SYMBOLS, note: str = ""
) -> dict[str, object]:
    """Time whole runs, each divided by its parts."""
    taken = []
    for _ in range(ROUNDS):
        begun = time.perf_counter_ns()
        run()
        taken.append((time.perf_counter_ns() - begun) / parts)
    return row(what, subject, taken, note or f"{1e9 / np.median(taken):,.0f} windows/s")


def _loop_row(what: str, session: ModelSession, histories: TableHistories) -> dict[str, object]:
    recent = [histories.history(symbol, BARS) for symbol in histories.symbols[:LOOP_SYMBOLS]]
    taken = []
    for _ in range(ROUNDS):
        for history in recent:
            begun = time.perf_counter_ns()
            forecast_histories(session, [history], session.manifest.horizon, time.perf_counter_ns)
            taken.append(float(time.perf_counter_ns() - begun))
    note = f"peer; {1e9 / np.mean(taken):,.0f} windows/s, no reading and no writing"
    return row(what, "loop of single calls", taken, note)


if __name__ == "__main__":
    from bench.__main__ import table

    print(table(rows()))
