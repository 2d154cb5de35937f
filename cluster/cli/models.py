"""`trader models`: what is registered, which version plays which part, how two compare, whether all is whole."""

import getpass
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cluster.cli.models_compare import compare
from cluster.cli.options import ConfigOption, JsonOption, config_of
from cluster.exit_codes import ExitCode

if TYPE_CHECKING:
    from actors.models.aliases import Aliases
    from actors.models.manifest import ModelManifest
    from actors.models.registry import ModelRegistry

app = typer.Typer(
    help="List, judge, promote and roll back the forecasting models.", no_args_is_help=True
)
app.command("compare")(compare)

ReferenceArgument = Annotated[
    str, typer.Argument(metavar="REF", help="NAME@3, NAME@champion, NAME@challenger, or NAME.")
]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of a model.")]
WhyOption = Annotated[str, typer.Option("--why", metavar="TEXT", help="Kept with the decision.")]


@app.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List all versions, and the part that each one plays."""
    from cluster.cli.output import print_json, print_table
    from cluster.cli.wording import day

    registry = _registry(config)
    rows = [row for name in registry.names() for row in _rows(registry, name)]
    if as_json:
        print_json({"registry": registry.url, "models": rows})
        return
    if not rows:
        typer.echo(f"{registry.url} holds no model; make one with `trader train nhits`.")
        return
    print_table(
        ("model", "part", "kind", "reads", "ahead", "CRPS", "naive CRPS", "beats naive", "data until",
         "alarms"),
        [
            (
                row["reference"], _part_and_share(row), row["kind"],
                row["input_size"], row["horizon"], _score(row["crps"]),
                _score(row["naive_crps"]), "yes" if row["beats_naive"] else "no",
                day(row["data_cutoff"]), len(row["alerts"]) or "-",
            )
            for row in rows
        ],
    )  # fmt: skip


@app.command()
def show(
    reference: ReferenceArgument, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Show the card of a version: what it is, how well it did beside the baselines, where it came from."""
    from cluster.cli.output import note, print_facts, print_json

    registry = _registry(config)
    manifest = registry.manifest(reference)
    aliases = registry.aliases(manifest.name)
    report = registry.report(manifest.reference)
    line = _lineage(registry, manifest)
    if as_json:
        part = aliases.part_of(manifest.version)
        print_json({"part": part, "lineage": line, "in_service": report, "manifest": manifest})
        return
    from tune.train.card import card_of

    _print_markdown(card_of(manifest))
    print_facts(
        {
            "Part": aliases.part_of(manifest.version) or "none",
            "Lineage": " > ".join(line),
            "In service": "nothing seen yet" if report is None else _seen(report.coverage),
        }
    )
    for alert in () if report is None else report.alerts:
        note(f"Alarm: {alert}")


