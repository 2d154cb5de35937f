"""Forecasts of thousands of symbols at once: Ray Data spreads them over a pool of model sessions.

    <target>/<version>/forecasts.parquet   a row per symbol and step
    <target>/<version>/errors.parquet      a row per symbol that could not be forecast, and why
    <target>/forecasts.json                names the newest version; written last

A version appears whole or not at all, and earlier ones stay. The symbols are cut into the same pieces whatever the
workers are, and a piece is one run of the model: the numbers are bit for bit those of a single process.
"""

import io
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import msgspec
import polars as pl

from actors.models.forecasting import check_horizon
from actors.models.manifest import VARIANTS, ModelManifest
from actors.models.registry import ModelRegistry
from actors.models.session import ModelSession
from actors.storage.files import Folder
from trading.errors import DataError, ForecastError
from trading.forecasting.forecast import Forecast
from trading.forecasting.history import History
from trading.forecasting.prediction import LEVELS
from tune.bar_histories import BarHistories
from tune.forecast_each import forecast_each

SUMMARY = "forecasts.json"
FORECASTS, ERRORS = "forecasts.parquet", "errors.parquet"
PIECE = 64
"""Symbols in one run of the model."""
_TASKS = 8
"""Tasks for each worker: enough that the slowest does not hold up the end, too few to cost much."""

_SCHEMA: dict[str, pl.DataType] = {
    "symbol": pl.String(),
    "as_of": pl.Int64(),
    "step": pl.Int64(),
    "last_close": pl.Float64(),
    **{str(level): pl.Float64() for level in LEVELS},
    "model": pl.String(),
    "version": pl.Int64(),
    "provider": pl.String(),
    "is_fallback": pl.Boolean(),
    "code": pl.String(),
    "reason": pl.String(),
}
"""Of forecasts and errors together: the last two are null in one, all between in the other."""
_ERROR_COLUMNS = ("symbol", "code", "reason")


class BatchSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What `forecasts.json` holds.

    Attributes
    ----------
    folder : str
        Of this version, below the target.
    model : str
        `name@version`.
    forecasts, errors : int
        Symbols with and without a forecast.
    first_as_of, last_as_of : int or None
        The oldest and the newest last bar of a symbol (ns UTC); None without any forecast.
    """

    folder: str
    model: str
    horizon: int
    forecasts: int
    errors: int
    first_as_of: int | None
    last_as_of: int | None


@dataclass(frozen=True, slots=True)
class Workers:
    """The pool.

    Attributes
    ----------
    count : int
        Sessions (>= 1), each in a process of its own on the running Ray.
    num_cpus, num_gpus : float
        What each of them reserves.
    """

    count: int
    num_cpus: float = 1.0
    num_gpus: float = 0.0


@dataclass(frozen=True, slots=True)
class Model:
    """What a worker needs to make a session of a registered version; workers do not read the registry."""

    manifest: ModelManifest
    graph: bytes
    wanted: tuple[str, ...]
    threads: int

    def session(self) -> ModelSession:
        return ModelSession(self.manifest, self.graph, self.wanted, self.threads)


def registered_model(
    registry: ModelRegistry,
    reference: str,
    wanted: Sequence[str] = ("cpu",),
    *,
    precision: str = "fp32",
    threads: int = 1,
) -> Model:
    """Return a registered version for `batch_forecast`; a change of champion meanwhile changes nothing.

    Raises
    ------
    ModelUnknown
        If there is no such version, or it has no graph of that precision.
    ModelCorrupt
        If its graph is not what was registered.
    """
    manifest = registry.manifest(reference)
    return Model(manifest, registry.read(manifest, VARIANTS[precision]), tuple(wanted), threads)


def batch_forecast(
    histories: BarHistories,
    model: Model,
    target: str,
    *,
    symbols: Sequence[str] = (),
    horizon: int | None = None,
    workers: Workers | None = None,
) -> BatchSummary:
    """Forecast every symbol and store the result below the folder `target`.

    Columns of the forecasts: symbol, as_of (ns UTC), step (bars, from 1), last_close, one price per level of
    `prediction.LEVELS`, model, version, provider, is_fallback.

    Parameters
    ----------
    symbols
        Empty for all.
    horizon : int or None
        Steps (bars); None for all that the model has.
    workers : Workers or None
        On the running Ray; None works in this process.

    Raises
    ------
    DataError
        If there is no symbol, or one of those asked for is not there.
    ForecastRefused
        If the model does not reach that far.
    """
    steps = horizon or model.manifest.horizon
    check_horizon(steps, model.manifest.horizon, model.manifest.reference)
    pieces = _pieces(histories, symbols)
    work = _Work(histories, model, steps)
    found = _on_ray(work, pieces, workers) if workers else _in_this_process(work, pieces)
    rows = pl.concat(found).sort("symbol", "step")
    return _store(rows, target, model.manifest.reference, steps)


@dataclass(frozen=True, slots=True)
class _Work:
    histories: BarHistories
    model: Model
    horizon: int

    def rows(self, session: ModelSession, symbols: Sequence[str]) -> pl.DataFrame:
        """Return the forecasts and errors of one piece."""
        rows: list[dict[str, Any]] = []
        readable: list[History] = []
        for symbol in symbols:
            try:
                readable.append(self.histories.history(symbol, self.model.manifest.input_size))
            except DataError as error:
                rows.append(_error_row(symbol, error))
        answers = forecast_each(session, readable, self.horizon, time.monotonic_ns)
        for history, answer in zip(readable, answers, strict=True):
            if isinstance(answer, Forecast):
                rows.extend(_forecast_rows(answer))
            else:
                rows.append(_error_row(history.symbol, answer))
        return pl.DataFrame(rows, schema=_SCHEMA)


class _Worker:
    """Lives in the pool: one session for many pieces."""

    def __init__(self, work: Any) -> None:
        import ray

        self._work: _Work = ray.get(work)
        self._session = self._work.model.session()

    def __call__(self, batch: Any) -> Any:
        [symbols] = batch["symbols"].to_pylist()
        return self._work.rows(self._session, symbols).to_arrow()


def _on_ray(
    work: _Work, pieces: Sequence[Sequence[str]], workers: Workers
) -> Iterator[pl.DataFrame]:
    import ray
    import ray.data as ray_data

    items = [{"symbols": list(piece)} for piece in pieces]
    blocks = min(len(items), _TASKS * workers.count)
    done = ray_data.from_items(items, override_num_blocks=blocks).map_batches(
        _Worker,
        batch_size=1,
        batch_format="pyarrow",
        compute=ray_data.ActorPoolStrategy(size=min(workers.count, blocks)),
        fn_constructor_args=(ray.put(work),),
        num_cpus=workers.num_cpus,
        num_gpus=workers.num_gpus,
    )
    for reference in done.to_arrow_refs():
        table = ray.get(reference)
        if table.num_rows:
            yield pl.DataFrame(table, schema=_SCHEMA)


def _in_this_process(work: _Work, pieces: Sequence[Sequence[str]]) -> Iterator[pl.DataFrame]:
    session = work.model.session()
    for piece in pieces:
        yield work.rows(session, piece)


def _pieces(histories: BarHistories, symbols: Sequence[str]) -> list[tuple[str, ...]]:
    known = histories.symbols
    missing = sorted(set(symbols).difference(known))
    if missing or not known:
        raise DataError(f"there are no bars of {missing[0] if missing else 'any symbol'}.")
    wanted = tuple(sorted(set(symbols) or known))
    return [wanted[start : start + PIECE] for start in range(0, len(wanted), PIECE)]


def _forecast_rows(forecast: Forecast) -> Iterator[dict[str, Any]]:
    for step in range(forecast.horizon):
        yield {
            "symbol": forecast.symbol,
            "as_of": forecast.as_of,
            "step": step + 1,
            "last_close": forecast.last_close,
            **{level: prices[step] for level, prices in forecast.quantiles.items()},
            "model": forecast.model,
            "version": forecast.version,
            "provider": forecast.provider,
            "is_fallback": forecast.is_fallback,
        }


def _error_row(symbol: str, error: ForecastError | DataError) -> dict[str, Any]:
    return {"symbol": symbol, "code": error.code, "reason": str(error)}


def _store(rows: pl.DataFrame, target: str, reference: str, horizon: int) -> BatchSummary:
    is_error = pl.col("code").is_not_null()
    forecasts = rows.filter(~is_error).drop("code", "reason")
    errors = rows.filter(is_error).select(_ERROR_COLUMNS)
    files = {ERRORS: _parquet(errors), FORECASTS: _parquet(forecasts)}
    digest = blake2b(b"".join(files.values()), digest_size=4).hexdigest()
    as_of = forecasts["as_of"].unique().sort().to_list()
    summary = BatchSummary(
        folder=f"{as_of[-1] if as_of else 0}-{digest}",
        model=reference,
        horizon=horizon,
        forecasts=forecasts["symbol"].n_unique(),
        errors=errors.height,
        first_as_of=as_of[0] if as_of else None,
        last_as_of=as_of[-1] if as_of else None,
    )
    folder = Folder(target)
    for name, content in files.items():
        folder.write(f"{summary.folder}/{name}", content)
    folder.write(SUMMARY, msgspec.json.format(msgspec.json.encode(summary), indent=1))
    return summary


def _parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    return buffer.getvalue()
