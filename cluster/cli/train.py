"""`trader train`: a new version of a model, judged beside the baselines before anybody trusts it."""

import getpass
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from math import isnan
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cluster.cli.laboratory_options import SURVIVORS, DataOption, SymbolsOption
from cluster.cli.options import ConfigOption, JsonOption, QuietOption, config_of

if TYPE_CHECKING:
    from actors.models.manifest import ModelManifest
    from actors.models.registry import ModelRegistry
    from cluster.cli.training_ways import Make, Show
    from cluster.config import Config
    from trading.errors import ModelRefused
    from trading.strategies.strategy import Bars
    from tune.train.fit import Progress
    from tune.train.plan import TrainingPlan

PACKAGES = ("torch", "neuralforecast", "onnx", "onnxscript")
"""What the extra `train` brings."""
STAGES = {"train": "Training", "refit": "Training on all bars"}
SCORES = {
    "crps": "CRPS",
    "pinball": "pinball loss",
    "mase": "MASE",
    "smape": "sMAPE",
    "directional_accuracy": "direction right",
    "coverage_80": "inside 80 %",
    "coverage_95": "inside 95 %",
}
SHARES = frozenset({"directional_accuracy", "coverage_80", "coverage_95"})


class Part(StrEnum):
    CHAMPION = "champion"
    CHALLENGER = "challenger"


class Scheduler(StrEnum):
    ASHA = "asha"
    PBT = "pbt"
    NONE = "none"


