"""Rows for people, out of what the machines say of themselves. Absent data is shown as `-`.

The command line prints them as Markdown, the screen and the report draw them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from serve.desk.view import ClusterSnapshot
from trading.identifiers import InstrumentId, MachineName, machine_kind, symbol_of
from trading.refusals import RefusalCode

ABSENT = "-"


class Table(msgspec.Struct, frozen=True):
    """A heading row and rows of text. `numeric` names the columns that align to the right."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[str] = frozenset()


def machine_view(snapshot: ClusterSnapshot, kind: str) -> Mapping[str, Any]:
    """Return the view of the first machine of a kind; empty while it is down."""
    for name, view in snapshot.machines.items():
        if name.partition(":")[0] == kind:
            return view
    return {}


def positions(snapshot: ClusterSnapshot) -> Table:
    """The account's open positions, largest value first."""
    return positions_of(machine_view(snapshot, "ledger").get("positions", ()))


def positions_of(held: Iterable[Mapping[str, Any]]) -> Table:
    """Positions as a ledger describes them, largest value first."""
    ranked = sorted(held, key=lambda row: -abs(row.get("value") or 0))
    return _table(
        "symbol quantity avg_px last_px value unrealized",
        ranked,
        lambda row: (
            _symbol(row),
            quantity(row.get("quantity")),
            money(row.get("avg_px")),
            money(row.get("last_px")),
            money(row.get("value")),
            signed(row.get("unrealized_pnl")),
        ),
        "quantity avg_px last_px value unrealized",
    )


def orders(snapshot: ClusterSnapshot, limit: int | None = None) -> Table:
    """The newest orders of the account, newest first."""
    recent = machine_view(snapshot, "ledger").get("recent_orders", ())[:limit]
    return _table(
        "order strategy side quantity symbol filled avg_px status purpose",
        recent,
        lambda row: (
            str(row.get("client_order_id", ABSENT))[:8],
            str(row.get("strategy_id", ABSENT)),
            str(row.get("side") or ABSENT),
            quantity(row.get("quantity")),
            _symbol(row),
            quantity(row.get("filled_qty")),
            money(row.get("avg_px") or None),
            str(row.get("status", ABSENT)),
            str(row.get("code") or row.get("purpose") or ABSENT),
        ),
        "quantity filled avg_px",
    )


def fills(snapshot: ClusterSnapshot, limit: int | None = None) -> Table:
    """The newest fills of the account, newest first."""
    recent = machine_view(snapshot, "ledger").get("recent_fills", ())[:limit]
    return _table(
        "date strategy side quantity symbol price commission realized purpose",
        recent,
        lambda row: (
            date(row.get("ts_event", 0)),
            str(row.get("strategy_id", ABSENT)),
            str(row.get("side", ABSENT)),
            quantity(row.get("quantity")),
            _symbol(row),
            money(row.get("price")),
            money(row.get("commission")),
            signed(row.get("realized_pnl")),
            str(row.get("purpose") or ABSENT),
        ),
        "quantity price commission realized",
    )


def refusals(snapshot: ClusterSnapshot) -> Table:
    """How many orders we refused, by code, with the meaning of the code."""
    counts = refusal_counts(snapshot)
    return _table(
        "count code meaning",
        counts.most_common(),
        lambda item: (f"{item[1]:,}", item[0], meaning(item[0])),
        "count",
    )


def recent_refusals(snapshot: ClusterSnapshot) -> Table:
    """The last refused orders, newest first, each with its own reason."""
    return _table(
        "date strategy side quantity symbol code reason",
        snapshot.refusals,
        lambda refusal: (
            date(refusal.ts_event),
            refusal.strategy_id,
            refusal.side or ABSENT,
            quantity(refusal.quantity),
            symbol_of(refusal.instrument_id) or ABSENT,
            refusal.code,
            refusal.reason,
        ),
        "quantity",
    )


