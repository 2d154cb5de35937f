"""`trader train`: a new version of a model, judged beside the baselines before anybody trusts it."""

import getpass
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cluster.cli.laboratory_options import DataOption, SymbolsOption
from cluster.cli.options import ConfigOption, JsonOption, QuietOption, config_of

if TYPE_CHECKING:
    from actors.models.manifest import ModelManifest
    from actors.models.registry import ModelRegistry
    from tune.train.fit import Progress
    from tune.train.plan import TrainingPlan

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


def train(
    kind: Annotated[
        str,
        typer.Argument(metavar="KIND", help="nhits, lstm, patchtst, transformer, tft or linear."),
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
    registered before all is done. Needs the extra: pip install 'neural-trader[train]'.
    """
    from cluster.cli.output import note, print_json
    from cluster.cli.strategy_inputs import prices_of_source
    from cluster.models import open_models

    require_training()
    configured = config_of(config)
    registry = open_models(configured)
    given: dict[str, Any] = {
        "name": name,
        "horizon": horizon,
        "input_size": input_size,
        "features": tuple(each.strip() for each in features.split(",") if each.strip()),
        "loss": loss,
        "max_steps": max_steps,
        "seed": seed,
    }
    chosen = {key: value for key, value in given.items() if value not in (None, "", ())}
    plan = _plan(kind, chosen | _settings(settings or []), parent, registry)
    bars = prices_of_source(configured, data, symbols, (start, end)).bars
    from tune.train.pipeline import train_model

    with _progress(plan, plain=as_json, quiet=quiet) as show:
        manifest = train_model(
            bars,
            plan,
            registry,
            source=" ".join(word for word in (data, symbols) if word),
            refit=refit,
            parent=parent,
            progress=show,
        )
    if as_json:
        print_json({"reference": manifest.reference, "manifest": manifest})
    else:
        _print(manifest)
    if promote is not None:
        why = "promoted by the training"
        registry.promote(
            manifest.reference, promote, by=getpass.getuser(), why=why, at=time.time_ns()
        )
        note(f"{manifest.reference} is {promote}.", quiet=quiet)


def require_training() -> None:
    """Check that what training needs is installed.

    Raises
    ------
    UsageError
        Saying how to install it.
    """
    from importlib.util import find_spec

    from trading.errors import UsageError

    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"Training needs {missing[0]}, which is not installed: pip install 'neural-trader[train]'."
        )


def _plan(
    kind: str, chosen: Mapping[str, Any], parent: str, registry: "ModelRegistry"
) -> "TrainingPlan":
    """Return the plan: of the kind, or of the version to go on from, with what was chosen on top."""
    from tune.train.plan import plan_of

    if not parent:
        return plan_of(kind, **_apart(kind, chosen))
    before = registry.manifest(parent)
    known = {"name": before.name, **before.parameters}
    return plan_of(kind, **{**known, **_apart(kind, chosen)})


def _apart(kind: str, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Put parameters of the architecture where a plan has them."""
    from tune.train.kinds import kind_of

    network = {name: chosen[name] for name in kind_of(kind).network if name in chosen}
    rest = {name: value for name, value in chosen.items() if name not in network}
    return {**rest, **({"network": network} if network else {})}
