"""What a running strategy made, how its orders were executed, and whether it is well."""

import math
from datetime import timedelta

import numpy as np
from pydantic import Field

from serve.desk.accounts import source_of
from serve.desk.analysis.execution import ExecutionAnalytics, execution_analytics
from serve.desk.analysis.figures import Figure
from serve.desk.analysis.health import StrategyHealth, strategy_health
from serve.desk.analysis.prices import PriceData, StoredPrices, prices_of
from serve.desk.analysis.strategy_runs import Course, course_of, standing_of
from serve.desk.answers import Answer, Fill, Money, Provenance, moment
from serve.desk.front_desk import FrontDesk
from serve.desk.order_rows import fills_of
from trading.errors import NotFound, UsageError
from trading.indicators.rolling import FloatArray
from trading.metrics.benchmark import alpha_beta
from trading.metrics.dispersion import moments
from trading.metrics.drawdown import max_drawdown
from trading.metrics.growth import annual_return, total_return
from trading.metrics.periods_per_year import periods_per_year
from trading.metrics.ratios import calmar, sharpe, sortino
from trading.metrics.round_trips import profit_factor, win_rate
from trading.metrics.tails import conditional_value_at_risk, value_at_risk

__all__ = [
    "ExecutionAnalytics",
    "PerformanceReport",
    "StrategyHealth",
    "execution_analytics",
    "performance_report",
    "strategy_health",
]

PERIOD_DAYS_MAX = 36_500
METHOD = "Returns from day to day of the strategy's capital plus its journalled profit."


class PerformanceMetrics(Answer):
    total_return: Figure
    annualized_return: Figure
    sharpe_ratio: Figure
    sortino_ratio: Figure
    max_drawdown: Figure = Field(description="Fraction of the best equity in the period.")
    calmar_ratio: Figure
    win_rate: Figure = Field(description="Of the fills that closed something.")
    profit_factor: Figure


class RiskMetrics(Answer):
    volatility: Figure = Field(description="Per year.")
    var_95: Figure = Field(description="Loss of a day that 95 % stay below (history).")
    expected_shortfall_95: Figure
    skewness: Figure
    kurtosis: Figure = Field(description="3 for a normal distribution.")


class TradeStatistics(Answer):
    """Of the fills in the period, as far as the ledger shows its newest ones."""

    fills: int
    closing_fills: int = Field(description="Those that realised a profit or a loss.")
    winning: int
    losing: int
    average_win: Figure
    average_loss: Figure
    largest_win: Figure
    largest_loss: Figure
    orders_filled: int = Field(description="Since the start, not in the period alone.")


class BenchmarkComparison(Answer):
    benchmark: str
    benchmark_return: Figure
    alpha: Figure = Field(description="Per year.")
    beta: Figure
    information_ratio: Figure
    tracking_error: Figure = Field(description="Per year.")
    data: PriceData


class PerformanceReport(Provenance):
    strategy: str
    method: str
    period_days: int
    days: int = Field(description="Daily returns that were measured.")
    capital: Money
    profit: Money = Field(description="Since the start.")
    performance_metrics: PerformanceMetrics
    risk_metrics: RiskMetrics
    trade_statistics: TradeStatistics
    benchmark_comparison: BenchmarkComparison | None
    notes: list[str]


