"""The live screen: one look at the cluster, drawn with rich. A pure function of the snapshot."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.layout import Layout
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table as RichTable
from rich.text import Text

from cluster import tables
from serve.desk.view import ClusterSnapshot, VenueView

BARS = "▁▂▃▄▅▆▇█"
WIDE, TALL = 110, 34
"""From this size on every panel is shown."""
HEADER_ROWS = 8
FRAME = 3
"""Rows of a panel that are not data: two of the frame, one of headings."""
TITLE_CODES = 3
"""Refusal codes, the most frequent ones, that fit into a title."""
WRAPPED = frozenset({"meaning", "reason", "machines"})
"""Columns that take the room that is left, and give way when there is little."""
POSITIONS = ("symbol", "quantity", "last_px", "value", "unrealized")
ORDERS = ("strategy", "side", "quantity", "symbol", "status", "purpose")
FILLS = ("strategy", "side", "quantity", "symbol", "price", "realized")
STRATEGIES = ("strategy", "profit", "return", "sharpe", "trades")
REFUSED = ("strategy", "side", "quantity", "symbol", "code", "reason")
REFUSED_COUNTS = ("count", "code", "meaning")
ACTORS = ("actor", "pid", "restarts", "messages", "state", "machines")
_GOOD, _BAD, _DIM, _WARN = "green", "red", "dim", "yellow"
_STATE_STYLES = {
    "FILLED": _GOOD,
    "DENIED": _BAD,
    "REJECTED": _BAD,
    "AMBIGUOUS": _WARN,
    "BUY": _GOOD,
    "SELL": _BAD,
    "down": f"bold {_BAD}",
}


def render(
    snapshot: ClusterSnapshot,
    width: int,
    height: int,
    equity: Sequence[float] = (),
    page: str = "",
) -> RenderableType:
    """Return the screen for a terminal of `width` x `height` characters.

    Parameters
    ----------
    equity : sequence of float
        The account's equity at earlier looks, oldest first, for the sparkline.
    page : str
        Address of the page; empty when there is none.
    """
    layout = Layout()
    is_wide = width >= WIDE and height >= TALL
    body = (_wide_body if is_wide else _narrow_body)(snapshot, height - HEADER_ROWS - 1)
    layout.split_column(
        Layout(_header(snapshot, width, equity), size=HEADER_ROWS),
        body,
        Layout(_footer(snapshot, page), size=1),
    )
    return layout


def sparkline(values: Sequence[float], width: int, rows: int = 2) -> str:
    """Return `values` as `rows` lines of at most `width` block characters, lowest to highest."""
    if not values or width < 1:
        return ""
    count = min(width, len(values))
    picked = [values[(index + 1) * len(values) // count - 1] for index in range(count)]
    low, high = min(picked), max(picked)
    steps = len(BARS) * rows
    levels = [1 + round((v - low) / ((high - low) or 1.0) * (steps - 1)) for v in picked]
    lines = []
    for row in reversed(range(rows)):
        filled = [min(len(BARS), max(0, level - row * len(BARS))) for level in levels]
        lines.append("".join(BARS[n - 1] if n else " " for n in filled))
    return "\n".join(lines)


def _wide_body(snapshot: ClusterSnapshot, height: int) -> Layout:
    refused = min(9, max(5, FRAME + len(_refused(snapshot)[0].rows)))
    upper = height - refused
    hosts = min(FRAME + len(snapshot.actors), upper - 12)
    orders = (upper - hosts) // 2
    kept = min(8, FRAME + len(tables.strategies(snapshot).rows))
    body, top, left, right = Layout(), Layout(size=upper), Layout(ratio=5), Layout(ratio=6)
    left.split_column(
        Layout(_positions(snapshot, upper - kept, POSITIONS)),
        Layout(_panel("strategies", tables.strategies(snapshot), kept, STRATEGIES), size=kept),
    )
    right.split_column(
        Layout(_orders(snapshot, orders, ORDERS), size=orders),
        Layout(_panel("last fills", tables.fills(snapshot), upper - hosts - orders, FILLS)),
        Layout(_actors(snapshot, hosts, ACTORS), size=hosts),
    )
    top.split_row(left, right)
    body.split_column(top, Layout(_refusals(snapshot, refused), size=refused))
    return body


def _narrow_body(snapshot: ClusterSnapshot, height: int) -> Layout:
    """What fits on 80x24: positions beside orders, refusals beside actors."""
    lower = max(FRAME + 1, height // 2)
    upper = height - lower
    body, top, bottom = Layout(), Layout(size=upper), Layout(size=lower)
    top.split_row(
        Layout(_positions(snapshot, upper, POSITIONS[:2] + POSITIONS[-1:]), ratio=4),
        Layout(_orders(snapshot, upper, ORDERS[1:5]), ratio=5),
    )
    bottom.split_row(
        Layout(_panel("refused", tables.refusals(snapshot), lower, REFUSED_COUNTS[:2]), ratio=4),
        Layout(_actors(snapshot, lower, ACTORS[:4]), ratio=5),
    )
    body.split_column(top, bottom)
    return body


def _clock_line(snapshot: ClusterSnapshot) -> RenderableType:
    """How far a replay is; what a real venue's clock and connection say."""
    if snapshot.venue is not None:
        return _venue_line(snapshot, snapshot.venue)
    done = max(0, snapshot.sequence - snapshot.first + 1) if snapshot.clock_ns else 0
    total = max(1, snapshot.last - snapshot.first + 1)
    line = RichTable.grid(expand=True)
    line.add_column(no_wrap=True)
    line.add_column(ratio=1)
    line.add_column(no_wrap=True)
    line.add_row(
        Text.assemble(
            ("clock ", _DIM), (tables.date(snapshot.clock_ns), "bold"), f"  day {done}/{total}  "
        ),
        ProgressBar(
            total=total, completed=done, style="bright_black",
            complete_style="cyan", finished_style=_GOOD,
        ),
        _pace(snapshot),
    )  # fmt: skip
    return line


