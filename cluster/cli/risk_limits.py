"""`trader risk limits`: look at the limits of the account, and change them by journalled facts."""

import getpass
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cluster.cli.options import AddressOption, ConfigOption, JsonOption, config_of

if TYPE_CHECKING:
    from cluster.config import Config
    from serve.desk.accounts import Room
    from trading.risk.limit_changes import LimitBook

app = typer.Typer(help="Show and change the risk limits of the account.")

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="For example max_total_exposure.")
]
ReasonOption = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why; it is recorded with who and when.")
]


@app.callback(invoke_without_command=True)
def limits(
    context: typer.Context,
    config: ConfigOption = None,
    address: AddressOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show every limit in force, how much of it is used, and who changed it.

    Of several accounts, the use shown is that of the one with the least left.
    """
    if context.invoked_subcommand is not None:
        return
    from cluster.cli.output import print_json, print_table
    from cluster.config.accounts import accounts_of
    from cluster.desk.limit_book import limit_text

    settings = config_of(config, address)
    rows = _rows(_in_force(settings), _used(settings))
    if as_json:
        print_json({"limits": rows})
        return
    several = ("account",) if len(accounts_of(settings)) > 1 else ()
    headings = ("limit", "value", "used", "left", *several, "changed by", "reason")
    print_table(headings, [[limit_text(row[name]) for name in headings] for row in rows])


@app.command("set")
def set_limit(
    name: NameArgument,
    value: Annotated[
        str, typer.Argument(metavar="VALUE", help="A number, `on`, or `off` for no limit.")
    ],
    reason: ReasonOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change one limit; the running risk manager obeys within a second.

    Entries of a table: max_group_exposure.sector:energy, max_strategy_exposure.momentum,
    symbols.AAPL.XNAS.max_notional.
    """
    _change(config_of(config), name, value, reason, as_json=as_json)


@app.command("reset")
def reset_limit(
    name: NameArgument,
    reason: ReasonOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go back to what the configuration says."""
    _change(config_of(config), name, "", reason, as_json=as_json)


def measured_rows(config: "Config") -> list[tuple[str, ...]]:
    """Return (limit, value, used, left) of what the running risk managers measure; nothing without one."""
    from cluster.desk.limit_book import limit_text

    used = _used(config)
    return [
        (name, *(limit_text(each) for each in (room.limit, room.used, room.left)))
        for name, room in used.items()
    ]


def _change(config: "Config", name: str, value: str, reason: str, *, as_json: bool) -> None:
    from cluster.cli.output import print_json
    from cluster.cli.shared_facts import append_shared_facts
    from cluster.config.accounts import accounts_of
    from cluster.desk.limit_book import change_limit, limit_text
    from trading.events import LimitChanged
    from trading.identifiers import AccountId

    book = _in_force(config)
    before = book.limits
    now = time.time_ns()
    change = LimitChanged(
        ts_event=now,
        ts_init=now,
        actor=getpass.getuser(),
        name=name,
        value=value,
        reason=reason,
    )
    accounts = [AccountId(each.account.account_id) for each in accounts_of(config)]
    change_limit(
        book, accounts, change, lambda stream, fact: append_shared_facts(config, stream, [fact])
    )
    field = name.partition(".")[0]
    old, new = getattr(before, field), getattr(book.limits, field)
    if as_json:
        print_json({"name": name, "before": old, "after": new, "actor": change.actor})
    else:
        words = f"{limit_text(old)} -> {limit_text(new)}"
        typer.echo(f"{field}: {words} (by {change.actor}, journalled)")


def _in_force(config: "Config") -> "LimitBook":
    """Return the limits of the newest journal."""
    from actors.journal.open import open_journal
    from cluster.cli.folders import config_of_newest_journal
    from cluster.desk.limit_book import limits_in_force
    from cluster.launch import limits_of
    from trading.identifiers import AccountId

    stored = config_of_newest_journal(config) or config
    journal = open_journal(stored.cluster.journal)
    try:
        return limits_in_force(journal, AccountId(config.account.account_id), limits_of(config))
    finally:
        journal.close()


def _used(config: "Config") -> "dict[str, Room]":
    """Return what the running risk managers say of their limits; nothing when no cluster answers."""
    from cluster.client import connect
    from serve.desk.accounts import accounts_of, least_room
    from trading.errors import ClusterUnreachable

    try:
        return least_room(accounts_of(connect(config).snapshot()))
    except ClusterUnreachable:
        return {}


def _rows(found: "LimitBook", used: "dict[str, Room]") -> "list[dict[str, Any]]":
    from cluster.desk.limit_book import last_change

    rows = []
    for name in found.limits.__struct_fields__:
        own, room = last_change(found, name), used.get(name)
        rows.append(
            {
                "limit": name,
                "value": getattr(found.limits, name),
                "used": None if room is None else room.used,
                "left": None if room is None else room.left,
                "account": None if room is None else room.account,
                "changed by": None if own is None else own.actor,
                "reason": None if own is None else own.reason,
            }
        )
    return rows
