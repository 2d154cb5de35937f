"""The report of a run: one HTML file that needs nothing else, no network either."""

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from cluster import charts, tables
from cluster.result import RunResult
from trading.identifiers import symbol_of
from trading.values import ZERO
from tune.report.page import facts, figures, page, table, write_page

ROWS_MAX = 500
"""Longer tables show their newest rows and say so."""


def write_report(result: RunResult, path: Path) -> Path:
    """Write the report and return its absolute path; a report that was there stays until then.

    Raises
    ------
    UsageError
        If the file cannot be written.
    """
    return write_page(report_html(result), path)


def report_html(result: RunResult) -> str:
    """Return the whole page."""
    first, last = _span(result)
    title = f"neural-trader {result.config.cluster.name}: {first} to {last}"
    return page(
        title,
        f"""<h1>{escape(title)}</h1>
<p class="dim">{result.days} trading days, {len(result.symbols)} symbols,
{len(result.strategies)} strategies, {result.config.cluster.mode} account
{escape(result.config.account.account_id)}.</p>
{_facts(result)}
{_check(result)}
<h2>Result by strategy</h2>{_strategies(result)}
<h2>Course</h2>{_charts(result)}
<h2>Positions at the end</h2>{_positions(result)}
<h2>Refused orders</h2>{_refusal_codes(result)}{_refusals(result)}
<h2>Fills</h2>{_fills(result)}
<h2>Actors</h2>{_actors(result)}
{_footer(result)}""",
    )


def _facts(result: RunResult) -> str:
    initial = result.initial_equity
    change = float(result.final_equity / initial - 1) if initial else 0.0
    latency = result.latency_us.tick_to_order
    return facts(
        [
            ("Final equity", tables.money(result.final_equity), ""),
            ("Return", f"{100 * change:+.2f} %", "good" if change >= 0 else "bad"),
            ("Sharpe ratio", tables.ratio(result.sharpe), ""),
            ("Largest drawdown", tables.percent(result.max_drawdown), ""),
            ("Orders filled", f"{result.orders.filled:,} of {result.orders.submitted:,}", ""),
            ("Orders refused", f"{sum(result.orders.refused.values()):,}", ""),
            ("Commissions", tables.money(sum((f.commission for f in result.fills), ZERO)), ""),
            ("Tick to order, median", tables.microseconds(latency.p50), ""),
            ("Tick to order, p99", tables.microseconds(latency.p99), ""),
        ]
    )


def _check(result: RunResult) -> str:
    check = result.check
    if result.venue is not None:
        return f"<p>{escape(result.venue.verdict)}</p>"
    if check is None:
        return "<p>The ledger was not compared with the exchange in this run.</p>"
    if check.is_clean:
        return (
            '<p><b class="good">The ledger agrees with the exchange\'s own record:</b> no order was '
            "executed twice, nothing was lost, positions and cash are equal to the cent.</p>"
        )
    return (
        '<p><b class="bad">The ledger and the exchange\'s own record differ:</b> '
        f"{check.duplicates:,} orders executed twice, {check.lost:,} orders or fills lost, "
        f"positions differ by {check.position_difference:,f} units and cash by "
        f"{check.cash_difference:,f} USD.</p>"
    )


def _strategies(result: RunResult) -> str:
    rows = [
        (
            one.strategy_id,
            tables.money(one.capital),
            tables.signed(one.profit),
            tables.percent(one.total_return),
            tables.ratio(one.sharpe),
            tables.percent(one.max_drawdown),
            f"{one.trades:,}",
        )
        for one in result.strategies
    ]
    headings = ("strategy", "capital", "profit", "return", "Sharpe", "largest drawdown", "trades")
    return table(headings, rows, numeric=range(1, 7))


def _charts(result: RunResult) -> str:
    if not result.marks:
        return "<p>No day was completed, so there is nothing to draw.</p>"
    makers = (charts.equity, charts.drawdown, charts.strategies, charts.exposure, charts.trades)
    drawn = [make(result) for make in makers]
    if result.orders.refused:
        drawn.append(charts.refusals(result))
    return figures(drawn) + _behind_the_last_mark(result)


def _behind_the_last_mark(result: RunResult) -> str:
    """Explain a final equity that is not the end of the curve."""
    if result.final_equity == result.marks[-1].equity:
        return ""
    return (
        '<p class="dim">The curves show what was known at each close; the final figures count the '
        "fills behind the last close too.</p>"
    )


def _positions(result: RunResult) -> str:
    if result.positions is None:
        return "<p>The ledger was down at the end; its positions are not known.</p>"
    if not result.positions:
        return "<p>The account is flat.</p>"
    shown = tables.positions_of(result.positions)
    return table(
        [heading.replace("_", " ") for heading in shown.headings],
        shown.rows,
        numeric=[i for i, heading in enumerate(shown.headings) if heading in shown.numeric],
    )