def _venue_line(snapshot: ClusterSnapshot, venue: VenueView) -> RenderableType:
    is_fine = venue.is_ready and not venue.feed_problem
    return Text.assemble(
        ("clock ", _DIM), (tables.moment(snapshot.clock_ns), "bold"),
        (f"  {venue.name} ", _DIM), (venue.summary, _GOOD if is_fine else f"bold {_BAD}"),
        no_wrap=True, overflow="ellipsis",
    )  # fmt: skip


def _header(snapshot: ClusterSnapshot, width: int, equity: Sequence[float]) -> RenderableType:
    is_stopped = bool(tables.machine_view(snapshot, "broker").get("kill", {}).get("is_latched"))
    return Panel(
        Group(
            _clock_line(snapshot),
            _account_line(snapshot),
            _money_line(snapshot),
            _order_line(snapshot),
            Text(sparkline(equity, width - 4), style="cyan"),
        ),
        title=_title(snapshot, is_stopped=is_stopped),
        title_align="left",
        border_style=_BAD if is_stopped else "cyan",
    )


def _title(snapshot: ClusterSnapshot, *, is_stopped: bool) -> Text:
    """Name, mode and the kill switch: what must be seen first."""
    title = Text("neural-trader", style="bold")
    if snapshot.name:
        title.append(f" {snapshot.name}")
    if snapshot.mode:
        style = f"bold {_BAD}" if snapshot.mode == "live" else _WARN
        title.append(f"  {snapshot.mode.upper()}", style=style)
    if is_stopped:
        title.append("  KILL SWITCH LATCHED", style=f"bold {_BAD}")
    return title


def _pace(snapshot: ClusterSnapshot) -> Text:
    if snapshot.pace is None:
        return Text()
    speed = f"{snapshot.pace:g} days/s" if snapshot.pace else "full speed"
    return Text(f"  {speed}", style=_DIM)


def _account_line(snapshot: ClusterSnapshot) -> Text:
    ledger = tables.machine_view(snapshot, "ledger")
    equity, initial = ledger.get("equity"), ledger.get("initial")
    change = None if equity is None or not initial else float(equity / initial - 1)
    style = _BAD if (change or 0) < 0 else _GOOD
    return Text.assemble(
        ("equity ", _DIM),
        (tables.money(equity), "bold"),
        ("  " + ("" if change is None else f"{100 * change:+.2f} %"), style),
        ("   drawdown ", _DIM),
        tables.percent(ledger.get("drawdown")),
        ("  worst ", _DIM),
        tables.percent(ledger.get("max_drawdown")),
        no_wrap=True,
    )


def _money_line(snapshot: ClusterSnapshot) -> Text:
    ledger = tables.machine_view(snapshot, "ledger")
    return Text.assemble(
        ("cash ", _DIM), tables.money(ledger.get("cash")),
        ("  gross ", _DIM), tables.money(ledger.get("gross")),
        ("  net ", _DIM), tables.money(ledger.get("net")),
        ("  costs ", _DIM), tables.money(ledger.get("commissions")),
        no_wrap=True,
    )  # fmt: skip


