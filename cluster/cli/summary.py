"""What a finished run prints: a table per strategy, the check in words, where the report is."""

import sys
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from cluster.result import RunResult
    from serve.desk.view import CheckView

PLAIN_WIDTH = 120


def print_result(result: "RunResult") -> None:
    """Print the result of a run on stdout."""
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH, highlight=False)
    console.print(_strategies(result))
    for line in _lines(result):
        typer.echo(line)


def check_line(check: "CheckView | None") -> str:
    """Say in plain words whether ledger and exchange agree."""
    if check is None:
        return "Check: the ledger could not be compared with the exchange's record."
    if check.is_clean:
        return (
            "Check: the ledger agrees with the exchange's own record: no order doubled, nothing "
            "lost, positions and cash equal to the cent."
        )
    return (
        f"Check FAILED: {check.duplicates} doubled, {check.lost} lost, positions differ by "
        f"{check.position_difference} units, cash by {check.cash_difference}. The journal holds "
        "the story: trader replay --until SEQ."
    )


def _strategies(result: "RunResult") -> object:
    from rich import box
    from rich.table import Table

    from cluster.cli.wording import money, percent, ratio

    table = Table(box=box.MARKDOWN)
    table.add_column("strategy")
    for heading in ("capital", "profit", "return", "Sharpe", "max drawdown", "trades"):
        table.add_column(heading, justify="right")
    for one in result.strategies:
        table.add_row(
            one.strategy_id, money(one.capital), money(one.profit), percent(one.total_return),
            ratio(one.sharpe), percent(one.max_drawdown), str(one.trades),
        )  # fmt: skip
    return table


def _lines(result: "RunResult") -> list[str]:
    from cluster.cli.wording import money, percent

    orders = result.orders
    gain = result.final_equity / result.initial_equity - 1 if result.initial_equity else None
    refused = ", ".join(f"{code} {count}" for code, count in sorted(orders.refused.items()))
    latency = result.latency_us.tick_to_order
    equity = f"{money(result.initial_equity)} -> {money(result.final_equity)} ({percent(gain)})"
    counts = f"{orders.submitted} submitted, {orders.filled} filled, {orders.canceled} canceled"
    lines = [
        f"Equity: {equity}, {result.days} days, {len(result.symbols)} symbols.",
        f"Orders: {counts}, {orders.rejected} rejected by the venue.",
        f"Refused by our own rules: {refused or 'none'}.",
    ]
    if latency.p50 is not None and latency.p99 is not None:
        lines.append(f"Tick to order: p50 {latency.p50:,.0f} us, p99 {latency.p99:,.0f} us.")
    checks = (
        [check_line(result.check)]
        if result.venue is None
        else [each.verdict for each in (result.venue, *result.linked)]
    )
    return [*lines, *checks, f"Report: {result.report}"]
