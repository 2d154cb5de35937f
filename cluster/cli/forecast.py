"""`trader forecast`: what a registered model expects of some symbols, as a table, a fan chart, or JSON."""

import time
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.laboratory_options import DataOption
from cluster.cli.options import ConfigOption, JsonOption, QuietOption, config_of

if TYPE_CHECKING:
    from cluster.config import Config
    from cluster.forecast_view import ForecastView
    from trading.forecasting.forecast import Forecast
    from trading.forecasting.history import History
    from trading.strategies.strategy import Bars


class Ensemble(StrEnum):
    MEAN = "mean"
    MEDIAN = "median"
    WEIGHTED = "weighted"
    MAJORITY = "majority"


def forecast(
    symbols: Annotated[list[str], typer.Argument(metavar="SYMBOL...", help="One or several.")],
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
    from cluster.cli.output import note, print_json
    from cluster.fan_chart import write_fans
    from cluster.forecast_view import ForecastView, histories_of, warnings_of

    settings = config_of(config)
    pairs = histories_of(_bars(settings, data, symbols), _moment(as_of))
    histories = [history for history, _ in pairs]
    references = list(dict.fromkeys(model or ["nhits@champion"]))
    if url:
        found = _remote(url, references, ensemble, histories, horizon)
    else:
        found = _local(settings, references, ensemble, histories, horizon)
    views = [
        ForecastView(each, history, later.ts[: each.horizon], later.close[: each.horizon])
        for forecasts in found
        for each, (history, later) in zip(forecasts, pairs, strict=True)
    ]
    notes = warnings_of(views, time.time_ns(), is_newest=not as_of)
    if as_json:
        shown = [view.forecast for view in views]
        print_json(shown[0] if len(shown) == 1 else {"forecasts": shown})
    else:
        _print(views, plot=plot)
    for text in notes:
        note(f"Note: {text}", quiet=quiet)
    if plot or html:
        name = f"{'-'.join(each.symbol for each in histories[:5])}.html"
        place = html or settings.cluster.state_dir / "forecasts" / name
        written = write_fans(views, notes, place.expanduser().absolute())
        note(f"Chart: {written}", quiet=quiet)


def _bars(config: "Config", data: str, symbols: Sequence[str]) -> "Bars":
    from cluster.cli.strategy_inputs import prices_of_source

    return prices_of_source(config, data, ",".join(symbols), ("", "")).bars


def _moment(as_of: str) -> int | None:
    from tune.prices import moment_of

    return moment_of(as_of, is_end=True) - 1 if as_of else None


def _local(
    config: "Config",
    references: Sequence[str],
    ensemble: Ensemble | None,
    histories: "Sequence[History]",
    horizon: int | None,
) -> "list[list[Forecast]]":
    """Return a list of forecasts, one for each history, of each model or of all together."""
    from actors.models.forecasting import forecast_histories, forecast_together
    from cluster.models import model_access

    sessions = [model_access(config).session(each) for each in references]
    clock = time.perf_counter_ns
    if ensemble is None:
        reach = [horizon if horizon is not None else each.manifest.horizon for each in sessions]
        return [
            forecast_histories(session, histories, steps, clock)
            for session, steps in zip(sessions, reach, strict=True)
        ]
    _require_several(references, ensemble)
    shortest = min(each.manifest.horizon for each in sessions)
    steps = shortest if horizon is None else horizon
    return [forecast_together(sessions, histories, steps, clock, ensemble.value)]


def _remote(
    url: str,
    references: Sequence[str],
    ensemble: Ensemble | None,
    histories: "Sequence[History]",
    horizon: int | None,
) -> "list[list[Forecast]]":
    from cluster.forecast_service import ask
    from trading.errors import UsageError

    if ensemble is not None:
        raise UsageError("--ensemble puts models together here; leave --url out.")
    return [[ask(url, each, history, horizon) for history in histories] for each in references]


def _require_several(references: Sequence[str], ensemble: Ensemble) -> None:
    from trading.errors import UsageError

    if len(references) < 2:
        raise UsageError(
            f"--ensemble {ensemble} needs at least two models: --model nhits@1 --model lstm@1."
        )


def _print(views: "Sequence[ForecastView]", *, plot: bool) -> None:
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
        print_facts(_facts(view))
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


def _facts(view: "ForecastView") -> dict[str, object]:
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
