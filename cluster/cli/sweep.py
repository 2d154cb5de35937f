"""`trader sweep`: backtest every point of a grid of parameters, and draw the map."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.laboratory_options import (
    CostOption,
    DataOption,
    FixedOption,
    FromOption,
    NameOption,
    ReportOption,
    ResumeOption,
    StrategyArgument,
    SymbolsOption,
    ToOption,
    connected,
    is_finished,
    material_of,
    resumable,
    run_name,
    settings_of,
    store_of,
)
from cluster.cli.options import AddressOption, ConfigOption, JsonOption, QuietOption, config_of
from cluster.cli.strategy_inputs import (
    FORECASTER,
    ForecasterOption,
    HoldingsOption,
    RetrainOption,
    SentimentOption,
    fixed_parameters,
    nearest,
    sources_of,
)

if TYPE_CHECKING:
    from cluster.config import Config
    from tune.grid import Value
    from tune.report.sweep_report import SweepFindings
    from tune.sweep import SweepProgress

SETTINGS = {"allow_extra_args": True, "ignore_unknown_options": True}
"""For the registration of the command: the parameters of a strategy are options, whatever they are called."""
ALONE_MAX = 2_000
"""Points up to which a sweep stays in this process unless it is told otherwise: Ray takes seconds to start."""


def sweep(
    ctx: typer.Context,
    strategy: StrategyArgument,
    *,
    param: FixedOption = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            min=0,
            help="0: this process; N: Ray tasks, on N cores of this machine where Ray is started here. "
            f"Default: all cores, for up to {ALONE_MAX:,} points this process.",
        ),
    ] = None,
    metric: Annotated[
        str, typer.Option("--metric", metavar="NAME", help="Figure to rank by, e.g. annual_return.")
    ] = "sharpe",
    top: Annotated[int, typer.Option("--top", min=1, help="Points to print.")] = 10,
    data: DataOption = "sp500",
    symbols: SymbolsOption = "",
    start: FromOption = "",
    end: ToOption = "",
    cost_bps: CostOption = 1.0,
    forecaster: ForecasterOption = FORECASTER,
    retrain: RetrainOption = "",
    sentiment: SentimentOption = "",
    holdings: HoldingsOption = "",
    name: NameOption = "",
    resume: ResumeOption = "",
    report: ReportOption = None,
    config: ConfigOption = None,
    address: AddressOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Backtest every point of a grid: trader sweep momentum --fast 5:100 --slow 20:400:5.

    Each parameter of the strategy is an option that takes a range low:high[:step], both ends included, or
    values between commas. Ends with the best points, how their neighbours do, and a map. Interrupted or
    killed, a run goes on by its name. With --json, a list of {strategy, params, metrics}.
    """
    from cluster.cli.output import note
    from tune.batch import SweepPlan
    from tune.report.sweep_report import sweep_findings, write_sweep_report
    from tune.sweep import sweep as carry_out

    values = grid_values(strategy, ctx.args)
    fixed = fixed_parameters(strategy, param or [])
    _require_apart(values, fixed)
    _require_figure(metric)
    settings = config_of(config, address)
    store = store_of(settings)
    run = run_name(store, strategy, name, resume)
    plan = SweepPlan(
        strategy=strategy,
        values={name: (value,) for name, value in fixed.items()} | values,
        settings=settings_of(cost_bps),
    )
    points = len(plan.grid)
    sources = sources_of(settings, forecaster, sentiment, holdings, retrain, quiet=quiet)
    material = material_of(settings, strategy, fixed, data, symbols, (start, end), sources)
    is_over = is_finished(store, run)
    if is_over:
        note(f"Run {run!r} has ended before; this is what it found.", quiet=quiet)
    is_alone = is_over or _is_alone(settings, workers, points)
    with (
        resumable(run),
        nullcontext() if is_alone else connected(settings, workers) as ray,
        _meter(points, plain=as_json, quiet=quiet) as show,
    ):
        table = carry_out(
            plan,
            material.bars,
            quoted=material.quoted,
            store=store,
            name=run,
            source=material.source,
            ray=ray,
            on_progress=show,
        )
    found = sweep_findings(
        run,
        material.source,
        material.notes,
        plan,
        table,
        material.bars,
        metric,
        material.quoted,
    )
    written = write_sweep_report(found, report or store.folder(run) / "report.html")
    places = f"Results: {store.folder(run)}\nReport: {written}"
    _tell(found, top, places, as_json=as_json, quiet=quiet)


