"""`trader forecast`: what a registered model expects of some symbols, as a table, a fan chart, or JSON."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.forecast_ensemble import DEADLINE_MS, Ensemble
from cluster.cli.laboratory_options import DataOption
from cluster.cli.options import ConfigOption, JsonOption, QuietOption, config_of

if TYPE_CHECKING:
    from cluster.cli.forecast_batch import Batch
    from cluster.config import Config
    from cluster.forecast_view import ForecastView
    from serve.forecast.distributed import DistributedForecast
    from trading.forecasting.forecast import Forecast
    from trading.forecasting.history import History
    from trading.strategies.strategy import Bars


def forecast(
    symbols: Annotated[
        list[str] | None, typer.Argument(metavar="SYMBOL...", help="One or several.")
    ] = None,
    *,
    horizon: Annotated[
        int | None,
        typer.Option("--horizon", metavar="BARS", help="Bars ahead; default: all of the model's."),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model", "-m", metavar="REF", help="Repeat for more. [default: nhits@champion]"
        ),
    ] = None,
    ensemble: Annotated[
        Ensemble | None,
        typer.Option("--ensemble", help="Make one forecast of several models; weighted: by CRPS."),
    ] = None,
    quorum: Annotated[
        int | None,
        typer.Option(
            "--quorum", metavar="N", help="Models of the ensemble that must answer. [default: 1]"
        ),
    ] = None,
    deadline_ms: Annotated[
        float | None,
        typer.Option(
            "--deadline-ms",
            min=1.0,
            max=60_000.0,
            metavar="MS",
            help="The ensemble is made of what came until then. [default: 10000]",
        ),
    ] = None,
    everything: Annotated[
        bool,
        typer.Option("--all", help="All symbols of --data, or those named, as tables in --out."),
    ] = False,
    out: Annotated[
        str, typer.Option("--out", metavar="FOLDER", help="Where the tables of --all go.")
    ] = "",
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, metavar="N", help="Share --all among N, on Ray."),
    ] = None,
    data: DataOption = "sp500",
    as_of: Annotated[
        str,
        typer.Option(
            "--as-of",
            metavar="DATE",
            help="As if that were the last day; shows what then happened.",
        ),
    ] = "",
    plot: Annotated[
        bool, typer.Option("--plot", help="Fan chart, here and as an HTML page.")
    ] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Where the HTML page goes.")
    ] = None,
    url: Annotated[
        str,
        typer.Option(
            "--url", metavar="URL", help="Ask the service there instead of computing here."
        ),
    ] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Forecast prices with calibrated intervals; neither a cluster nor torch is needed.

    Every interval holds its share of the outcomes in the long run. Daily returns of stocks are close to
    unpredictable: the width of the fan says more than its middle.
    """
    from cluster.cli.forecast_ensemble import Committee, ask, raise_if_nothing
    from cluster.cli.output import note
    from cluster.fan_chart import write_fans
    from cluster.forecast_view import histories_of

    settings = config_of(config)
    names = list(dict.fromkeys(symbols or ()))
    references = list(dict.fromkeys(model or ["nhits@champion"]))
    of_all = {"--out": bool(out), "--workers": workers is not None}
    of_several = {"--quorum": quorum is not None, "--deadline-ms": deadline_ms is not None}
    if everything:
        alone = {"--ensemble": ensemble is not None, **of_several, "--as-of": bool(as_of)}
        alone |= {"--plot": plot, "--html": html is not None, "--url": bool(url)}
        _require_none(alone, "does not go with --all; leave one of them out")
        batch = _batch(data, names, references, horizon, out, workers)
        _tell_batch(settings, batch, as_json=as_json, quiet=quiet)
        return
    _require_none(of_all, "belongs to --all")
    if ensemble is None:
        _require_none(of_several, "belongs to --ensemble")
    pairs = histories_of(_bars(settings, data, names), _moment(as_of))
    histories = [history for history, _ in pairs]
    together = None
    if ensemble is None:
        found = _alone(settings, url, references, histories, horizon)
        views = _views(found, pairs * len(references))
    else:
        committee = Committee(
            references,
            ensemble,
            horizon,
            DEADLINE_MS if deadline_ms is None else deadline_ms,
            1 if quorum is None else quorum,
        )
        together = ask(settings, committee, histories, url)
        heard = [pair for pair in pairs if pair[0].symbol in together.voices]
        views = _views(together.forecasts, heard)
    _show(views, together, plot=plot, as_json=as_json)
    notes = _notes(settings, views, together, is_newest=not as_of)
    for text in notes:
        note(f"Note: {text}", quiet=quiet)
    if together is not None:
        raise_if_nothing(together)
    if plot or html:
        name = f"{'-'.join(each.symbol for each in histories[:5])}.html"
        place = html or settings.cluster.state_dir / "forecasts" / name
        written = write_fans(views, notes, place.expanduser().absolute())
        note(f"Chart: {written}", quiet=quiet)


def _require_none(given: Mapping[str, bool], why_not: str) -> None:
    from trading.errors import UsageError

    for name, is_given in given.items():
        if is_given:
            raise UsageError(f"{name} {why_not}.")


def _batch(
    data: str,
    symbols: Sequence[str],
    references: Sequence[str],
    horizon: int | None,
    out: str,
    workers: int | None,
) -> "Batch":
    from cluster.cli.forecast_batch import Batch
    from trading.errors import UsageError

    if len(references) > 1:
        raise UsageError("--all takes one --model; call it again for the next.")
    if not out:
        raise UsageError("--all needs a folder for its tables: --out FOLDER.")
    return Batch(data, symbols, references[0], horizon, out, workers)


