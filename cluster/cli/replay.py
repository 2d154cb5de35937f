"""`trader replay`: run one simulator seed again, or rebuild the account as its journal tells it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cluster.cli.options import ConfigOption, JsonOption
from cluster.exit_codes import ExitCode
from trading.errors import UsageError

if TYPE_CHECKING:
    from cluster.config import Config
    from trading.broker.record import AccountRecord


def replay(
    config: ConfigOption = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Run one seed of the simulator again.")
    ] = None,
    until: Annotated[
        int | None, typer.Option("--until", min=1, metavar="SEQ", help="Last record to apply.")
    ] = None,
    journal: Annotated[
        str | None, typer.Option("--journal", metavar="URL", help="Journal to read.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show orders and positions at any record of the journal; with --seed, run a simulation again."""
    if seed is None:
        _replay_journal(config, journal, until, as_json=as_json)
    elif until is not None or journal is not None:
        raise UsageError("--seed runs a simulation; --until and --journal belong to a journal.")
    else:
        _replay_seed(seed, as_json=as_json)


def _replay_seed(seed: int, *, as_json: bool) -> None:
    from dataclasses import asdict

    from actors.simulation.simulation import replay_seed
    from cluster.cli.output import print_facts, print_json

    report = replay_seed(seed)
    facts = asdict(report)
    if as_json:
        print_json(facts)
    else:
        comparison = facts.pop("comparison")
        problems, story = facts.pop("problems"), facts.pop("story")
        print_facts({**facts, **comparison, "broken promises": len(problems)})
        for line in (*problems, *(story if problems else ())):
            typer.echo(f"  {line}")
    if not report.is_clean:
        raise typer.Exit(ExitCode.FAILED)


def _replay_journal(
    config: Path | None, url: str | None, until: int | None, *, as_json: bool
) -> None:
    from cluster.cli.output import print_facts, print_json, print_table
    from cluster.config import load_config

    settings = load_config(config, {"cluster": {"journal": url}} if url else None)
    record, seq = fold(settings, until)
    account = record.account
    positions = [
        {"instrument_id": key, "quantity": held.quantity, "avg_px": held.avg_px}
        for key, held in sorted(account.positions().items())
        if not held.is_flat
    ]
    orders = _orders(record)
    if as_json:
        print_json(
            {"sequence": seq, "cash": account.cash, "positions": positions, "orders": orders}
        )
        return
    print_facts({"record": seq, "cash": f"{account.cash:,.2f}", "orders": len(orders)})
    for rows in (positions, orders[-20:]):
        if rows:
            typer.echo()
            print_table(tuple(rows[0]), [tuple(row.values()) for row in rows])


def fold(config: "Config", until: int | None) -> tuple["AccountRecord", int]:
    """Fold the account's stream up to and including record `until`; None is all of it.

    Raises
    ------
    UsageError
        If there is no journal, or it ends before `until`.
    """
    from cluster.history import account_stream_of, open_existing
    from trading.broker.record import AccountRecord
    from trading.codec import decode
    from trading.events import Event
    from trading.identifiers import StreamName

    stream = account_stream_of(config)
    kill = StreamName(f"kill:{config.account.account_id}")
    record, seq = AccountRecord(config.account.initial_cash, kill), 0
    journal = open_existing(config.cluster.journal)
    try:
        head = journal.head(stream)
        if until is not None and until > head:
            raise UsageError(f"{stream} ends at record {head}; --until {until} is behind it.")
        for entry in journal.read(stream):
            if until is not None and entry.seq > until:
                break
            event = decode(entry.payload)
            assert isinstance(event, Event)
            record.apply(event)
            seq = entry.seq
    finally:
        journal.close()
    return record, seq


def _orders(record: "AccountRecord") -> list[dict[str, Any]]:
    return [
        {
            "order": order.client_order_id,
            "strategy": order.strategy_id,
            "side": str(order.side or "-"),
            "quantity": order.quantity,
            "instrument_id": order.instrument_id,
            "filled": order.filled_qty,
            "status": str(order.status),
        }
        for order in record.orders.values()
    ]