def _refusal_codes(result: RunResult) -> str:
    rows = [
        (f"{count:,}", code, tables.meaning(code)) for code, count in result.orders.refused.items()
    ]
    if not rows:
        return "<p>No order was refused.</p>"
    return table(("count", "code", "meaning"), rows, numeric=(0,))


def _refusals(result: RunResult) -> str:
    rows = [
        (
            tables.date(refusal.ts_event),
            refusal.strategy_id,
            symbol_of(refusal.instrument_id),
            refusal.order.side if refusal.order else tables.ABSENT,
            tables.quantity(refusal.order.quantity if refusal.order else None),
            refusal.code,
            refusal.reason,
        )
        for refusal in result.refusals
    ]
    headings = ("date", "strategy", "symbol", "side", "quantity", "code", "reason")
    return _newest(headings, rows, numeric=(4,)) if rows else ""


def _fills(result: RunResult) -> str:
    rows = [
        (
            tables.date(fill.ts_event),
            fill.strategy_id,
            symbol_of(fill.instrument_id),
            fill.side,
            tables.quantity(fill.last_qty),
            tables.money(fill.last_px),
            tables.money(fill.commission),
            fill.purpose,
            fill.trade_id,
        )
        for fill in result.fills
    ]
    if not rows:
        return "<p>Nothing was traded.</p>"
    headings = (
        "date", "strategy", "symbol", "side", "quantity", "price", "commission", "purpose", "trade",
    )  # fmt: skip
    return _newest(headings, rows, numeric=(4, 5, 6))


def _actors(result: RunResult) -> str:
    rows = [
        (
            actor.name,
            str(actor.pid or tables.ABSENT),
            actor.node,
            str(actor.restarts),
            f"{actor.messages:,}",
            ", ".join(actor.machines) or tables.ABSENT,
        )
        for actor in result.actors
    ]
    timing = (
        f'<p class="dim">Started in {result.seconds.start:.1f} s, '
        f"ran for {result.seconds.run:.1f} s.</p>"
    )
    headings = ("actor", "process", "node", "restarts", "messages", "machines")
    return timing + table(headings, rows, numeric=(1, 3, 4))


def _footer(result: RunResult) -> str:
    if result.venue is not None:
        return f"""<footer><p><b>Data and fills:</b> as {escape(result.venue.name)} reported them, in
{result.config.cluster.mode} mode. Returns and ratios are before taxes; the Sharpe ratio is annualised from daily
returns without a risk-free rate.</p></footer>"""
    exchange, data = result.config.exchange, result.config.data
    source = (
        "closing prices of 20 S&amp;P 500 stocks, 1990 to 2022, from the skfolio package (BSD-3), "
        "adjusted for splits and dividends: they are stocks that survived, so any result is flattered"
        if data.source == "sp500"
        else f"{escape(data.source)}; its licence is its owner's"
    )
    shorts = "are allowed" if exchange.allow_short else "are not allowed"
    return f"""<footer><p><b>Data:</b> {source}.</p>
<p><b>Costs:</b> {exchange.fee_per_share} USD per share and {exchange.fee_bps} basis points, at least
{exchange.fee_min} USD per fill; half a spread of {exchange.half_spread_bps:g} basis points;
{exchange.slippage_bps:g} basis points of slippage.</p>
<p><b>The simulated exchange</b> offers {exchange.levels} levels of {exchange.depth:,} USD on each side of
every close and refills them each day; our orders do not move the price beyond walking these levels.
Orders take {exchange.latency_ms:g} ms. Orders are decided on a close and filled around that same close.
Short sales {shorts}, borrowing costs nothing, cash earns nothing, and gross exposure is limited to
{exchange.max_leverage} times the equity.</p>
<p>Past results of a simulation say little about the future. Returns and ratios are before taxes;
the Sharpe ratio is annualised from daily returns without a risk-free rate.</p></footer>"""


def _newest(headings: Sequence[str], rows: Sequence[Sequence[str]], numeric: Iterable[int]) -> str:
    note = (
        f"The newest {ROWS_MAX:,} of {len(rows):,}"
        if len(rows) > ROWS_MAX
        else f"All {len(rows):,}"
    )
    return f'<p class="dim">{note}, newest first.</p>' + table(
        headings, rows[: -ROWS_MAX - 1 : -1], numeric
    )


def _span(result: RunResult) -> tuple[str, str]:
    if not result.marks:
        return "no day", "no day"
    return tables.date(result.marks[0].ts_event), tables.date(result.marks[-1].ts_event)
