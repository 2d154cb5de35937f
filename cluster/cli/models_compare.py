"""`trader models compare`: versions side by side, as their manifests tell it or on data of today."""

from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.options import ConfigOption, JsonOption, QuietOption, config_of

if TYPE_CHECKING:
    from actors.models.manifest import ModelManifest
    from actors.models.registry import ModelRegistry
    from cluster.config import Config
    from cluster.model_comparison import Comparison

HIGHER_IS_BETTER = frozenset({"directional_accuracy"})
COVERAGE = "coverage_"


def compare(
    references: Annotated[
        list[str], typer.Argument(metavar="REF REF...", help="NAME@3, NAME@champion, NAME, ...")
    ],
    *,
    data: Annotated[
        str,
        typer.Option(
            "--data",
            metavar="SOURCE",
            help="Score all anew on the same windows of it: sp500, a file, catalogue:NAME[@5m].",
        ),
    ] = "",
    symbols: Annotated[
        str, typer.Option("--symbols", metavar="A,B", help="These symbols of --data alone.")
    ] = "",
    start: Annotated[
        str, typer.Option("--start", metavar="DATE", help="First day: YYYY, YYYY-MM, YYYY-MM-DD.")
    ] = "",
    end: Annotated[str, typer.Option("--end", metavar="DATE", help="Last day, included.")] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Put the metrics of versions side by side, and say which is better, and whether by more than luck.

    Without --data as each one was judged when it was trained. With it, all on the same windows, which lie after
    the training of every one of them.
    """
    from cluster.cli.output import note, print_json
    from cluster.models import open_models
    from trading.errors import UsageError

    settings = config_of(config)
    registry = open_models(settings)
    manifests = {m.reference: m for m in (registry.manifest(each) for each in references)}
    if len(manifests) < 2:
        raise UsageError("Name at least two different versions to compare.")
    if not data and (symbols or start or end):
        raise UsageError("--symbols, --start and --end choose from --data; say which.")
    if data:
        found = _anew(settings, registry, list(manifests), (data, symbols, start, end))
        scores, best, verdict = found.scores, found.best, sentence_of(found)
        about = {"windows": found.windows, "moments": found.moments, "first_ts": found.first_ts,
                 "last_ts": found.last_ts, "horizon": found.horizon, "chance": found.chance}  # fmt: skip
    else:
        scores = {reference: manifest.metrics for reference, manifest in manifests.items()}
        best, verdict = _as_trained(list(manifests.values()))
        about = {}
    if as_json:
        print_json({"scores": scores, "best": best or None, "verdict": verdict, **about})
        return
    _print(scores)
    if found_span := about and _span(about["first_ts"], about["last_ts"]):
        note(f"{about['windows']:,} windows, {found_span}.", quiet=quiet)
    typer.echo(verdict)
