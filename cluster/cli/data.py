"""`trader data`: import market data into the catalogue, look at it, check it, make features of it."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cluster.cli.options import AddressOption, ConfigOption, JsonOption, QuietOption, config_of
from cluster.exit_codes import ExitCode

if TYPE_CHECKING:
    from actors.storage.catalogue import Catalogue
    from actors.storage.importing import Source
    from actors.storage.kinds import Table
    from actors.storage.manifest import Manifest
    from actors.storage.quality import Finding
    from actors.storage.rows import BadRows

app = typer.Typer(help="Import, list, check and remove market data.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the data set.")]
CatalogueOption = Annotated[
    str | None,
    typer.Option(
        "--catalogue",
        metavar="PATH",
        help="Folder or URL of the catalogue; default: `catalogue` in the state folder.",
    ),
]


class OnError(StrEnum):
    REFUSE = "refuse"
    SKIP = "skip"


@app.command("import")
def import_(
    name: NameArgument,
    files: Annotated[
        list[str], typer.Argument(metavar="FILES...", help="CSV (.gz, .zip) or Parquet files.")
    ],
    *,
    schema: Annotated[
        str,
        typer.Option(
            "--schema",
            metavar="SCHEMA",
            help="wide, long, ohlcv, quotes, histdata-ticks, binance-klines, lean, "
            "binance-capture, or a TOML file.",
        ),
    ],
    symbol: Annotated[
        str, typer.Option("--symbol", metavar="SYMBOL", help="Symbol of files without one.")
    ] = "",
    interval: Annotated[
        str, typer.Option("--interval", metavar="LENGTH", help="Length of the bars, e.g. 1m.")
    ] = "",
    venue: Annotated[
        str, typer.Option("--venue", metavar="VENUE", help="Second part of the instrument ids.")
    ] = "XNAS",
    actions: Annotated[
        str | None,
        typer.Option(
            "--actions", metavar="FILE", help="Splits and dividends: symbol,ex_date,kind,value."
        ),
    ] = None,
    on_error: Annotated[
        OnError, typer.Option("--on-error", help="What a bad row does: refuse all, or skip it.")
    ] = OnError.REFUSE,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace a data set of the same name.")
    ] = False,
    catalogue: CatalogueOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Import files as one data set. Bad rows are named, never repaired.

    A data set of the same name stays as it is until the new one is complete.
    """
    from actors.storage.importing import Source
    from trading.errors import UsageError
    from trading.identifiers import instrument_id

    try:
        instrument_id("X", venue)
    except ValueError:
        raise UsageError(f"--venue {venue!r}: a venue is a name without a dot.") from None
    place = _catalogue(catalogue, config)
    if place.holds(name) and not replace:
        raise UsageError(f"there is a data set {name!r} already; replace it with --replace.")
    source = Source(tuple(files), schema, symbol, interval, on_error is OnError.SKIP)
    tables, bad = _read(source, quiet=quiet)
    manifest = _store(place, name, source, (tables, bad), venue=venue, actions=actions)
    _show(manifest, place, as_json=as_json)