def performance_report(
    desk: FrontDesk, strategy: str, period_days: int = 30, include_benchmark: bool = True
) -> PerformanceReport:
    """Return what a strategy of the cluster made in its newest `period_days` days.

    Raises
    ------
    NotFound
        If it does not run here.
    UsageError
        If the period is out of range.
    ClusterUnreachable
        If the cluster does not answer.
    """
    if not 1 <= period_days <= PERIOD_DAYS_MAX:
        raise UsageError(f"period_days is {period_days}, must be from 1 to {PERIOD_DAYS_MAX}.")
    snapshot = desk.trading.snapshot()
    standing = standing_of(snapshot, strategy)
    course = course_of(desk, standing).last_days(period_days)
    notes = [] if course.ts.size > 1 else ["There are fewer than two marked days to measure."]
    begin = moment(snapshot.clock_ns) - timedelta(days=period_days)
    fills = [
        fill
        for fill in fills_of(snapshot)
        if fill.strategy_id == standing.strategy_id and fill.filled_at > begin
    ]
    closing = np.array([float(fill.realized_pnl) for fill in fills if fill.realized_pnl])
    return PerformanceReport(
        source=source_of(snapshot),
        as_of=moment(snapshot.clock_ns),
        strategy=standing.strategy_id,
        method=METHOD,
        period_days=period_days,
        days=course.returns.size,
        capital=standing.capital,
        profit=standing.profit,
        performance_metrics=_performance(course, closing),
        risk_metrics=_risk(course),
        trade_statistics=_trades(fills, closing, standing.trades),
        benchmark_comparison=_benchmark(desk, course, notes) if include_benchmark else None,
        notes=notes,
    )


def _per_year(course: Course) -> float:
    return periods_per_year(course.ts)


def _performance(course: Course, closing: FloatArray) -> PerformanceMetrics:
    returns, per_year = course.returns, _per_year(course)
    return PerformanceMetrics(
        total_return=total_return(returns),
        annualized_return=annual_return(returns, per_year),
        sharpe_ratio=sharpe(returns, per_year),
        sortino_ratio=sortino(returns, per_year),
        max_drawdown=float(max_drawdown(returns)),
        calmar_ratio=calmar(returns, per_year) if returns.size else math.nan,
        win_rate=win_rate(closing),
        profit_factor=profit_factor(closing),
    )


def _risk(course: Course) -> RiskMetrics:
    found = moments(course.returns)
    return RiskMetrics(
        volatility=found.deviation * math.sqrt(_per_year(course)),
        var_95=value_at_risk(course.returns),
        expected_shortfall_95=conditional_value_at_risk(course.returns),
        skewness=found.skewness,
        kurtosis=found.kurtosis,
    )


def _trades(fills: list[Fill], closing: FloatArray, orders: int) -> TradeStatistics:
    won, lost = closing[closing > 0], closing[closing < 0]
    return TradeStatistics(
        fills=len(fills),
        closing_fills=closing.size,
        winning=won.size,
        losing=lost.size,
        average_win=float(won.mean()) if won.size else None,
        average_loss=float(lost.mean()) if lost.size else None,
        largest_win=float(won.max()) if won.size else None,
        largest_loss=float(lost.min()) if lost.size else None,
        orders_filled=orders,
    )


def _benchmark(desk: FrontDesk, course: Course, notes: list[str]) -> BenchmarkComparison | None:
    """Return the strategy beside equal parts of what the cluster trades; None, with a note, without prices."""
    if course.returns.size < 2:
        return None
    stored = prices_of(desk)
    columns = _traded(desk, stored)
    rows = np.searchsorted(stored.table.ts, course.ts, side="right") - 1
    rows = np.concatenate([rows[:1] - 1, rows])  # the bar before the first day is its base
    if not columns or rows[0] < 0 or np.unique(rows).size < rows.size:
        notes.append(f"{desk.source} has no prices of those days, so there is no benchmark.")
        return None
    close = stored.table.close[rows][:, columns]
    market = np.nanmean(close[1:] / close[:-1] - 1.0, axis=1)
    excess = moments(course.returns - market)
    per_year = _per_year(course)
    relation = alpha_beta(course.returns, market, per_year)
    tracking = excess.deviation * math.sqrt(per_year)
    return BenchmarkComparison(
        benchmark="equal parts of the instruments that the cluster trades, every day",
        benchmark_return=total_return(market),
        alpha=relation.alpha,
        beta=relation.beta,
        information_ratio=excess.mean * per_year / tracking if tracking > 0 else math.nan,
        tracking_error=tracking,
        data=stored.data(columns, stored.table.ts[rows]),
    )


def _traded(desk: FrontDesk, stored: StoredPrices) -> list[int]:
    found = []
    for listed in desk.trading.instruments():
        try:
            found.append(stored.column(listed.symbol))
        except NotFound:
            continue  # traded here, but not in the stored prices
    return sorted(set(found))
