"""Accounts, positions, performance and the system."""

from decimal import Decimal
from importlib.metadata import version
from typing import Annotated, Any

from pydantic import Field

from serve.desk.accounts import source_of
from serve.desk.answers import Portfolio, Provenance, Source, moment
from serve.desk.portfolio import portfolio_of
from serve.mcp.answers import Pong, PortfolioAnalytics, PortfolioStatus, Positions
from serve.mcp.call import Caller
from serve.mcp.device import UseGpu, on_cpu, with_processing
from serve.mcp.holdings import holdings_of, require_running
from serve.mcp.long_work import now
from serve.mcp.tool import tool
from serve.mcp.toolsets import Toolset
from trading.errors import ClusterUnreachable
from trading.identifiers import InstrumentId

NO_GPU = "Strategies decide in compiled code on the CPU; there is no GPU version."
Strategy = Annotated[str, Field(max_length=64, description="See list_strategies.")]


@tool(Toolset.PORTFOLIO, is_core=True)
def ping(call: Caller) -> Pong:
    """Say whether this server answers, and whether a trading cluster stands behind it."""
    number = version("neural-trader")
    try:
        snapshot = call.desk.trading.snapshot()
    except ClusterUnreachable as error:
        return Pong(
            source=Source.REGISTRY,
            as_of=now(),
            version=number,
            cluster="",
            mode="",
            reason=str(error),
        )
    return Pong(
        source=source_of(snapshot),
        as_of=moment(snapshot.clock_ns),
        version=number,
        cluster=snapshot.name,
        mode=snapshot.mode,
    )


@tool(Toolset.PORTFOLIO, is_core=True)
def get_portfolio_status(call: Caller, include_analytics: bool = True) -> PortfolioStatus:
    """Show accounts, cash, positions, strategies and whether trading is on. Start here."""
    found = portfolio_of(call.desk.trading.snapshot())
    return PortfolioStatus(
        **{name: getattr(found, name) for name in Portfolio.model_fields},
        portfolio_value=_total(found, "equity"),
        cash=_total(found, "cash"),
        advanced_analytics=_analytics(found) if include_analytics else None,
    )


@tool(Toolset.PORTFOLIO, is_core=True)
def get_positions(call: Caller, strategy: str | None = None) -> Positions:
    """List open positions, of all or of one running strategy (then with its own units, at the last price)."""
    snapshot = call.desk.trading.snapshot()
    rows = portfolio_of(snapshot).positions
    if strategy:
        held = holdings_of(snapshot, require_running(snapshot, strategy))
        rows = [
            row.model_copy(
                update={
                    "quantity": held[key],
                    "value": held[key] * (row.last_price or Decimal(0)),
                }
            )
            for row in rows
            if (key := InstrumentId(row.instrument_id)) in held
        ]
    return Positions(
        source=source_of(snapshot),
        as_of=moment(snapshot.clock_ns),
        strategy=strategy or "",
        positions=rows,
        total_value=sum((row.value for row in rows), Decimal(0)),
    )


@tool(Toolset.PORTFOLIO, answer="serve.desk.analysis.system:SystemMetrics")
def get_system_metrics(
    call: Caller,
    *,
    metrics: Annotated[
        list[str] | None, Field(description="Of cpu, memory, latency, throughput ...; none: all.")
    ] = None,
) -> Provenance:
    """Measure this machine and the running cluster: processor, memory, latencies, messages."""
    from serve.desk.analysis.system import system_metrics

    return system_metrics(call.desk, metrics or ["cpu", "memory", "latency", "throughput"])


@tool(Toolset.PORTFOLIO, is_core=True, answer="serve.desk.analysis.performance:PerformanceReport")
def performance_report(
    call: Caller,
    *,
    strategy: Strategy,
    period_days: Annotated[int, Field(ge=1, le=36_500)] = 30,
    include_benchmark: bool = True,
    use_gpu: UseGpu = False,
) -> dict[str, Any]:
    """Report what a strategy made: return, risk, trades, and beside a benchmark."""
    from serve.desk.analysis.performance import performance_report as report

    found = report(call.desk, strategy, period_days, include_benchmark)
    return with_processing(found, on_cpu(use_gpu))


@tool(Toolset.PORTFOLIO, answer="serve.desk.analysis.execution:ExecutionAnalytics")
def get_execution_analytics(
    call: Caller, time_period: Annotated[str, Field(description="1h, 24h, 7d, 30d ...")] = "1h"
) -> Provenance:
    """Measure how orders were executed: latency, slippage, fill and refusal rates."""
    from serve.desk.analysis.execution import execution_analytics

    return execution_analytics(call.desk, time_period)


@tool(Toolset.PORTFOLIO, answer="serve.desk.analysis.health:StrategyHealth")
def monitor_strategy_health(call: Caller, strategy: Strategy) -> Provenance:
    """Judge a running strategy by stated rules: score, issues, what to do."""
    from serve.desk.analysis.health import strategy_health

    return strategy_health(call.desk, strategy)


@tool(Toolset.PORTFOLIO, answer="serve.desk.analysis.benchmark:BenchmarkResult")
def run_benchmark(
    call: Caller,
    *,
    strategy: Strategy,
    benchmark_type: Annotated[
        str, Field(description="performance: what it earned. system: how fast it decides here.")
    ] = "performance",
    use_gpu: UseGpu = True,
) -> dict[str, Any]:
    """Set a strategy beside buy-and-hold over the newest bars, or measure how fast it decides on this machine."""
    from serve.desk.analysis.benchmark import run_benchmark as measured

    found = measured(call.desk, strategy, benchmark_type)
    return with_processing(found, on_cpu(use_gpu, NO_GPU))


def _total(found: Portfolio, name: str) -> Decimal | None:
    values = [getattr(account, name) for account in found.accounts]
    return None if None in values else sum(values, Decimal(0))


def _worst(found: Portfolio, name: str) -> float | None:
    return max(
        (value for each in found.accounts if (value := getattr(each, name)) is not None),
        default=None,
    )


def _analytics(found: Portfolio) -> PortfolioAnalytics:
    equity, begun = _total(found, "equity"), _total(found, "initial_equity")
    gross, net = _total(found, "gross_exposure"), _total(found, "net_exposure")
    largest = max((abs(row.value) for row in found.positions), default=Decimal(0))
    return PortfolioAnalytics(
        total_return=_ratio(None if equity is None or begun is None else equity - begun, begun),
        drawdown=_worst(found, "drawdown"),
        max_drawdown=_worst(found, "max_drawdown"),
        gross_leverage=_ratio(gross, equity),
        net_leverage=_ratio(net, equity),
        largest_position_share=_ratio(largest, equity),
    )


def _ratio(part: Decimal | None, whole: Decimal | None) -> float | None:
    return None if part is None or not whole else float(part / whole)
