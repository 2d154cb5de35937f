"""`trader venues`: what is installed and configured, what a venue can do, and whether it answers."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cluster.cli.options import ConfigOption, JsonOption, config_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from actors.venues.profile import VenueProfile
    from cluster.config import Config
    from cluster.venue_check import Step

app = typer.Typer(
    help="List the venues, show what one can do, check that it answers.", no_args_is_help=True
)

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="An installed venue, or a table [venues.NAME].")
]
_TICKS = {True: "ok", False: "FAILED", None: "-"}


@app.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the venues: which client library each needs, which credentials are set, what can be traded.

    Only the names of credentials are shown, never a value.
    """
    from cluster.cli.output import print_json, print_table

    rows = [_row(name, profile, problem) for name, profile, problem in _venues(config_of(config))]
    if as_json:
        print_json({"venues": rows})
        return
    print_table(
        ("venue", "title", "library", "credentials", "trades"),
        [
            (
                row["name"], row["title"], row["problem"] or _library(row),
                _credentials(row["credentials"]), " ".join(row["asset_classes"]).lower() or "-",
            )
            for row in rows
        ],
    )  # fmt: skip


@app.command()
def show(name: NameArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show what a venue takes and streams, the credentials it reads, and its options."""
    from cluster.cli.output import print_facts, print_json, print_table
    from cluster.config.venue_checks import profile_of
    from cluster.venue_tables import capability_rows, option_rows

    profile = profile_of(config_of(config), name)
    row = _row(name, profile, "")
    abilities, options = capability_rows(profile.capabilities), option_rows(profile)
    if as_json:
        print_json(row | {"capabilities": abilities, "options": options})
        return
    print_facts(
        {
            "Venue": f"{name}: {profile.title}",
            "Library": _library(row),
            "Credentials": _credentials(row["credentials"]),
            "Streams": ", ".join(row["streams"]) or "nothing",
            "History": ", ".join(row["histories"]) or "none",
        }
    )
    typer.echo()
    print_table(("asset class", "order", "time in force"), [tuple(r.values()) for r in abilities])
    if options:
        typer.echo()
        print_table(("option", "type", "default", "meaning"), [tuple(r.values()) for r in options])


@app.command()
def check(
    name: NameArgument,
    symbol: Annotated[
        str,
        typer.Option("--symbol", metavar="S", help="Also ask for this instrument and its price."),
    ] = "",
    account: Annotated[
        str, typer.Option("--account", metavar="ID", help="Account at the venue.")
    ] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Talk to a venue without an order: connect, account, positions, open orders, clock, one price.

    Exit codes: 0 all is well, 3 the client library is missing, 4 credentials are missing or refused,
    5 the venue does not answer, 6 it refuses a question, 1 its clock is too far from ours.
    """
    import asyncio

    from cluster.cli.output import print_json, print_table
    from cluster.venue_check import check_venue

    trip = asyncio.run(check_venue(_checked(config_of(config), name, symbol, account)))
    if as_json:
        print_json({"venue": name, "ok": not trip.status, "steps": trip.steps})
    else:
        print_table(("step", "result", "ms", "finding"), [_line(step) for step in trip.steps])
    raise typer.Exit(trip.status)


def _checked(config: "Config", name: str, symbol: str, account: str) -> Any:
    from cluster.config.accounts import accounts_of
    from cluster.config.venue_checks import profile_of
    from cluster.venue_access import VenueAccess, credential_variables
    from cluster.venue_check import Checked

    profile = profile_of(config, name)
    ours = next((each for each in accounts_of(config) if each.account.venue == name), None)
    symbols = () if ours is None else ours.feed.symbols
    chosen = account or (name.upper() if ours is None else ours.account.account_id)
    named = config.model_copy(
        update={"account": config.account.model_copy(update={"account_id": chosen})}
    )
    known = tuple(each.instrument for each in (ours or config).instruments)
    folder = config.cluster.state_dir
    return Checked(
        venue=name,
        profile=profile,
        open_settings=lambda found: VenueAccess(folder, {name: found}).settings(named, name, known),
        variables=credential_variables(profile.variables(name)),
        symbol=symbol or (symbols[0] if symbols else ""),
    )


def _line(step: "Step") -> tuple[object, ...]:
    return step.name, _TICKS[step.is_ok], f"{step.ms:,.0f}" if step.ms else "-", step.message


def _venues(config: "Config") -> "Iterable[tuple[str, VenueProfile | None, str]]":
    """Yield installed and configured venues by name; what cannot be loaded comes with the reason."""
    from actors.venues.opening import venue_names
    from cluster.config.venue_checks import profile_of
    from trading.errors import ConfigError

    for name in sorted({*venue_names(), *config.venues}):
        try:
            yield name, profile_of(config, name), ""
        except ConfigError as error:
            yield name, None, str(error)


def _row(name: str, profile: "VenueProfile | None", problem: str) -> dict[str, Any]:
    from cluster.venue_access import credential_variables

    if profile is None:
        empty: dict[str, Any] = dict.fromkeys(
            ("asset_classes", "streams", "histories", "credentials"), ()
        )
        return {"name": name, "title": "-", "problem": problem, "is_installed": False} | empty
    found = credential_variables(profile.variables(name))
    required = set(profile.required_variables(name))
    abilities = profile.capabilities
    return {
        "name": name,
        "title": profile.title,
        "problem": "",
        "is_installed": profile.is_installed,
        "library": profile.library,
        "extra": profile.extra,
        "is_simulated": profile.is_simulated,
        "asset_classes": sorted(abilities.orders),
        "streams": sorted(abilities.streams),
        "histories": sorted(abilities.histories),
        "credentials": [
            {"name": each, "is_set": each in found, "is_required": each in required}
            for each in profile.variables(name)
        ],
    }


def _library(row: "Mapping[str, Any]") -> str:
    if not row["library"]:
        return "none needed"
    if row["is_installed"]:
        return f"{row['library']} installed"
    return f'missing: pip install "neural-trader[{row["extra"]}]"'


def _credentials(found: "Iterable[Mapping[str, Any]]") -> str:
    words = [
        f"{each['name']} {'set' if each['is_set'] else 'MISSING'}"
        for each in found
        if each["is_set"] or each["is_required"]
    ]
    return ", ".join(words) or "none needed"
