"""`trader tune`: search a strategy's parameters, walking forward, on Ray Tune."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cluster.cli.laboratory_options import (
    CostOption,
    DataOption,
    FixedOption,
    FromOption,
    Material,
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
    sources_of,
)

if TYPE_CHECKING:
    from cluster.config import Config
    from trading.backtest.settings import BacktestSettings
    from trading.strategies.strategy import Bars
    from tune.course import Progress
    from tune.objective import Objective
    from tune.outcome import SearchOutcome
    from tune.report.search_report import SearchFindings
    from tune.search import SearchPlan
    from tune.store import Store

TRIALS = 200
SHOWN = 10


class Algorithm(StrEnum):
    OPTUNA = "optuna"
    RANDOM = "random"
    GRID = "grid"


def tune(
    strategy: StrategyArgument,
    *,
    param: FixedOption = None,
    trials: Annotated[
        int | None,
        typer.Option("--trials", min=1, help=f"Most points to try; default {TRIALS}, grid: all."),
    ] = None,
    walk_forward: Annotated[
        str,
        typer.Option("--walk-forward", metavar="TRAIN/TEST", help="Lengths in d, w, m or y."),
    ] = "24m/6m",
    anchored: Annotated[
        bool, typer.Option("--anchored", help="Every training begins at the first bar.")
    ] = False,
    algorithm: Annotated[
        Algorithm, typer.Option("--algorithm", help="How points are chosen.")
    ] = Algorithm.OPTUNA,
    asha: Annotated[
        bool, typer.Option("--asha/--no-asha", help="Stop bad trials early, fold by fold.")
    ] = False,
    metric: Annotated[
        str, typer.Option("--metric", metavar="NAME", help="Figure to optimise, e.g. sortino.")
    ] = "sharpe",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the choice of points.")] = 0,
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
    concurrency: Annotated[
        int | None,
        typer.Option(
            "--concurrency",
            min=1,
            help="Trials at once. Default: all cores, but 1 where the points that are tried depend on "
            "the order of results (optuna, --asha), so that a run can be repeated.",
        ),
    ] = None,
    gpus_per_trial: Annotated[
        float, typer.Option("--gpus-per-trial", min=0.0, help="0.25 puts four on one GPU.")
    ] = 0.0,
    report: ReportOption = None,
    config: ConfigOption = None,
    address: AddressOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Search the parameters of a strategy: chosen on each training, judged on the bars that follow.

    Ends with the ranking, the record of walking forward beside buy-and-hold and equal weights, and how far
    to believe it. Interrupted or killed, a run goes on by its name and ends as if nothing had happened.
    With --json, a list of {strategy, params, metrics}.
    """
    from cluster.cli.output import note
    from tune.report.search_report import search_findings, write_search_report
    from tune.search import SearchPlan, optimise, space_of, with_fixed
    from tune.space import to_record
    from tune.suggestions import Algorithm as Suggesting
    from tune.tuner import Halving

    settings = config_of(config, address)
    store = store_of(settings)
    run = run_name(store, strategy, name, resume)
    fixed = fixed_parameters(strategy, param or [])
    space = with_fixed(space_of(strategy), fixed)
    sources = sources_of(settings, forecaster, sentiment, holdings, retrain, quiet=quiet)
    material = material_of(settings, strategy, fixed, data, symbols, (start, end), sources)
    plan = SearchPlan(
        objective=_objective(
            strategy, walk_forward, anchored, metric, material.bars, settings_of(cost_bps)
        ),
        space=to_record(space),
        algorithm=Suggesting(algorithm.value),
        trials=trials or (None if algorithm is Algorithm.GRID else TRIALS),
        seed=seed,
        halving=Halving() if asha else None,
    )
    _require_possible(plan)
    resources = {"cpu": 1.0} | ({"gpu": gpus_per_trial} if gpus_per_trial else {})
    if is_finished(store, run):
        note(f"Run {run!r} has ended before; this is what it found.", quiet=quiet)
        outcome = optimise(
            plan,
            material.bars,
            quoted=material.quoted,
            store=store,
            name=run,
            source=material.source,
        )
    else:
        meter = _meter(plan, plain=as_json, quiet=quiet)
        with resumable(run):
            outcome = _search(plan, material, store, run, meter, settings, resources, concurrency)
    found = search_findings(
        run, material.source, material.notes, plan, outcome, material.bars, material.quoted
    )
    written = write_search_report(found, report or store.folder(run) / "report.html")
    _tell(found, f"Results: {store.folder(run)}\nReport: {written}", as_json=as_json, quiet=quiet)