def train(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND[,KIND]", help="nhits, lstm, patchtst, transformer, tft, linear."
        ),
    ],
    *,
    symbols: SymbolsOption = "",
    horizon: Annotated[
        int | None, typer.Option("--horizon", metavar="BARS", help="Bars ahead. [default: 5]")
    ] = None,
    data: DataOption = "sp500",
    start: Annotated[
        str, typer.Option("--start", metavar="DATE", help="First day: YYYY, YYYY-MM, YYYY-MM-DD.")
    ] = "",
    end: Annotated[str, typer.Option("--end", metavar="DATE", help="Last day, included.")] = "",
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="Of the model; the kind by default.")
    ] = "",
    input_size: Annotated[
        int | None, typer.Option("--input-size", metavar="BARS", help="Closes that it reads.")
    ] = None,
    features: Annotated[
        str,
        typer.Option(
            "--features", metavar="A,B", help="Also reads: volume, time, sentiment, volatility."
        ),
    ] = "",
    loss: Annotated[
        str, typer.Option("--loss", metavar="NAME", help="quantile, normal or student_t.")
    ] = "",
    max_steps: Annotated[
        int | None, typer.Option("--max-steps", metavar="N", help="Steps of the optimiser at most.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", help="The same seed, the same model.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="A parameter of the architecture or of the training; repeat for more.",
        ),
    ] = None,
    parent: Annotated[
        str, typer.Option("--from", metavar="REF", help="Go on from the weights of this version.")
    ] = "",
    workers: Annotated[
        int, typer.Option("--workers", min=1, metavar="N", help="Share the work among N, on Ray.")
    ] = 1,
    trials: Annotated[
        int,
        typer.Option(
            "--trials", min=0, metavar="N", help="Search the settings first, on Ray, in N trials."
        ),
    ] = 0,
    scheduler: Annotated[
        Scheduler, typer.Option("--scheduler", help="How a search stops what does worse.")
    ] = Scheduler.ASHA,
    resume: Annotated[
        str, typer.Option("--resume", metavar="NAME", help="Go on with this search.")
    ] = "",
    refit: Annotated[
        bool, typer.Option("--refit", help="Once judged, train again on all bars.")
    ] = False,
    promote: Annotated[
        Part | None, typer.Option("--promote", help="The part of the new version.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train a model on bars, judge it on later ones, and register it as a new version.

    It ends with its scores beside those of the baselines, and says whether it beats the naive forecast. Nothing is
    registered before all is done. Several kinds (nhits,lstm) are trained at once, on Ray, each for itself. Needs the
    extra: pip install 'neural-trader[train]'.
    """
    from cluster.cli.output import note
    from cluster.cli.strategy_inputs import prices_of_source, symbols_of
    from cluster.models import open_models

    configured = config_of(config)
    _require_installed()
    options = {
        "name": name,
        "horizon": horizon,
        "input_size": input_size,
        "features": tuple(each.strip() for each in features.split(",") if each.strip()),
        "loss": loss,
        "max_steps": max_steps,
        "seed": seed,
    }
    chosen = {key: value for key, value in options.items() if value not in (None, "", ())}
    chosen |= _settings(settings or [])
    registry = open_models(configured)
    ways = {"workers": workers, "trials": trials, "scheduler": scheduler.value, "resume": resume}
    kinds = tuple(dict.fromkeys(symbols_of(kind)))
    source = " ".join(word for word in (data, symbols, start, end) if word)
    failure: Exception | None
    if len(kinds) > 1:
        plans = _plans(kinds, chosen, parent, ways, refit=refit)
        bars = prices_of_source(configured, data, symbols, (start, end)).bars
        failure = _train_together(
            plans, registry, configured, (bars, source), promote, as_json=as_json
        )
    else:
        make = _way(kind, chosen, registry, configured, parent, ways, refit=refit)
        bars = prices_of_source(configured, data, symbols, (start, end)).bars
        with _meter(plain=as_json, quiet=quiet) as show:
            manifest = make(bars, source, show)
        failure = _promote(registry, manifest.reference, promote)
        part = registry.aliases(manifest.name).part_of(manifest.version)
        _tell(manifest, part, as_json=as_json)
    if data == "sp500":
        note(SURVIVORS, quiet=quiet)
    if failure is not None:
        raise failure


def _require_installed() -> None:
    from importlib.util import find_spec

    from trading.errors import UsageError

    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"Training needs {missing[0]}, which is not installed: pip install 'neural-trader[train]'."
        )


def _settings(texts: list[str]) -> dict[str, Any]:
    from cluster.cli.strategy_inputs import parameters_of
    from trading.errors import UsageError

    for text in texts:
        if not text.partition("=")[0] or "=" not in text:
            raise UsageError(f"--set {text!r}: write NAME=VALUE, for example learning_rate=0.001.")
    return parameters_of(texts)


def _way(
    kind: str,
    chosen: Mapping[str, Any],
    registry: "ModelRegistry",
    config: "Config",
    parent: str,
    ways: Mapping[str, Any],
    *,
    refit: bool,
) -> "Make":
    """Return how the version is made.

    Raises
    ------
    UsageError
        If two ways are asked for at once.
    """
    from cluster.cli import training_ways
    from trading.errors import UsageError

    asked = [
        name
        for name, is_asked in (
            ("--from", bool(parent)),
            ("--workers", ways["workers"] > 1),
            ("--trials", ways["trials"] > 0),
        )
        if is_asked
    ]
    if len(asked) > 1:
        raise UsageError(f"{asked[0]} and {asked[1]} do not go together; give one of them.")
    if parent:
        return training_ways.updated(
            kind, parent, registry, {**chosen, **({"refit": True} if refit else {})}
        )
    plan = training_ways.plan_from(kind, chosen)
    if ways["workers"] > 1:
        return training_ways.trained_by_workers(
            plan, registry, config, ways["workers"], refit=refit
        )
    if ways["trials"]:
        return training_ways.searched(plan, registry, config, ways, refit=refit)
    return training_ways.trained(plan, registry, refit=refit)


def _plans(
    kinds: Sequence[str],
    chosen: Mapping[str, Any],
    parent: str,
    ways: Mapping[str, Any],
    *,
    refit: bool,
) -> "list[TrainingPlan]":
    """Return a plan of each kind.

    Raises
    ------
    UsageError
        If a plan is wrong, or something is asked for that is made for one model.
    """
    from cluster.cli.training_ways import plan_from
    from trading.errors import UsageError

    of_one = {
        "--from": bool(parent),
        "--workers": ways["workers"] > 1,
        "--trials": ways["trials"] > 0,
        "--resume": bool(ways["resume"]),
        "--refit": refit,
        "--name": "name" in chosen,
    }
    for option, is_given in of_one.items():
        if is_given:
            raise UsageError(
                f"{option} is for one kind of model; train {', '.join(kinds)} one after the other, "
                "or leave it out."
            )
    return [plan_from(kind, chosen) for kind in kinds]


def _train_together(
    plans: "Sequence[TrainingPlan]",
    registry: "ModelRegistry",
    config: "Config",
    data: "tuple[Bars, str]",
    promote: Part | None,
    *,
    as_json: bool,
) -> typer.Exit | None:
    """Train all plans at once and tell each as it ends. Returns the exit of the first plan that failed."""
    from cluster.cli.output import print_json
    from cluster.cli.training_ways import trained_together
    from trading.errors import TradingError

    failures: dict[str, TradingError] = {}
    made: list[dict[str, Any]] = []

    def tell(plan: "TrainingPlan", outcome: "ModelManifest | TradingError") -> None:
        failure = outcome if isinstance(outcome, TradingError) else None
        if not isinstance(outcome, TradingError):
            failure = _promote(registry, outcome.reference, promote)
            part = registry.aliases(outcome.name).part_of(outcome.version)
            made.append(_facts(outcome, part))
            if not as_json:
                typer.echo(_row(outcome))
        if failure is not None:
            failures[plan.kind] = failure
            typer.echo(f"trader: {plan.kind}: {failure} [{failure.code}]", err=True)

    if not as_json:
        typer.echo(f"| {'model':<16} | {'CRPS':>8} | {'naive':>8} | verdict |")
        typer.echo(f"| {'-' * 16} | {'-' * 7}: | {'-' * 7}: | ------- |")
    trained_together(plans, registry, config, *data, tell)
    if as_json:
        errors = {
            kind: {"code": failure.code, "reason": str(failure)}
            for kind, failure in failures.items()
        }
        print_json({"models": made, "errors": errors})
    first = next((failures[plan.kind] for plan in plans if plan.kind in failures), None)
    return None if first is None else typer.Exit(first.exit_status)


def _row(manifest: "ModelManifest") -> str:
    naive = manifest.baselines.get("naive", {})
    own, other = _score("crps", manifest.metrics), _score("crps", naive)
    return f"| {manifest.reference:<16} | {own:>8} | {other:>8} | {_verdict(manifest)} |"


@contextmanager
def _meter(*, plain: bool, quiet: bool) -> "Iterator[Show]":
    """Show the steps of each stage, with the losses that were measured last."""
    from cluster.cli.meter import meter

    with ExitStack() as stack:
        shown: Callable[[int, str], None] | None = None
        stage = validation = ""

        def show(progress: "Progress") -> None:
            nonlocal shown, stage, validation
            if shown is None or progress.stage != stage:
                stack.close()
                stage, validation = progress.stage, ""
                words = STAGES.get(stage, stage)
                shown = stack.enter_context(meter(words, progress.of, plain=plain, quiet=quiet))
            if progress.validation_loss is not None:
                validation = f"validation {progress.validation_loss:.4f}"
            loss = "" if isnan(progress.train_loss) else f"loss {progress.train_loss:.4f}  "
            shown(progress.step, f"{loss}{validation}")

        yield show


def _promote(registry: "ModelRegistry", reference: str, part: Part | None) -> "ModelRefused | None":
    """Give a version its part, if it shall have one. Returns why that was refused."""
    from trading.errors import ModelRefused

    if part is None:
        return None
    by, why = getpass.getuser(), "promoted after its training"
    try:
        registry.promote(reference, part.value, by=by, why=why, at=time.time_ns())
    except ModelRefused as refusal:
        return refusal
    return None


def _tell(manifest: "ModelManifest", part: str, *, as_json: bool) -> None:
    from cluster.cli.output import print_json, print_table

    if as_json:
        print_json(_facts(manifest, part))
        return
    columns = {manifest.reference: manifest.metrics, **manifest.baselines}
    rows = [
        (words, *(_score(name, scores) for scores in columns.values()))
        for name, words in SCORES.items()
    ]
    print_table(("out of sample", *columns), rows)
    typer.echo(_verdict(manifest))
    typer.echo(f"Registered: {manifest.reference}{f', {part}' if part else ''}")


def _facts(manifest: "ModelManifest", part: str) -> dict[str, Any]:
    return {
        "reference": manifest.reference,
        "part": part,
        "verdict": _verdict(manifest),
        "manifest": manifest,
    }


def _verdict(manifest: "ModelManifest") -> str:
    from tune.train.card import verdict_of

    return verdict_of(manifest).replace("**", "")


def _score(name: str, scores: Mapping[str, float]) -> str:
    if name not in scores:
        return "-"
    return f"{scores[name]:.1%}" if name in SHARES else f"{scores[name]:.5f}"
