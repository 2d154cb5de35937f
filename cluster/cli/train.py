"""`trader train`: a new version of a model, judged beside the baselines before anybody trusts it."""

import getpass
import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cluster.cli.laboratory_options import DataOption, SymbolsOption
from cluster.cli.options import ConfigOption, JsonOption, QuietOption, config_of

if TYPE_CHECKING:
    from types import ModuleType

    from actors.models.manifest import ModelManifest
    from tune.train.plan import TrainingPlan

MISSING = "Training needs packages that are not installed ({name}): pip install 'neural-trader[train]'."
SHOWN = ("crps", "pinball", "mase", "smape", "directional_accuracy", "coverage_80", "coverage_95")


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
    from cluster.models import open_models

    config_in_force = config_of(config)
    given = {
        "name": name,
        "horizon": horizon,
        "input_size": input_size,
        "features": tuple(each.strip() for each in features.split(",") if each.strip()),
        "loss": loss,
        "max_steps": max_steps,
        "seed": seed,
    }
    registry = open_models(config_in_force)
    plan = plan_from(kind, given, settings or [])
    _require_torch()
    bars = prices_of_source(config_in_force, data, symbols, (start, end)).bars
    with _progress(plan.max_steps, plain=as_json, quiet=quiet) as show:
        manifest = train_model(bars, plan, registry, source=..., refit=refit, progress=show)
