"""`trader kill`: the kill switch. It latches in the journal even when no actor is alive."""

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.cli.options import AddressOption, ConfigOption, JsonOption, config_of
from cluster.exit_codes import ExitCode

if TYPE_CHECKING:
    from cluster.config import Config
    from serve.desk.view import VenueKillReport
    from trading.events import KillSwitchReset


def kill(
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why; it is recorded.")
    ] = "",
    flatten: Annotated[bool, typer.Option("--flatten", help="Also close every position.")] = False,
    reset: Annotated[
        bool, typer.Option("--reset", help="Allow trading again; needs --reason.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    config: ConfigOption = None,
    address: AddressOption = None,
    as_json: JsonOption = False,
) -> None:
    """Stop all trading: latch the kill switch of every account and cancel every open order.

    The switch stays latched, across restarts, until `trader kill --reset --reason TEXT`.
    """
    from cluster.config.accounts import accounts_of
    from trading.errors import UsageError

    settings = config_of(config, address)
    if reset and flatten:
        raise UsageError("--reset and --flatten exclude each other; call one after the other.")
    if reset and not reason:
        raise UsageError("--reset needs --reason TEXT: say why trading may go on.")
    accounts = [each.account.account_id for each in accounts_of(settings)]
    _confirm(", ".join(accounts), reset=reset, yes=yes)
    if reset:
        _reset(settings, reason, as_json=as_json)
    else:
        _trip(settings, reason or "requested by the operator", flatten=flatten, as_json=as_json)


def _confirm(account: str, *, reset: bool, yes: bool) -> None:
    """Ask a person; a script has to say --yes."""
    from trading.errors import UsageError

    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("nobody can be asked here; confirm with --yes.")
    question = "Allow trading again" if reset else "Stop all trading and cancel every open order"
    if not typer.confirm(f"{question} of account {account}?", err=True):
        raise UsageError("not confirmed; nothing was done.")


def _trip(config: "Config", reason: str, *, flatten: bool, as_json: bool) -> None:
    from cluster.cli.output import note, print_json
    from cluster.client import connect
    from cluster.desk.kill_latch import latch_kill_switch
    from trading.errors import ClusterUnreachable

    status = ExitCode.OK
    try:
        reports = connect(config).kill(reason=reason, flatten=flatten)
    except Exception as error:  # whatever is broken, the switch has to latch
        reports = latch_kill_switch(config, actor="operator", reason=reason, flatten=flatten)
        note(f"The kill switch is latched in the journal; no actor confirmed it: {error}")
        if not isinstance(error, ClusterUnreachable):
            raise
        status = ExitCode.CLUSTER_UNREACHABLE
    if status is ExitCode.OK and not all(report.reached for report in reports):
        status = ExitCode.AMBIGUOUS
    if as_json:
        print_json({"latched": True, "flatten": flatten, "venues": reports})
    else:
        _print_reports(reports)
    raise typer.Exit(status)


def _print_reports(reports: "list[VenueKillReport]") -> None:
    from cluster.cli.output import print_table

    typer.echo("The kill switch is latched: no new order leaves until it is reset.")
    rows = [
        (r.venue, r.account_id or "-", "yes" if r.reached else "NO", r.reason or "-")
        for r in reports
    ]
    print_table(("venue", "account", "confirmed", "note"), rows)


def _reset(config: "Config", reason: str, *, as_json: bool) -> None:
    from cluster.cli.output import note, print_json
    from cluster.client import connect
    from trading.errors import ClusterUnreachable
    from trading.events import KillSwitchReset

    try:
        connect(config).reset_kill(reason)
    except ClusterUnreachable:
        now = time.time_ns()
        event = KillSwitchReset(ts_event=now, ts_init=now, actor="operator", reason=reason)
        _append(config, event)
        note("The cluster is down; the reset is in the journal and counts when it starts.")
    if as_json:
        print_json({"latched": False})
    else:
        typer.echo("The kill switch is reset: trading may go on.")


def _append(config: "Config", event: "KillSwitchReset") -> None:
    """Write the switch of every account."""
    from cluster.cli.shared_facts import append_shared_facts
    from cluster.config.accounts import accounts_of
    from trading.identifiers import AccountId, kill_stream

    for each in accounts_of(config):
        append_shared_facts(config, kill_stream(AccountId(each.account.account_id)), [event])
