"""A strategy beside doing nothing on the same bars; or how fast this machine tests it, measured now."""

import math
import time
from collections.abc import Callable
from typing import Literal

import psutil
from pydantic import Field

from serve.desk.analysis.catalogue import canonical
from serve.desk.analysis.figures import Figure
from serve.desk.analysis.laboratory import (
    METHOD,
    SETTINGS,
    chosen_columns,
    held,
    market_of,
    tried,
)
from serve.desk.analysis.prices import Computed, StoredPrices, prices_of
from serve.desk.answers import Answer, Source
from serve.desk.front_desk import FrontDesk
from trading.backtest.engine import run_backtest
from trading.errors import UsageError
from trading.metrics.benchmark import alpha_beta
from trading.metrics.dispersion import moments
from trading.metrics.summary import Metrics
from trading.strategies.registry import build_strategy
from tune.backtest import StrategyRun
from tune.signal_sources import SignalSources, with_signals

REPEATS = 5
ENOUGH_S = 0.5
"""What takes longer is not repeated."""


class PerformanceRow(Answer):
    total_return: Figure
    annual_return: Figure
    volatility: Figure
    sharpe_ratio: Figure
    sortino_ratio: Figure
    max_drawdown: Figure
    trades: int


class AgainstBenchmark(Answer):
    benchmark: str
    outperformance: Figure = Field(description="Total return less that of the benchmark.")
    alpha: Figure
    beta: Figure
    information_ratio: Figure
    tracking_error: Figure
    benchmark_performance: PerformanceRow


class SystemPerformance(Answer):
    """Seconds are those of the quickest of up to five times."""

    decide_seconds: float = Field(description="The strategy's weights of all bars.")
    backtest_seconds: float = Field(description="The fills of those weights.")
    bars_per_second: float = Field(description="Bars times instruments that the backtest does.")
    cpu_count: int
    memory_mb: float = Field(description="Of this process.")


class BenchmarkResult(Computed):
    strategy: str
    benchmark_type: Literal["performance", "system"]
    strategy_performance: PerformanceRow
    benchmark_comparisons: list[AgainstBenchmark] = Field(description="Empty for `system`.")
    system_performance: SystemPerformance | None = Field(
        description="Measured now, on this machine; None for `performance`."
    )
    notes: list[str]


def run_benchmark(
    desk: FrontDesk, strategy: str, benchmark_type: str = "performance"
) -> BenchmarkResult:
    """Set a strategy beside buy-and-hold and equal weights, or time its backtest.

    Parameters
    ----------
    benchmark_type : str
        performance or system.

    Raises
    ------
    NotFound
        If there is no such strategy.
    UsageError
        If there is no such benchmark.
    """
    if benchmark_type not in ("performance", "system"):
        raise UsageError(f"benchmark_type is {benchmark_type!r}, must be performance or system.")
    name = canonical(strategy)
    stored = prices_of(desk)
    columns = chosen_columns(stored, None)
    run = tried(stored, columns, name)
    is_timed = benchmark_type == "system"
    data = stored.data(columns, run.result.ts)
    return BenchmarkResult(
        source=Source.COMPUTED,
        as_of=data.last,
        method=METHOD,
        data=data,
        strategy=name,
        benchmark_type="system" if is_timed else "performance",
        strategy_performance=_row(run.metrics),
        benchmark_comparisons=[]
        if is_timed
        else [_against(run, each) for each in held(stored, columns)],
        system_performance=_timed(stored, columns, run) if is_timed else None,
        notes=list(run.notes),
    )


def _row(metrics: Metrics) -> PerformanceRow:
    return PerformanceRow(
        total_return=metrics.total_return,
        annual_return=metrics.annual_return,
        volatility=metrics.volatility,
        sharpe_ratio=metrics.sharpe,
        sortino_ratio=metrics.sortino,
        max_drawdown=metrics.max_drawdown,
        trades=metrics.trades,
    )


def _against(run: StrategyRun, yardstick: StrategyRun) -> AgainstBenchmark:
    returns, other = run.result.returns, yardstick.result.returns
    per_year = run.metrics.periods_per_year
    relation = alpha_beta(returns, other, per_year)
    excess = moments(returns - other)
    tracking = excess.deviation * math.sqrt(per_year)
    return AgainstBenchmark(
        benchmark=yardstick.strategy,
        outperformance=run.metrics.total_return - yardstick.metrics.total_return,
        alpha=relation.alpha,
        beta=relation.beta,
        information_ratio=excess.mean * per_year / tracking if tracking > 0 else math.nan,
        tracking_error=tracking,
        benchmark_performance=_row(yardstick.metrics),
    )


def _timed(stored: StoredPrices, columns: tuple[int, ...], run: StrategyRun) -> SystemPerformance:
    market = market_of(stored, columns)
    strategy = build_strategy(run.strategy, {})
    needs = getattr(strategy, "NEEDS", ())

    def decide() -> None:
        fresh = stored.bars(columns, len(market))  # bars keep what was derived of them
        told, _ = with_signals(fresh, needs, SignalSources())
        strategy.targets(told)

    backtest_s = _least(lambda: run_backtest(market, run.weights, SETTINGS))
    return SystemPerformance(
        decide_seconds=_least(decide),
        backtest_seconds=backtest_s,
        bars_per_second=run.weights.size / backtest_s,
        cpu_count=psutil.cpu_count() or 1,
        memory_mb=psutil.Process().memory_info().rss / 1e6,
    )


def _least(work: Callable[[], object]) -> float:
    """Return the seconds of the quickest of up to `REPEATS` times."""
    seconds: list[float] = []
    while len(seconds) < REPEATS and sum(seconds) < ENOUGH_S:
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)
