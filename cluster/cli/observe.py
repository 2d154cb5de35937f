"""`trader status`, `orders`, `positions`, `fills`: look at a running cluster, or at its journal."""

import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cluster.cli.options import (
    AccountOption,
    AddressOption,
    ConfigOption,
    JsonOption,
    LimitOption,
    QuietOption,
    config_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cluster.cli.account import AccountRows
    from cluster.config import Config
    from serve.desk.view import ClusterSnapshot, LinkedView


def status(
    config: ConfigOption = None, address: AddressOption = None, as_json: JsonOption = False
) -> None:
    """Show clock, equity, trading state and actors of the running cluster."""
    from cluster.cli.output import print_facts, print_json
    from cluster.cli.tables import print_actors
    from cluster.client import connect

    settings = config_of(config, address)
    snapshot = connect(settings).snapshot()
    if as_json:
        print_json(snapshot)
        return
    print_facts(_facts(settings, snapshot))
    typer.echo()
    print_actors(snapshot.actors)


def orders(
    config: ConfigOption = None,
    address: AddressOption = None,
    account: AccountOption = "",
    limit: LimitOption = 20,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show open orders, then the newest others."""
    from cluster.cli.tables import print_orders

    rows = _rows(config, address, account, quiet=quiet)
    _show(rows, "orders", rows.orders[:limit], print_orders, as_json=as_json)


def positions(
    config: ConfigOption = None,
    address: AddressOption = None,
    account: AccountOption = "",
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show the positions of the accounts."""
    from cluster.cli.tables import print_positions

    rows = _rows(config, address, account, quiet=quiet)
    _show(rows, "positions", rows.positions, print_positions, as_json=as_json)


def fills(
    config: ConfigOption = None,
    address: AddressOption = None,
    account: AccountOption = "",
    limit: LimitOption = 20,
    follow: Annotated[
        bool,
        typer.Option("--follow", "-f", help="JSON lines: every fill, then each new one; no end."),
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show the newest fills. --follow shows one account: [account], or that of --account."""
    from cluster.cli.tables import print_fills

    if follow:
        _follow_fills(config, address, account)
        return
    rows = _rows(config, address, account, quiet=quiet)
    _show(rows, "fills", rows.fills[:limit], print_fills, as_json=as_json)


def _follow_fills(path: "Path | None", address: str | None, account: str) -> None:
    import msgspec

    from cluster.cli.account import follow_fills
    from cluster.cli.folders import config_of_newest_journal

    settings = config_of(path, address)
    stored = _configs(config_of_newest_journal(settings) or settings)
    _require_account(account, stored)
    try:
        for row in follow_fills(stored[account or settings.account.account_id]):
            sys.stdout.write(msgspec.json.encode(row, enc_hook=str).decode() + "\n")
            sys.stdout.flush()
    except BrokenPipeError:  # the reader has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _rows(path: "Path | None", address: str | None, account: str, *, quiet: bool) -> "AccountRows":
    """Return the rows of one account, or of all."""
    from cluster.cli.account import joined

    rows = _rows_by_account(config_of(path, address), quiet=quiet)
    _require_account(account, rows)
    return rows[account] if account else joined(rows)


def _require_account(account: str, known: "Mapping[str, object]") -> None:
    from trading.errors import UsageError

    if account and account not in known:
        raise UsageError(f"--account {account}: the accounts are {', '.join(known)}.")


def _configs(config: "Config") -> "dict[str, Config]":
    from cluster.config.accounts import accounts_of

    return {each.account.account_id: each for each in accounts_of(config)}


def _rows_by_account(settings: "Config", *, quiet: bool) -> "dict[str, AccountRows]":
    """Ask the cluster; when it is down, read the journal and say so."""
    from cluster.cli.account import rows_of_cluster, rows_of_journal
    from cluster.cli.folders import config_of_newest_journal
    from cluster.cli.output import note
    from cluster.client import connect
    from cluster.logs import without_password
    from trading.errors import ClusterUnreachable

    try:
        snapshot = connect(settings).snapshot()
        first = {settings.account.account_id: rows_of_cluster(snapshot)}
        return first | {str(each.account_id): rows_of_cluster(each) for each in snapshot.linked}
    except ClusterUnreachable:
        stored = config_of_newest_journal(settings)
        if stored is None:
            raise
    place = without_password(stored.cluster.journal)
    note(f"The cluster is down; this is what the journal {place} says.", quiet=quiet)
    return {key: rows_of_journal(each) for key, each in _configs(stored).items()}


def _show(rows: "AccountRows", name: str, shown: list[Any], table: Any, *, as_json: bool) -> None:
    from cluster.cli.output import print_json

    if as_json:
        print_json({"source": rows.source, name: shown})
    elif shown:
        table(shown)
    else:
        typer.echo(f"There are no {name}.")


def _facts(config: "Config", snapshot: "ClusterSnapshot") -> dict[str, object]:
    from cluster.cli.account import machine_view
    from cluster.cli.wording import moment, money, percent

    ledger, risk = machine_view(snapshot, "ledger"), machine_view(snapshot, "risk")
    broker = machine_view(snapshot, "broker")
    state = risk.get("state", "risk is down")
    reason = f" ({risk['reason']})" if risk.get("reason") else ""
    latency = snapshot.latency_us.tick_to_order
    return (
        {
            "cluster": f"{config.cluster.name} ({config.cluster.mode})",
            "market time": moment(snapshot.clock_ns),
            **_place(snapshot),
            "trading": f"{state}{reason}",
            "kill switch": _switch(broker),
            "equity": money(ledger.get("equity")),
            "drawdown": percent(ledger.get("drawdown")),
            "open orders": len(broker["open_orders"]) if broker else "broker is down",
            "tick to order": f"p50 {_micros(latency.p50)}, p99 {_micros(latency.p99)}",
        }
        | _linked(snapshot)
        | _desks(snapshot)
        | _forecasts(snapshot)
    )


def _linked(snapshot: "ClusterSnapshot") -> dict[str, object]:
    """One line for each further account: its venue, and what the first one has lines of its own for."""
    return {
        f"account {each.account_id}": f"{each.venue.name}: {each.venue.summary}; {_standing(each)}"
        for each in snapshot.linked
    }


def _standing(account: "LinkedView") -> str:
    from cluster.cli.account import machine_view
    from cluster.cli.wording import money, percent

    ledger, risk = machine_view(account, "ledger"), machine_view(account, "risk")
    broker = machine_view(account, "broker")
    reason = f" ({risk['reason']})" if risk.get("reason") else ""
    return (
        f"{risk.get('state', 'risk is down')}{reason}, kill switch {_switch(broker)}, "
        f"equity {money(ledger.get('equity'))}, drawdown {percent(ledger.get('drawdown'))}, "
        f"open orders {len(broker.get('open_orders', ()))}"
    )


def _desks(snapshot: "ClusterSnapshot") -> dict[str, object]:
    """One line for the desk: how many large orders it works, and where it cannot trade now."""
    lines: dict[str, object] = {}
    for name, view in snapshot.machines.items():
        kind, _, desk = name.partition(":")
        if kind == "execution":
            out = [f"{key}: {why}" for key, why in view["left_out"].items() if why]
            lines[f"desk {desk}"] = "; ".join([f"{len(view['running'])} large orders", *out])
    return lines


def _place(snapshot: "ClusterSnapshot") -> dict[str, object]:
    """Where a replay is, or how we stand with a real venue."""
    if snapshot.venue is not None:
        return {"venue": f"{snapshot.venue.name}: {snapshot.venue.summary}"}
    end = " (finished)" if snapshot.finished else ""
    return {"slice": f"{snapshot.sequence} of {snapshot.first}..{snapshot.last}{end}"}


def _forecasts(snapshot: "ClusterSnapshot") -> dict[str, object]:
    """One line for each source of forecasts: whom it asks, and how its questions ended."""
    lines: dict[str, object] = {}
    for name, view in snapshot.machines.items():
        kind, _, source = name.partition(":")
        if kind == "forecast":
            counts = ", ".join(
                f"{view[count]:,} {count}" for count in ("asked", "published", "late", "failed")
            )
            watched = _watched(view.get("watch", {}))
            lines[f"forecasts {source}"] = (
                f"{view['answered_by'] or view['model']}: {counts}{watched}"
            )
    return lines


def _watched(watch: "Mapping[str, Any]") -> str:
    """How its intervals held, once an outcome is known."""
    coverage = watch.get("coverage", {}).get("0.8")
    if coverage is None:
        return ""
    return f"; 80 % held {coverage:.0%}, {len(watch.get('alerts', ()))} alerts"


def _switch(broker: Any) -> str:
    if not broker:
        return "broker is down"
    return "LATCHED" if broker.get("kill", {}).get("is_latched") else "off"


def _micros(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f} us"
