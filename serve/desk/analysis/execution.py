"""How orders were executed: latency, fill rate, refusals, and what fills cost against the price of the decision."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType

from pydantic import Field

from serve.desk.accounts import accounts_of, source_of
from serve.desk.analysis.figures import Figure
from serve.desk.answers import Answer, Money, Provenance, moment
from serve.desk.front_desk import FrontDesk
from serve.desk.view import ClusterSnapshot
from trading.errors import UsageError
from trading.slippage import GroupBy, SlippageGroup, SlippageRow, quantile, summarize
from trading.values import NANOS_PER_SECOND

HOUR_S = 3_600
PERIODS_S: Mapping[str, int | None] = MappingProxyType(
    {
        "1h": HOUR_S,
        "24h": 24 * HOUR_S,
        "1d": 24 * HOUR_S,
        "7d": 7 * 24 * HOUR_S,
        "1w": 7 * 24 * HOUR_S,
        "30d": 30 * 24 * HOUR_S,
        "all": None,
    }
)


class ExecutionStats(Answer):
    """From the decision to the first fill (ms, host time), and from tick to order (us, since the start)."""

    mean_execution_ms: Figure
    median_execution_ms: Figure
    p95_execution_ms: Figure
    p99_execution_ms: Figure
    tick_to_order_p50_us: Figure
    tick_to_order_p99_us: Figure


class SlippageOfGroup(Answer):
    """Positive is a cost, in basis points of the value at the price of the decision."""

    name: str
    orders: int
    currency: str
    arrival_value: Money
    shortfall: Money
    shortfall_bps: float
    median_bps: float
    worst_bps: float
    fees: Money


class SlippageAnalysis(Answer):
    measured_orders: int
    unmeasured_orders: int = Field(description="Filled, but decided on without a known price.")
    avg_slippage_bps: Figure = Field(description="Weighted by value; None over several currencies.")
    median_slippage_bps: Figure
    max_slippage_bps: Figure
    by_strategy: list[SlippageOfGroup]


class SuccessRates(Answer):
    """Since the cluster's ledger began."""

    orders_submitted: int
    orders_filled: int
    orders_canceled: int
    orders_expired: int
    orders_rejected: int
    orders_denied: int
    order_fill_rate: Figure = Field(description="Filled of those submitted.")
    execution_success_rate: Figure = Field(
        description="Not rejected by the venue, of those submitted."
    )
    refusals: dict[str, int] = Field(description="By our own rules, by code.")


class Throughput(Answer):
    orders_per_second: Figure = Field(description="Orders with fills, over the period.")
    volume_processed: dict[str, Money] = Field(description="Value of the fills by currency.")


class ExecutionAnalytics(Provenance):
    time_period: str
    method: str
    execution_stats: ExecutionStats
    slippage_analysis: SlippageAnalysis
    success_rates: SuccessRates
    throughput: Throughput


METHOD = (
    "Fills against the price that each order was decided on (trading/slippage), of orders decided in the period by "
    "the clock of the host; counts are those of the ledgers."
)


def execution_analytics(desk: FrontDesk, period: str = "1h") -> ExecutionAnalytics:
    """Return how orders were executed.

    Parameters
    ----------
    period : str
        1h, 24h (1d), 7d (1w), 30d or all.

    Raises
    ------
    UsageError
        If there is no such period.
    ClusterUnreachable
        If the cluster does not answer.
    """
    if period not in PERIODS_S:
        raise UsageError(f"time_period is {period!r}, must be one of {', '.join(PERIODS_S)}.")
    seconds = PERIODS_S[period]
    snapshot = desk.trading.snapshot()
    report = desk.trading.slippage()
    since = 0 if seconds is None else time.time_ns() - seconds * NANOS_PER_SECOND
    rows = [row for row in report.rows if row.started_at >= since]
    return ExecutionAnalytics(
        source=source_of(snapshot),
        as_of=moment(snapshot.clock_ns),
        time_period=period,
        method=METHOD,
        execution_stats=_stats(snapshot, rows),
        slippage_analysis=_slippage(rows, report.unmeasured),
        success_rates=_rates(snapshot),
        throughput=_throughput(rows, seconds),
    )


def _stats(snapshot: ClusterSnapshot, rows: Sequence[SlippageRow]) -> ExecutionStats:
    delays = sorted(Decimal(row.delay_ns) * 1_000 / NANOS_PER_SECOND for row in rows)

    def at(level: str) -> float | None:
        return float(quantile(delays, Decimal(level))) if delays else None

    latency = snapshot.latency_us.tick_to_order
    return ExecutionStats(
        mean_execution_ms=float(sum(delays) / len(delays)) if delays else None,
        median_execution_ms=at("0.5"),
        p95_execution_ms=at("0.95"),
        p99_execution_ms=at("0.99"),
        tick_to_order_p50_us=latency.p50,
        tick_to_order_p99_us=latency.p99,
    )


def _slippage(rows: Sequence[SlippageRow], unmeasured: int) -> SlippageAnalysis:
    costs = sorted(row.shortfall_bps for row in rows)
    value = sum((row.arrival_value for row in rows), Decimal(0))
    is_one_currency = len({row.currency for row in rows}) == 1
    paid = sum((row.shortfall for row in rows), Decimal(0))
    return SlippageAnalysis(
        measured_orders=len(rows),
        unmeasured_orders=unmeasured,
        avg_slippage_bps=float(paid / value * 10_000) if is_one_currency else None,
        median_slippage_bps=float(quantile(costs, Decimal("0.5"))) if costs else None,
        max_slippage_bps=float(costs[-1]) if costs else None,
        by_strategy=[_group(each) for each in summarize(rows, GroupBy.STRATEGY)],
    )


def _group(group: SlippageGroup) -> SlippageOfGroup:
    return SlippageOfGroup(
        name=group.name,
        orders=group.orders,
        currency=group.currency,
        arrival_value=group.arrival_value,
        shortfall=group.shortfall,
        shortfall_bps=float(group.shortfall_bps),
        median_bps=float(group.median_bps),
        worst_bps=float(group.worst_bps),
        fees=group.fees,
    )


def _rates(snapshot: ClusterSnapshot) -> SuccessRates:
    counts: Counter[str] = Counter()
    refusals: Counter[str] = Counter()
    for account in accounts_of(snapshot):
        orders = account.of("ledger").get("orders", {})
        for name, count in orders.items():
            if name == "denied":
                refusals.update({str(code): many for code, many in count.items()})
            else:
                counts[name] += count
    submitted = counts["submitted"]
    return SuccessRates(
        orders_submitted=submitted,
        orders_filled=counts["filled"],
        orders_canceled=counts["canceled"],
        orders_expired=counts["expired"],
        orders_rejected=counts["rejected"],
        orders_denied=refusals.total(),
        order_fill_rate=counts["filled"] / submitted if submitted else None,
        execution_success_rate=1.0 - counts["rejected"] / submitted if submitted else None,
        refusals=dict(sorted(refusals.items())),
    )


def _throughput(rows: Sequence[SlippageRow], seconds: int | None) -> Throughput:
    volume: dict[str, Decimal] = {}
    for row in rows:
        volume[row.currency] = volume.get(row.currency, Decimal(0)) + row.filled_qty * row.avg_px
    spent = seconds
    if spent is None and len(rows) > 1:
        spent = (rows[-1].started_at - rows[0].started_at) // NANOS_PER_SECOND
    return Throughput(
        orders_per_second=len(rows) / spent if spent else None, volume_processed=volume
    )
