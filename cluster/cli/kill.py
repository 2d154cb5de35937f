"""`trader kill`: latch the kill switch, or reset it deliberately. Works with every actor dead."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.options import AddressOption, ConfigOption, JsonOption
from cluster.exit_codes import ExitCode
from trading.errors import ClusterUnreachable, UsageError

if TYPE_CHECKING:
    from cluster.config import Config
    from cluster.view import VenueKillReport


def kill(
    config: ConfigOption = None,
    address: AddressOption = None,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why; goes into the journal.")
    ] = "",
    flatten: Annotated[bool, typer.Option("--flatten", help="Also close every position.")] = False,
    reset: Annotated[bool, typer.Option("--reset", help="Unlatch the switch.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Cancel every order and let no new one out until `kill --reset`."""
    from cluster.cli.run import overrides_of
    from cluster.config import load_config

    if not reason.strip():
        raise UsageError("kill needs --reason TEXT; it goes into the journal.")
    if reset and flatten:
        raise UsageError("--reset and --flatten exclude each other.")
    settings = load_config(config, overrides_of(address=address))
    _ask(settings, flatten=flatten, reset=reset, yes=yes)
    if reset:
        _reset(settings, reason, as_json=as_json)
    else:
        _trip(settings, reason, flatten=flatten, as_json=as_json)


def _ask(settings: "Config", *, flatten: bool, reset: bool, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("nobody can be asked here; add --yes.")
    account = settings.account.account_id
    what = (
        f"Let account {account} trade again?"
        if reset
        else f"Cancel every order of account {account}"
        + (" and close every position?" if flatten else "?")
    )
    if not typer.confirm(what, err=True):
        typer.echo("Nothing was done.", err=True)
        raise typer.Exit(ExitCode.FAILED)


def _trip(settings: "Config", reason: str, *, flatten: bool, as_json: bool) -> None:
    from cluster.client import connect

    try:
        reports = connect(settings).kill(reason=reason, flatten=flatten)
    except ClusterUnreachable as error:
        _write(settings, reason, flatten=flatten, reset=False)
        raise ClusterUnreachable(
            f"{error} The switch is latched in the journal, so no order leaves when a cluster "
            "starts; but nothing was canceled: look at the venues yourself."
        ) from None
    _show(reports, as_json=as_json)
    if not all(report.reached for report in reports):
        raise typer.Exit(ExitCode.VENUE_UNREACHABLE)


def _show(reports: list["VenueKillReport"], *, as_json: bool) -> None:
    from cluster.cli.output import print_json, print_table

    if as_json:
        print_json({"latched": True, "venues": reports})
        return
    typer.echo("The kill switch is latched; `trader kill --reset --reason ...` unlatches it.\n")
    rows = [
        (
            report.venue,
            "yes" if report.reached else "NO",
            report.canceled,
            report.flattened,
            report.reason or "-",
        )
        for report in reports
    ]
    print_table(("venue", "confirmed", "canceled", "flattened", "remark"), rows)


def _reset(settings: "Config", reason: str, *, as_json: bool) -> None:
    from cluster.cli.output import print_json
    from cluster.client import connect

    try:
        connect(settings).reset_kill(reason)
    except ClusterUnreachable:
        _write(settings, reason, flatten=False, reset=True)
    if as_json:
        print_json({"latched": False})
    else:
        typer.echo("The kill switch is reset; the account may trade again.")


def _write(settings: "Config", reason: str, *, flatten: bool, reset: bool) -> None:
    """Append to the shared stream that every broker reads before anything else."""
    import time

    from actors.journal.open import open_journal
    from trading.codec import encode
    from trading.events import KillSwitchReset, KillSwitchTripped
    from trading.identifiers import StreamName

    now = time.time_ns()
    event = (
        KillSwitchReset(ts_event=now, ts_init=now, actor="operator", reason=reason)
        if reset
        else KillSwitchTripped(
            ts_event=now, ts_init=now, actor="operator", reason=reason, flatten=flatten
        )
    )
    journal = open_journal(settings.cluster.journal)
    try:
        stream = StreamName(f"kill:{settings.account.account_id}")
        journal.append_shared(stream, [encode(event)], now)
    finally:
        journal.close()
