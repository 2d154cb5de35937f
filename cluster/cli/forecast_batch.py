"""Forecasts of all symbols of a source at once for `trader forecast --all`: tables in a folder."""

from contextlib import nullcontext
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster.cli.laboratory_options import connected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cluster.config import Config
    from tune.bar_histories import BarHistories
    from tune.batch_forecast import BatchSummary, Workers


@dataclass(frozen=True, slots=True)
class Batch:
    """What is forecast, and where the tables go.

    Attributes
    ----------
    data : str
        Source of the bars, see `actors.storage.price_tables.open_source`.
    symbols : sequence of str
        Empty for all of the source.
    horizon : int or None
        Bars ahead; None for all of the model's.
    target : str
        Folder or URL.
    workers : int or None
        Processes on Ray; None works in this one.
    """

    data: str
    symbols: "Sequence[str]"
    reference: str
    horizon: int | None
    target: str
    workers: int | None


def forecast_all(config: "Config", batch: Batch) -> "BatchSummary":
    """Forecast the symbols and store the tables. See `tune.batch_forecast.batch_forecast`.

    Raises
    ------
    UsageError
        If there are more workers than cores.
    DataError, ModelError, ForecastRefused
        If the source or the model is wrong, or the model does not reach that far.
    """
    with connected(config) if batch.workers else nullcontext() as ray:
        from cluster.models import open_models
        from tune.batch_forecast import batch_forecast, registered_model

        if batch.workers:
            _silence_data()
        models = config.models
        model = registered_model(
            open_models(config),
            batch.reference,
            models.providers,
            precision=models.precision,
            threads=models.threads,
        )
        return batch_forecast(
            _histories(config, batch),
            model,
            _address(batch.target),
            horizon=batch.horizon,
            workers=_pool(ray, batch.workers, models.providers) if batch.workers else None,
        )


def tell(summary: "BatchSummary", target: str, *, as_json: bool, quiet: bool) -> None:
    """Print what came of a batch.

    Raises
    ------
    ForecastError
        If no symbol has a forecast.
    """
    from cluster.cli.output import note, print_facts, print_json
    from cluster.cli.wording import day
    from trading.errors import ForecastError

    if as_json:
        print_json(summary)
    else:
        facts: dict[str, object] = {
            "Model": f"{summary.model}, {summary.horizon} bars ahead",
            "Forecasts": f"{summary.forecasts:,}",
            "Without a forecast": f"{summary.errors:,}",
            "Stored in": f"{target}/{summary.folder}",
        }
        if summary.first_as_of is not None and summary.last_as_of is not None:
            facts["Last bars"] = f"{day(summary.first_as_of)} to {day(summary.last_as_of)}"
        print_facts(facts)
    place = f"{target}/{summary.folder}/errors.parquet"
    if not summary.forecasts:
        raise ForecastError(f"None of {summary.errors:,} symbols has a forecast; {place} says why.")
    if summary.errors:
        noun = "symbol has" if summary.errors == 1 else "symbols have"
        note(f"Note: {summary.errors:,} {noun} no forecast; {place} says why.", quiet=quiet)


def _histories(config: "Config", batch: Batch) -> "BarHistories":
    """Stored bars are read by the workers, symbol by symbol; anything else is a table that they share."""
    from actors.storage.catalogue import Catalogue
    from actors.storage.kinds import Kind
    from actors.storage.price_tables import CATALOGUE
    from tune.bar_histories import stored_histories, table_histories

    if batch.data.startswith(CATALOGUE):
        catalogue = Catalogue(str(config.cluster.state_dir / "catalogue"))
        name, _, interval = batch.data.removeprefix(CATALOGUE).partition("@")
        tables = catalogue.manifest(name).tables
        stored = [table.interval for table in tables if table.kind is Kind.BAR]
        if interval in stored or (not interval and len(stored) == 1):
            return stored_histories(catalogue, name, interval or stored[0], batch.symbols)
    return table_histories(_table(config, batch))


def _table(config: "Config", batch: Batch) -> Any:
    from actors.feeds.sources import PriceTable
    from cluster.cli.strategy_inputs import prices_of_source

    bars = prices_of_source(config, batch.data, ",".join(batch.symbols), ("", "")).bars
    return PriceTable(
        bars.ts, bars.instrument_ids, bars.open, bars.high, bars.low, bars.close, bars.volume
    )


def _pool(ray: Any, count: int, providers: "Sequence[str]") -> "Workers":
    """Return a pool that fits on the cluster; where models may run on GPUs, its workers share those."""
    from trading.errors import UsageError
    from tune.batch_forecast import Workers

    there = ray.cluster_resources()
    cores, gpus = int(there.get("CPU", 0)), int(there.get("GPU", 0))
    if count > cores:
        raise UsageError(f"--workers {count}: Ray has {cores} cores, one for each worker.")
    wants_gpu = gpus > 0 and tuple(providers) != ("cpu",)
    return Workers(count=count, num_gpus=1.0 / ceil(count / gpus) if wants_gpu else 0.0)


def _silence_data() -> None:
    """Ray Data tells of its plans and its progress on stderr, which is ours."""
    import logging

    from ray.data import DataContext

    DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)


def _address(target: str) -> str:
    return target if "://" in target else str(Path(target).expanduser().absolute())
