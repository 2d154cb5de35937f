"""The tables of orders, positions, fills and actors. Rows that name their account get a column for it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cluster.cli.output import print_table
from cluster.cli.wording import moment, money, units

if TYPE_CHECKING:
    from cluster.cli.account import Row
    from serve.desk.view import ActorView


def print_orders(orders: Sequence["Row"]) -> None:
    """Print orders; the table has the first digits of each id, `--json` has all."""
    _print(
        orders,
        ("time (UTC)", "order", "strategy", "instrument", "side", "quantity", "filled", "price",
         "status", "code"),
        [
            (
                moment(int(o["ts_last"])), o["client_order_id"][:8], o["strategy_id"],
                o["instrument_id"], o["side"], units(o["quantity"]), units(o["filled_qty"]),
                units(o["avg_px"] or None), o["status"], o["code"],
            )
            for o in orders
        ],
    )  # fmt: skip


def print_positions(positions: Sequence["Row"]) -> None:
    _print(
        positions,
        ("instrument", "quantity", "average", "last", "value", "unrealized", "realized"),
        [
            (
                p["instrument_id"], units(p["quantity"]), units(p["avg_px"]), units(p["last_px"]),
                money(p["value"]), money(p["unrealized_pnl"]), money(p["realized_pnl"]),
            )
            for p in positions
        ],
    )  # fmt: skip


def print_fills(fills: Sequence["Row"]) -> None:
    """Print fills; their time is market time."""
    _print(
        fills,
        ("time (UTC)", "strategy", "instrument", "side", "quantity", "price", "fee", "realized",
         "purpose"),
        [
            (
                moment(int(f["ts_event"])), f["strategy_id"], f["instrument_id"], f["side"],
                units(f["quantity"]), units(f["price"]), money(f["commission"]),
                money(f["realized_pnl"]), f["purpose"],
            )
            for f in fills
        ],
    )  # fmt: skip


def _print(
    rows: Sequence["Row"], headings: tuple[str, ...], cells: Sequence[tuple[object, ...]]
) -> None:
    if "account" in rows[0]:
        headings = ("account", *headings)
        cells = [(row["account"], *line) for row, line in zip(rows, cells, strict=True)]
    print_table(headings, cells)


def print_actors(actors: Sequence["ActorView"]) -> None:
    rows: list[Sequence[Any]] = [
        (a.name, "up" if a.alive else "down", a.pid or "-", a.restarts, a.messages,
         " ".join(a.machines) or "-")
        for a in actors
    ]  # fmt: skip
    print_table(("actor", "state", "pid", "restarts", "messages", "machines"), rows)