@app.command("list")
def list_(
    catalogue: CatalogueOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """List the data sets."""
    from cluster.cli.output import print_json, print_table
    from cluster.cli.wording import moment

    place = _catalogue(catalogue, config)
    manifests = [place.manifest(name) for name in place.names()]
    if as_json:
        print_json({"catalogue": place.url, "data_sets": [_brief(m) for m in manifests]})
    elif manifests:
        print_table(
            ("name", "holds", "symbols", "rows", "first (UTC)", "last (UTC)", "skipped"),
            [
                (m.name, _holds(m), len(m.symbols()), f"{m.rows:,}", moment(m.first),
                 moment(m.last), m.skipped)
                for m in manifests
            ],
        )  # fmt: skip
    else:
        typer.echo(f"The catalogue {place.url} is empty; fill it with `trader data import`.")


@app.command()
def show(
    name: NameArgument,
    catalogue: CatalogueOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show where a data set came from and what is in it."""
    place = _catalogue(catalogue, config)
    _show(place.manifest(name), place, as_json=as_json)


@app.command()
def check(
    name: NameArgument,
    calendar: Annotated[
        str,
        typer.Option(
            "--calendar",
            metavar="CODE",
            help="Sessions to compare with: XNYS, CMES, ..., 24/7, or none (no search for gaps).",
        ),
    ] = "none",
    catalogue: CatalogueOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look for gaps, repeats, impossible prices, jumps and stale runs; exit 1 if one is serious."""
    from actors.storage.quality import SERIOUS, check_data_set
    from cluster.cli.output import print_json

    findings = check_data_set(_catalogue(catalogue, config), name, calendar)
    serious = sum(finding.severity == SERIOUS for finding in findings)
    if as_json:
        print_json({"name": name, "calendar": calendar, "ok": not serious, "findings": findings})
    else:
        _print_findings(findings)
        warnings = len(findings) - serious
        typer.echo(f"{name}: {serious} serious findings, {warnings} warnings.")
    if serious:
        raise typer.Exit(ExitCode.FAILED)


@app.command()
def remove(
    name: NameArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    catalogue: CatalogueOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove a data set for good."""
    from cluster.cli.output import print_json
    from trading.errors import UsageError

    place = _catalogue(catalogue, config)
    rows = place.manifest(name).rows
    if not yes:
        raise UsageError(f"{name!r} holds {rows:,} rows; remove them with --yes.")
    place.remove(name)
    if as_json:
        print_json({"name": name, "removed": True})
    else:
        typer.echo(f"Removed {name!r} ({rows:,} rows).")


@app.command()
def features(
    name: NameArgument,
    target: Annotated[str, typer.Argument(metavar="FOLDER", help="Where the features go.")],
    interval: Annotated[
        str, typer.Option("--interval", metavar="LENGTH", help="Length of the bars, e.g. 1m.")
    ] = "1d",
    catalogue: CatalogueOption = None,
    config: ConfigOption = None,
    address: AddressOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compute features of every symbol in parallel, as Parquet files by symbol."""
    from cluster.cli.output import print_facts, print_json
    from cluster.ray_runtime import join, start_local
    from tune.features import build_features

    place = _catalogue(catalogue, config)
    place.manifest(name)
    settings = config_of(config, address)
    is_local = settings.cluster.address == "local"
    ray = start_local(settings) if is_local else join(settings, settings.cluster.address)
    try:
        folder = target if "://" in target else str(Path(target).expanduser().absolute())
        summary = build_features(place.url, name, folder, interval=interval)
    finally:
        ray.shutdown()
    if as_json:
        print_json(summary)
    else:
        rows = summary["rows"]
        print_facts({"features": folder, "symbols": len(rows), "rows": f"{sum(rows.values()):,}"})


def _catalogue(path: str | None, config: Path | None) -> "Catalogue":
    from actors.storage.catalogue import Catalogue

    if path is None:
        return Catalogue(str(config_of(config).cluster.state_dir / "catalogue"))
    return Catalogue(path if "://" in path else str(Path(path).expanduser().absolute()))


def _read(source: "Source", *, quiet: bool) -> tuple[list["Table"], "BadRows"]:
    """Read the files, with a progress bar where a person looks on."""
    from actors.storage.importing import read_source
    from cluster.cli.output import is_interactive

    if not is_interactive(quiet=quiet):
        return read_source(source)
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("reading", total=len(source.files))
        return read_source(source, lambda _: progress.advance(task))


def _store(
    place: "Catalogue",
    name: str,
    source: "Source",
    content: tuple[list["Table"], "BadRows"],
    *,
    venue: str,
    actions: str | None,
) -> "Manifest":
    import time

    from actors.storage.catalogue import Origin
    from actors.storage.corporate_actions import read_actions

    tables, bad = content
    settings = {
        "schema": source.schema,
        "symbol": source.symbol,
        "interval": source.interval,
        "on_error": str(OnError.SKIP if source.skip_bad else OnError.REFUSE),
        "actions": actions or "",
    }
    origin = Origin(source.files, venue, time.time_ns(), settings, bad)
    return place.write(name, tables, origin, read_actions(actions) if actions else None)


def _brief(manifest: "Manifest") -> dict[str, Any]:
    """Everything but the list of files."""
    import msgspec

    facts: dict[str, Any] = msgspec.to_builtins(manifest)
    facts["files"] = len(manifest.files)
    return facts


def _holds(manifest: "Manifest") -> str:
    return ", ".join(f"{table.kind} {table.interval}".strip() for table in manifest.tables)


def _show(manifest: "Manifest", place: "Catalogue", *, as_json: bool) -> None:
    from cluster.cli.output import print_facts, print_json
    from cluster.cli.wording import moment

    if as_json:
        print_json({"catalogue": place.url, **_brief(manifest)})
        return
    symbols = manifest.symbols()
    more = f" and {len(symbols) - 10} more" if len(symbols) > 10 else ""
    print_facts(
        {
            "data set": manifest.name,
            "catalogue": place.url,
            "holds": _holds(manifest),
            "symbols": ", ".join(symbols[:10]) + more,
            "venue": manifest.venue,
            "rows": f"{manifest.rows:,}",
            "first (UTC)": moment(manifest.first),
            "last (UTC)": moment(manifest.last),
            "actions": manifest.action_count,
            "skipped rows": manifest.skipped,
            "source": ", ".join(manifest.source[:3]) + (" ..." if manifest.source[3:] else ""),
            "imported (UTC)": moment(manifest.imported_at),
            "data hash": manifest.data_hash,
        }
    )
    for row in manifest.skipped_rows:
        typer.echo(f"skipped: {row}")


def _print_findings(findings: "list[Finding]") -> None:
    from cluster.cli.output import print_table
    from cluster.cli.wording import moment

    if not findings:
        return
    print_table(
        ("severity", "symbol", "check", "count", "first (UTC)", "what"),
        [(f.severity, f.symbol, f.check, f.count, moment(f.first), f.detail) for f in findings],
    )