def _order_line(snapshot: ClusterSnapshot) -> Text:
    risk = tables.machine_view(snapshot, "risk")
    state = str(risk.get("state", "DOWN"))
    why = "" if state == "ACTIVE" else f" {risk.get('code', '')}".rstrip()
    counts = tables.machine_view(snapshot, "ledger").get("orders", {})
    latency = snapshot.latency_us.tick_to_order
    return Text.assemble(
        ("risk ", _DIM), (state + why, _GOOD if state == "ACTIVE" else f"bold {_BAD}"),
        ("  orders ", _DIM), str(counts.get("submitted", tables.ABSENT)),
        ("  refused ", _DIM), str(tables.refusal_counts(snapshot).total()),
        ("  tick to order ", _DIM),
        f"p50 {tables.microseconds(latency.p50)} p99 {tables.microseconds(latency.p99)}",
        no_wrap=True,
    )  # fmt: skip


def _positions(snapshot: ClusterSnapshot, height: int, kept: Sequence[str]) -> RenderableType:
    return _panel("positions", tables.positions(snapshot), height, kept)


def _orders(snapshot: ClusterSnapshot, height: int, kept: Sequence[str]) -> RenderableType:
    return _panel("last orders", tables.orders(snapshot), height, kept)


def _refusals(snapshot: ClusterSnapshot, height: int) -> RenderableType:
    table, kept = _refused(snapshot)
    counts = tables.refusal_counts(snapshot).most_common(TITLE_CODES)
    title = ", ".join(f"{code} {count:,}" for code, count in counts)
    return _panel(f"refused by risk  {title}".rstrip(), table, height, kept)


def _refused(snapshot: ClusterSnapshot) -> tuple[tables.Table, Sequence[str]]:
    """Return the last refusals one by one; their counts where nobody follows the journal."""
    if snapshot.refusals:
        return tables.recent_refusals(snapshot), REFUSED
    return tables.refusals(snapshot), REFUSED_COUNTS


def _actors(snapshot: ClusterSnapshot, height: int, kept: Sequence[str]) -> RenderableType:
    return _panel("actors", tables.actors(snapshot), height, kept)


def _panel(title: str, table: tables.Table, height: int, kept: Sequence[str]) -> RenderableType:
    """Draw the kept columns of a table into `height` rows, frame and headings included."""
    rows = max(1, height - FRAME)
    shown = [table.headings.index(heading) for heading in kept]
    drawn = RichTable(
        box=None, expand=True, pad_edge=False, padding=(0, 1, 0, 0), header_style=_DIM
    )
    for index in shown:
        heading = table.headings[index]
        drawn.add_column(
            heading.replace("_", " "),
            justify="right" if heading in table.numeric else "left",
            no_wrap=True,
            overflow="ellipsis",
            ratio=1 if heading in WRAPPED else None,
        )
    for row in table.rows[:rows]:
        drawn.add_row(*(_cell(row[index], table.headings[index]) for index in shown))
    more = len(table.rows) - rows
    return Panel(
        drawn if table.rows else Text("none yet", style=_DIM),
        title=title,
        title_align="left",
        subtitle=f"[dim]{more} more[/]" if more > 0 else None,
        subtitle_align="right",
        border_style="bright_black",
    )


def _cell(text: str, heading: str) -> Text:
    style = _STATE_STYLES.get(text, "")
    if heading in ("unrealized", "realized", "profit", "return"):
        style = _sign_style(text)
    elif heading == "code" or (heading == "restarts" and text != "0"):
        style = _WARN
    return Text(text, style=style)


def _sign_style(amount: str) -> str:
    """Return the style of a formatted amount: losses and gains stand out, nothing does not."""
    if not any(digit in amount for digit in "123456789"):
        return ""
    return _BAD if amount.startswith("-") else _GOOD


def _footer(snapshot: ClusterSnapshot, page: str) -> Text:
    hint = (
        "finished; writing the report"
        if snapshot.finished
        else "Ctrl-C ends   kill -9 any pid: it comes back, nothing is lost   "
        "trader kill stops all trading"
    )
    hint = f"{page}   {hint}" if page else hint
    return Text(hint, style=_DIM, no_wrap=True, overflow="ellipsis")