@app.command()
def promote(
    reference: ReferenceArgument,
    part: Annotated[str, typer.Argument(metavar="PART", help="champion, challenger or archived.")],
    why: WhyOption = "",
    force: Annotated[
        bool,
        typer.Option("--force", help="Also one that does not beat the naive forecast, or alarms."),
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a version a part: the champion answers, the challenger is tried beside it."""
    registry = _registry(config)
    name, version = registry.resolve(reference)
    before = registry.aliases(name)
    after = registry.promote(f"{name}@{version}", part, force=force, **_decision(why))
    replaced = getattr(before, part) if part != "archived" else None
    was = f" (was {name}@{replaced})" if replaced not in (None, version) else ""
    _tell(name, after, f"{name}@{version} is {part}{was}.", as_json=as_json)


@app.command()
def rollback(
    name: NameArgument,
    why: WhyOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the champion before the present one champion again."""
    registry = _registry(config)
    before = registry.aliases(name).champion
    after = registry.rollback(name, **_decision(why))
    was = "nothing" if before is None else f"{name}@{before}"
    text = f"{name}@{after.champion} is champion again (was {was})."
    _tell(name, after, text, as_json=as_json)


@app.command()
def split(
    name: NameArgument,
    shares: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="VERSION=SHARE...", help="3=0.9 4=0.1; none gives all to the champion."
        ),
    ] = None,
    why: WhyOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Split the traffic of a model over several of its versions."""
    registry = _registry(config)
    weights = dict(_share(text) for text in shares or [])
    after = registry.split(name, weights, **_decision(why))
    parts = ", ".join(f"{name}@{v} {share:.0%}" for v, share in after.weights.items())
    text = f"Traffic: {parts or f'all to the champion of {name}'}."
    _tell(name, after, text, as_json=as_json)


@app.command()
def history(name: NameArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show every decision on a model: who gave which version which part, when and why."""
    from cluster.cli.output import print_json, print_table
    from cluster.cli.wording import moment

    registry = _registry(config)
    if not registry.versions(name):
        registry.resolve(name)
    decisions = registry.history(name)
    if as_json:
        print_json({"name": name, "decisions": decisions})
        return
    print_table(
        ("no.", "time (UTC)", "by", "champion", "challenger", "archived", "traffic", "why"),
        [
            (
                each.sequence, moment(each.at), each.by, each.champion or "-",
                each.challenger or "-", " ".join(map(str, each.archived)) or "-",
                " ".join(f"{v}={share:g}" for v, share in each.weights.items()) or "-",
                each.why or "-",
            )
            for each in decisions
        ],
    )  # fmt: skip


@app.command()
def verify(
    reference: Annotated[
        str, typer.Argument(metavar="[REF]", help="One version; all when it is left out.")
    ] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read every file, compare its checksum, load and run every graph; exit 1 when one is not whole."""
    from cluster.cli.output import print_json, print_table
    from cluster.model_verification import verified

    registry = _registry(config)
    found = verified(registry, reference)
    is_whole = all(not row.problem for row in found)
    if as_json:
        print_json({"registry": registry.url, "ok": is_whole, "files": found})
    else:
        rows = [(r.reference, r.file, f"{r.size_bytes:,}", r.problem or "whole") for r in found]
        print_table(("model", "file", "bytes", "state"), rows)
        damaged = sum(bool(row.problem) for row in found)
        typer.echo(f"{len(found)} files, {damaged} damaged.")
    if not is_whole:
        raise typer.Exit(ExitCode.FAILED)


def _registry(config: Any) -> "ModelRegistry":
    from cluster.models import open_models

    return open_models(config_of(config))


def _decision(why: str) -> dict[str, Any]:
    return {"by": getpass.getuser(), "why": why, "at": time.time_ns()}


def _rows(registry: "ModelRegistry", name: str) -> list[dict[str, Any]]:
    aliases = registry.aliases(name)
    return [_row(registry, aliases, f"{name}@{v}") for v in registry.versions(name)]


def _row(registry: "ModelRegistry", aliases: "Aliases", reference: str) -> dict[str, Any]:
    manifest = registry.manifest(reference)
    report = registry.report(reference)
    return {
        "reference": reference,
        "name": manifest.name,
        "version": manifest.version,
        "part": aliases.part_of(manifest.version),
        "share": aliases.weights.get(manifest.version),
        "kind": manifest.kind,
        "horizon": manifest.horizon,
        "input_size": manifest.input_size,
        "features": manifest.features,
        "crps": manifest.metrics.get("crps"),
        "naive_crps": manifest.baselines.get("naive", {}).get("crps"),
        "beats_naive": manifest.beats_naive,
        "data_cutoff": manifest.data.last_ts,
        "created_at": manifest.created_at,
        "alerts": () if report is None else report.alerts,
    }


def _part_and_share(row: dict[str, Any]) -> str:
    share = "" if row["share"] is None else f" {row['share']:.0%}"
    return f"{row['part']}{share}".strip() or "-"


def _score(value: float | None) -> str:
    return "-" if value is None else f"{value:.5f}"


def _seen(coverage: dict[str, float]) -> str:
    shares = (f"{float(level):.0%} interval held {share:.0%}" for level, share in coverage.items())
    return ", ".join(shares) or "nothing seen yet"


def _print_markdown(text: str) -> None:
    """Print for a reader on a terminal, and as it is for everybody else."""
    import sys

    if not sys.stdout.isatty():
        typer.echo(text)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(text))


def _lineage(registry: "ModelRegistry", manifest: "ModelManifest") -> list[str]:
    """Return the ancestors of a version, the oldest first, and the version itself."""
    from trading.errors import ModelUnknown

    line = [manifest.reference]
    parent = manifest.parent
    while parent and parent not in line:
        line.insert(0, parent)
        try:
            parent = registry.manifest(parent).parent
        except ModelUnknown:  # fine-tuned in another registry
            break
    return line


def _share(text: str) -> tuple[int, float]:
    from trading.errors import UsageError

    version, _, share = text.partition("=")
    try:
        return int(version), float(share)
    except ValueError:
        raise UsageError(f"{text!r}: write VERSION=SHARE, for example 3=0.9 4=0.1.") from None


def _tell(name: str, aliases: "Aliases", text: str, *, as_json: bool) -> None:
    from cluster.cli.output import print_json

    if as_json:
        print_json({"name": name, "decision": aliases})
    else:
        typer.echo(text)