def _objective(
    strategy: str,
    walk_forward: str,
    anchored: bool,
    metric: str,
    bars: "Bars",
    settings: "BacktestSettings",
) -> "Objective":
    """Return what is measured on which folds.

    Nothing is purged: the return that a decision earns in training ends with the training, so no label
    reaches into the test.
    """
    from trading.validation.splits import parse_walk_forward, walk_forward_by_calendar
    from tune.findings import MINIMISED
    from tune.objective import Objective, folds_of

    splits = walk_forward_by_calendar(
        bars.ts, parse_walk_forward(walk_forward), is_anchored=anchored
    )
    return Objective(
        strategy=strategy,
        folds=folds_of(splits, len(bars)),
        settings=settings,
        metric=metric,
        is_minimised=metric in MINIMISED,
    )


def _require_possible(plan: "SearchPlan") -> None:
    """Find out before Ray is started that a plan cannot be carried out.

    Raises
    ------
    UsageError
        If there is no such figure, or the space does not suit the algorithm.
    """
    from trading.errors import UsageError
    from tune.figures import FIGURES
    from tune.space import from_record
    from tune.suggestions import suggestions_of

    metric = plan.objective.metric
    if metric not in FIGURES:
        raise UsageError(f"there is no figure {metric!r}; known are: {', '.join(FIGURES)}.")
    suggestions_of(plan.algorithm, from_record(plan.space), trials=plan.trials, seed=plan.seed)


def _search(
    plan: "SearchPlan",
    material: Material,
    store: "Store",
    run: str,
    meter: AbstractContextManager[Callable[["Progress"], None]],
    config: "Config",
    resources: dict[str, float],
    concurrency: int | None,
) -> "SearchOutcome":
    """Connect to Ray, and search to the end."""
    from tune.search import Execution, optimise

    with connected(config) as ray, meter as show:
        width = concurrency or _width(plan, ray)
        return optimise(
            plan,
            material.bars,
            quoted=material.quoted,
            store=store,
            name=run,
            source=material.source,
            execution=Execution(resources=resources, max_concurrent=width),
            on_progress=show,
        )


def _width(plan: "SearchPlan", ray: Any) -> int:
    """Return how many trials may run at once without changing which points are tried."""
    depends_on_order = plan.algorithm.value == Algorithm.OPTUNA or plan.halving is not None
    return 1 if depends_on_order else max(1, int(ray.cluster_resources().get("CPU", 1)))


@contextmanager
def _meter(
    plan: "SearchPlan", *, plain: bool, quiet: bool
) -> Iterator[Callable[["Progress"], None]]:
    """Show how many trials have ended, and the best score."""
    from cluster.cli.meter import meter

    sign = -1.0 if plan.objective.is_minimised else 1.0
    with meter("Trials", plan.trials_max, plain=plain, quiet=quiet) as show:

        def tell(progress: "Progress") -> None:
            best = f"best {sign * progress.best_score:.3f}" if progress.complete else ""
            left_out = progress.skipped + progress.failed
            show(progress.ended, f"{best}{f', {left_out} without result' if left_out else ''}")

        yield tell


def _tell(found: "SearchFindings", places: str, *, as_json: bool, quiet: bool) -> None:
    """Print the ranking, the record out of sample and how far to believe them."""
    from cluster.cli.output import note, print_json, print_table
    from tune.report.search_report import (
        OUT_OF_SAMPLE,
        out_of_sample_rows,
        results_of,
        trial_headings,
        trial_rows,
        verdict,
    )

    if as_json:
        print_json(results_of(found))
    else:
        print_table(trial_headings(found), trial_rows(found, SHOWN))
        typer.echo()
        print_table(OUT_OF_SAMPLE, out_of_sample_rows(found))
        typer.echo()
        for sentence in (*verdict(found), *found.notes):
            typer.echo(sentence)
    note(places, quiet=quiet)