def grid_values(strategy: str, words: Sequence[str]) -> dict[str, tuple["Value", ...]]:
    """Return the values of each parameter that `words` name: `--fast 5:100`, `--slow=20:400:5`.

    Raises
    ------
    UsageError
        If the strategy or a parameter is unknown, one is named twice or without values, or none is named.
    """
    from inspect import signature

    from trading.errors import UsageError
    from tune.grid import parse_values
    from tune.objective import strategy_class

    if strategy.startswith("-"):
        raise UsageError("name the strategy first: trader sweep momentum --fast 5:100.")
    made = strategy_class(strategy)
    known = tuple(signature(made).parameters)
    short: Mapping[str, str] = getattr(made, "SHORT", {})
    found: dict[str, tuple[Value, ...]] = {}
    for option, text in _pairs(words):
        parameter = _parameter(strategy, option, known, short)
        if parameter in found:
            raise UsageError(f"{parameter} is given twice.")
        try:
            found[parameter] = parse_values(text)
        except UsageError as error:
            raise UsageError(f"{option}: {error}") from None
    if not found:
        raise UsageError(
            f"name at least one parameter and its values, such as --{known[0]} low:high:step; "
            f"{strategy} has {', '.join(known)}."
        )
    return found


def _pairs(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each option with its text.

    Raises
    ------
    UsageError
        If an option has no text, or a text no option.
    """
    from trading.errors import UsageError

    left = iter(words)
    for word in left:
        option, sign, text = word.partition("=")
        if not option.startswith("--"):
            raise UsageError(f"{word!r} belongs to no option.")
        value = text if sign else next(left, "")
        if not value or value.startswith("--"):
            raise UsageError(f"{option} needs values: low:high, low:high:step or a,b,c.")
        yield option, value


def _parameter(strategy: str, option: str, known: Sequence[str], short: Mapping[str, str]) -> str:
    """Return the parameter that an option means.

    Raises
    ------
    UsageError
        If there is none, naming the nearest.
    """
    from trading.errors import UsageError

    name = option.removeprefix("--").replace("-", "_")
    name = short.get(name, name)
    if name in known:
        return name
    hint = nearest(name, (*short, *known), "--")
    raise UsageError(f"{strategy} has no parameter {option}; {hint}")


def _require_apart(values: Mapping[str, object], fixed: Mapping[str, object]) -> None:
    from trading.errors import UsageError

    for name in fixed:
        if name in values:
            raise UsageError(f"{name} is given twice, as a parameter and as values to sweep.")


def _require_figure(metric: str) -> None:
    from trading.errors import UsageError
    from tune.figures import COURSE_FIGURES

    if metric not in COURSE_FIGURES:
        raise UsageError(f"a sweep has no figure {metric!r}; it has {', '.join(COURSE_FIGURES)}.")


def _is_alone(config: "Config", workers: int | None, points: int) -> bool:
    if workers is not None:
        return workers == 0
    return config.cluster.address == "local" and points <= ALONE_MAX


@contextmanager
def _meter(points: int, *, plain: bool, quiet: bool) -> Iterator[Callable[["SweepProgress"], None]]:
    """Show how many points are done, and how many more each second."""
    from cluster.cli.meter import meter

    first: list[tuple[float, int]] = []
    with meter("Points", points, plain=plain, quiet=quiet) as show:

        def tell(progress: "SweepProgress") -> None:
            now = time.monotonic()
            first.append((now, progress.done))
            begin, done = first[0]
            pace = (progress.done - done) / (now - begin) if now > begin else 0.0
            show(progress.done, f"{pace:,.0f} points/s" if pace else "")

        yield tell


def _tell(found: "SweepFindings", top: int, places: str, *, as_json: bool, quiet: bool) -> None:
    """Print the best points beside the yardsticks, and how far to believe them."""
    from cluster.cli.output import note, print_json, print_table
    from tune.report.sweep_report import point_headings, point_rows, results_of, verdict

    if as_json:
        print_json(results_of(found, top))
    else:
        print_table(point_headings(found), point_rows(found, top))
        typer.echo()
        for sentence in (*verdict(found), *found.notes):
            typer.echo(sentence)
    note(places, quiet=quiet)