def refusal_counts(snapshot: ClusterSnapshot) -> Counter[str]:
    """Count refusals by code. The strategies see all of them; without strategies risk knows its own."""
    kinds: dict[str, Counter[str]] = {"strategy": Counter(), "risk": Counter()}
    for name, view in snapshot.machines.items():
        kind = name.partition(":")[0]
        if kind in kinds:
            kinds[kind].update({str(code): n for code, n in view.get("denials", {}).items()})
    return kinds["strategy"] or kinds["risk"]


def actors(snapshot: ClusterSnapshot) -> Table:
    """Each actor with its process."""
    return _table(
        "actor pid node restarts messages state machines",
        snapshot.actors,
        lambda actor: (
            actor.name,
            str(actor.pid or ABSENT),
            actor.node or ABSENT,
            str(actor.restarts),
            f"{actor.messages:,}",
            "up" if actor.alive else "down",
            kinds(actor.machines),
        ),
        "pid restarts messages",
    )


def strategies(snapshot: ClusterSnapshot) -> Table:
    """Profit, return and use of each strategy."""
    views = machine_view(snapshot, "ledger").get("strategies", {})
    return _table(
        "strategy capital profit return sharpe max_drawdown trades exposure",
        views.items(),
        lambda item: (
            item[0],
            money(item[1].get("capital")),
            signed(item[1].get("profit")),
            percent(item[1].get("return")),
            ratio(item[1].get("sharpe")),
            percent(item[1].get("max_drawdown")),
            str(item[1].get("trades", ABSENT)),
            money(item[1].get("exposure")),
        ),
        "capital profit return sharpe max_drawdown trades exposure",
    )


def kinds(machines: Iterable[MachineName]) -> str:
    """Name the kinds of some machines, with their number where there are several of one kind."""
    counts = Counter(machine_kind(name) for name in machines)
    return ", ".join(f"{kind} x{n}" if n > 1 else kind for kind, n in counts.items()) or ABSENT


def meaning(code: str) -> str:
    """Return the sentence that belongs to a refusal code; `-` for one that is not ours."""
    return RefusalCode(code).meaning if code in RefusalCode.__members__ else ABSENT


def money(value: Decimal | float | None) -> str:
    """Two digits and thousands separators."""
    return ABSENT if value is None else f"{value:,.2f}"


def signed(value: Decimal | float | None) -> str:
    """Like `money`, with a sign unless it is zero."""
    if value is None:
        return ABSENT
    return f"{value:+,.2f}" if round(value, 2) else "0.00"


def quantity(value: Decimal | None) -> str:
    return ABSENT if value is None else f"{value.normalize():,f}"


def percent(value: float | None) -> str:
    """A fraction of 1 as per cent with two digits."""
    return ABSENT if value is None else f"{100 * value:.2f} %"


def ratio(value: float | None) -> str:
    return ABSENT if value is None else f"{value:.2f}"


def microseconds(value: float | None) -> str:
    """Microseconds, or milliseconds from 10,000 on."""
    if value is None:
        return ABSENT
    return f"{value:,.0f} us" if value < 10_000 else f"{value / 1000:,.1f} ms"


def date(ts: int) -> str:
    """The UTC day of a market time (ns)."""
    return datetime.fromtimestamp(ts / 1e9, UTC).strftime("%Y-%m-%d") if ts else ABSENT


def moment(ts: int) -> str:
    """The UTC day and second of a market time (ns)."""
    return datetime.fromtimestamp(ts / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S") if ts else ABSENT


def _symbol(row: Mapping[str, Any]) -> str:
    return symbol_of(InstrumentId(row.get("instrument_id", ""))) or ABSENT


def _table(headings: str, items: Iterable[Any], row_of: Any, numeric: str) -> Table:
    rows: Sequence[tuple[str, ...]] = [row_of(item) for item in items]
    return Table(tuple(headings.split()), tuple(rows), frozenset(numeric.split()))
