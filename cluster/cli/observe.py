"""`trader status`, `orders`, `positions`, `fills`: look at a running cluster."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cluster.cli.options import AddressOption, ConfigOption, JsonOption, LimitOption

if TYPE_CHECKING:
    from cluster.tables import Table
    from cluster.view import ClusterSnapshot, ClusterView

LIMIT = 20


def status(
    config: ConfigOption = None,
    address: AddressOption = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Live screen until it ends.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the account, the strategies, the refusals and the actors."""
    from cluster import tables
    from cluster.cli.output import print_facts, print_json

    view, pace = _connect(config, address)
    if watch:
        from cluster.cli.watch import watch as follow

        follow(view, pace=pace, is_live=True)
        return
    snapshot = view.snapshot()
    if as_json:
        print_json(snapshot)
        return
    print_facts(_status_facts(snapshot))
    for table in (
        tables.strategies(snapshot),
        tables.refusals(snapshot),
        tables.actors(snapshot),
    ):
        typer.echo()
        _print(table)


def orders(
    config: ConfigOption = None,
    address: AddressOption = None,
    limit: LimitOption = LIMIT,
    as_json: JsonOption = False,
) -> None:
    """Show the newest orders of the account."""
    from cluster import tables

    _list(config, address, limit, ("orders", "recent_orders"), tables.orders, as_json=as_json)


def positions(
    config: ConfigOption = None, address: AddressOption = None, as_json: JsonOption = False
) -> None:
    """Show the open positions of the account."""
    from cluster import tables

    _list(
        config,
        address,
        None,
        ("positions", "positions"),
        lambda snapshot, _: tables.positions(snapshot),
        as_json=as_json,
    )


def fills(
    config: ConfigOption = None,
    address: AddressOption = None,
    limit: LimitOption = LIMIT,
    as_json: JsonOption = False,
) -> None:
    """Show the newest fills of the account."""
    from cluster import tables

    _list(config, address, limit, ("fills", "recent_fills"), tables.fills, as_json=as_json)


def _list(
    config: Path | None,
    address: str | None,
    limit: int | None,
    names: tuple[str, str],
    table_of: Callable[["ClusterSnapshot", int | None], "Table"],
    *,
    as_json: bool,
) -> None:
    """Print one list of the ledger; `names` are that of the JSON key and of the ledger's own."""
    from cluster import tables
    from cluster.cli.output import print_json
    from trading.errors import ClusterUnreachable

    snapshot = _connect(config, address)[0].snapshot()
    ledger = tables.machine_view(snapshot, "ledger")
    if not ledger:
        raise ClusterUnreachable("the ledger does not answer; it may be restarting, try again.")
    key, field = names
    if as_json:
        print_json({key: list(ledger.get(field, ()))[:limit]})
    else:
        _print(table_of(snapshot, limit))


def _connect(config: Path | None, address: str | None) -> tuple["ClusterView", float]:
    from cluster.cli.run import overrides_of
    from cluster.client import connect
    from cluster.config import load_config

    settings = load_config(config, overrides_of(address=address))
    return connect(settings), settings.data.pace_slices_per_s


def _print(table: "Table") -> None:
    from cluster.cli.output import print_table

    print_table(table.headings, table.rows)


def _status_facts(snapshot: "ClusterSnapshot") -> dict[str, Any]:
    from cluster import tables

    ledger = tables.machine_view(snapshot, "ledger")
    risk = tables.machine_view(snapshot, "risk")
    kill = tables.machine_view(snapshot, "broker").get("kill", {})
    latency = snapshot.latency_us.tick_to_order
    return {
        "clock": f"{tables.date(snapshot.clock_ns)} (slice {snapshot.sequence} of {snapshot.last})",
        "state": "finished" if snapshot.finished else "running",
        "risk": f"{risk.get('state', 'down')} {risk.get('reason', '')}".strip(),
        "kill switch": f"LATCHED: {kill.get('reason')}" if kill.get("is_latched") else "off",
        "equity": tables.money(ledger.get("equity")),
        "cash": tables.money(ledger.get("cash")),
        "gross": tables.money(ledger.get("gross")),
        "net": tables.money(ledger.get("net")),
        "drawdown": tables.percent(ledger.get("drawdown")),
        "tick to order": f"p50 {tables.microseconds(latency.p50)}, "
        f"p99 {tables.microseconds(latency.p99)}",
    }