def _tell_batch(config: "Config", batch: "Batch", *, as_json: bool, quiet: bool) -> None:
    from cluster.cli.forecast_batch import forecast_all, tell

    tell(forecast_all(config, batch), batch.target, as_json=as_json, quiet=quiet)


def _bars(config: "Config", data: str, symbols: Sequence[str]) -> "Bars":
    from cluster.cli.strategy_inputs import prices_of_source
    from trading.errors import UsageError

    if not symbols:
        raise UsageError("Name a symbol, or give --all for all that --data has.")
    return prices_of_source(config, data, ",".join(symbols), ("", "")).bars


def _moment(as_of: str) -> int | None:
    from tune.prices import moment_of

    return moment_of(as_of, is_end=True) - 1 if as_of else None


def _alone(
    config: "Config",
    url: str,
    references: Sequence[str],
    histories: "Sequence[History]",
    horizon: int | None,
) -> "list[Forecast]":
    """Return the forecasts of the first model, one for each history, then those of the next."""
    from actors.models.forecasting import forecast_histories
    from cluster.forecast_service import ask
    from cluster.models import model_access

    if url:
        return [ask(url, each, history, horizon) for each in references for history in histories]
    found = []
    for session in [model_access(config).session(each) for each in references]:
        steps = session.manifest.horizon if horizon is None else horizon
        found += forecast_histories(session, histories, steps, time.perf_counter_ns)
    return found


def _views(
    forecasts: "Sequence[Forecast]", pairs: "Sequence[tuple[History, History]]"
) -> "list[ForecastView]":
    from cluster.forecast_view import ForecastView

    return [
        ForecastView(each, history, later.ts[: each.horizon], later.close[: each.horizon])
        for each, (history, later) in zip(forecasts, pairs, strict=True)
    ]


def _show(
    views: "Sequence[ForecastView]",
    together: "DistributedForecast | None",
    *,
    plot: bool,
    as_json: bool,
) -> None:
    from cluster.cli.output import print_json

    if not as_json:
        _print(views, {} if together is None else together.voices, plot=plot)
    elif together is not None:
        print_json(together)
    else:
        shown = [view.forecast for view in views]
        print_json(shown[0] if len(shown) == 1 else {"forecasts": shown})


def _notes(
    config: "Config",
    views: "Sequence[ForecastView]",
    together: "DistributedForecast | None",
    *,
    is_newest: bool,
) -> list[str]:
    """Say what is missing, and what one has to know before believing the rest."""
    from cluster.cli.forecast_ensemble import shortfalls
    from cluster.config.forecasting import PROVIDERS
    from cluster.forecast_view import warnings_of

    missing = [] if together is None else list(shortfalls(together))
    tells_fallback = config.models.providers != PROVIDERS  # else nobody asked for a GPU
    return missing + warnings_of(
        views, time.time_ns(), is_newest=is_newest, tells_fallback=tells_fallback
    )


def _print(
    views: "Sequence[ForecastView]", voices: Mapping[str, Sequence[str]], *, plot: bool
) -> None:
    import shutil

    from rich.console import Console

    from cluster.cli.forecast_chart import fan_chart
    from cluster.cli.output import print_facts, print_table
    from cluster.fan_chart import rows_of

    for index, view in enumerate(views):
        if index:
            typer.echo()
        typer.echo(_headline(view))
        print_table(*rows_of(view))
        print_facts(_facts(view, voices.get(view.forecast.symbol, ())))
        if plot:
            width = max(80, shutil.get_terminal_size((80, 24)).columns)
            typer.echo()
            Console(width=width, highlight=False).print(fan_chart(view, width))


def _headline(view: "ForecastView") -> str:
    from cluster.cli.wording import day, units

    forecast = view.forecast
    bars = "bar" if forecast.horizon == 1 else "bars"
    return (
        f"{forecast.symbol}: {forecast.horizon} {bars} from {day(forecast.as_of)}, "
        f"last close {units(forecast.last_close)}"
    )


def _facts(view: "ForecastView", voices: Sequence[str]) -> dict[str, object]:
    from cluster.cli.wording import day, moment
    from cluster.forecast_view import reference_of

    forecast = view.forecast
    facts: dict[str, object] = {
        "Expected return": f"{forecast.expected_return:+.2%}, deviation {forecast.deviation:.2%}",
        "Model": f"{reference_of(forecast)}, trained on bars until {day(forecast.data_cutoff)}",
        "Computed by": f"{forecast.provider}, {forecast.latency_ms:.1f} ms"
        + (", from the cache" if forecast.is_cached else ""),
        "Expires (UTC)": moment(forecast.expires_at),
    }
    if voices:
        facts["Made of"] = ", ".join(voices)
    if view.later_close.size:
        facts["Then"] = _told(view)
    return facts


def _told(view: "ForecastView") -> str:
    """Say how the outcomes of all known steps lie in the intervals."""
    import numpy as np

    from trading.forecasting.forecast import interval

    count = view.later_close.size
    parts = []
    for coverage in (0.5, 0.8, 0.95):
        low, high = (np.array(ends[:count]) for ends in interval(view.forecast, coverage))
        inside = int(((low <= view.later_close) & (view.later_close <= high)).sum())
        parts.append(f"{inside} of {count} inside {coverage:.0%}")
    return ", ".join(parts)
