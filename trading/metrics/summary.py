"""All figures of one backtest that are a single number."""

import math

import msgspec
import numpy as np

from trading.backtest.result import BacktestResult
from trading.indicators.rolling import FloatArray
from trading.metrics.activity import annual_turnover, average_gross, exposure
from trading.metrics.benchmark import AlphaBeta, alpha_beta
from trading.metrics.dispersion import downside_deviation, moments
from trading.metrics.drawdown import episodes
from trading.metrics.growth import annualised, total_return
from trading.metrics.periods_per_year import periods_per_year as inferred_periods
from trading.metrics.quotient import quotient
from trading.metrics.ratios import omega
from trading.metrics.round_trips import expectancy, profit_factor, win_rate
from trading.metrics.sharpe_inference import (
    estimate_of,
    minimum_track_record_bars,
    probabilistic_sharpe,
)
from trading.metrics.tails import conditional_value_at_risk, tail_ratio, value_at_risk


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one backtest; NaN where one is not defined (in JSON: null).

    Attributes
    ----------
    bars : int
        Returns that were measured.
    periods_per_year : float
        Bars in a year.
    total_return : float
        Fraction over all bars.
    annual_return, volatility : float
        Fraction per year.
    sharpe, sortino, calmar : float
        Per year.
    omega, recovery_factor, tail_ratio : float
        Ratios.
    max_drawdown : float
        Fraction of the best equity (>= 0).
    max_drawdown_bars, longest_drawdown_bars : int
        Bars of the deepest drawdown, and of the longest.
    skewness, kurtosis : float
        Of the returns (0 and 3 for a normal distribution).
    value_at_risk, conditional_value_at_risk : float
        Loss of one bar at 95 % (fraction).
    trades : int
        Round trips, those still open included.
    win_rate, profit_factor : float
        Share of trades; ratio.
    expectancy : float
        Mean profit of a trade (account currency).
    turnover : float
        Bought and sold per year (multiples of the equity).
    exposure, average_gross : float
        Share of bars with a position; mean gross position over equity.
    commission, slippage : float
        Paid in all (account currency).
    probabilistic_sharpe : float
        Probability that the true Sharpe ratio is above 0.
    minimum_track_record_bars : float
        Bars that would prove it at 95 %; inf when the Sharpe ratio is not above 0.
    alpha : float
        Fraction per year; NaN without a benchmark.
    beta : float
        NaN without a benchmark.
    """

    bars: int
    periods_per_year: float
    total_return: float
    annual_return: float
    volatility: float
    sharpe: float
    sortino: float
    calmar: float
    omega: float
    max_drawdown: float
    max_drawdown_bars: int
    longest_drawdown_bars: int
    recovery_factor: float
    skewness: float
    kurtosis: float
    tail_ratio: float
    value_at_risk: float
    conditional_value_at_risk: float
    trades: int
    win_rate: float
    profit_factor: float
    expectancy: float
    turnover: float
    exposure: float
    average_gross: float
    commission: float
    slippage: float
    probabilistic_sharpe: float
    minimum_track_record_bars: float
    alpha: float
    beta: float


def metrics_of(
    result: BacktestResult,
    periods_per_year: float | None = None,
    benchmark: FloatArray | None = None,
) -> Metrics:
    """Return all figures of `result`. Definitions and sources are in docs/metrics.md.

    Parameters
    ----------
    periods_per_year : float or None
        Bars in a year; None reads it from the times, see `periods_per_year.periods_per_year`.
    benchmark : (time,) or None
        Simple returns of the benchmark in the same bars; bars where it is NaN are left out of alpha and beta.

    Raises
    ------
    DataError
        If the benchmark has another number of bars.
    """
    periods = inferred_periods(result.ts) if periods_per_year is None else periods_per_year
    returns, profit = result.returns, result.trades.profit
    found = moments(returns)
    estimate = estimate_of(found, returns.size)
    total = total_return(returns)
    annual = annualised(total, returns.size / periods)
    drawdowns = episodes(returns)
    deepest = drawdowns.depth_max
    relation = AlphaBeta(math.nan, math.nan)
    if benchmark is not None:
        relation = alpha_beta(returns, np.asarray(benchmark, np.float64), periods)
    return Metrics(
        bars=returns.size,
        periods_per_year=periods,
        total_return=total,
        annual_return=annual,
        volatility=found.deviation * math.sqrt(periods),
        sharpe=estimate.sharpe * math.sqrt(periods),
        sortino=quotient(found.mean * periods, downside_deviation(returns, periods)),
        calmar=quotient(annual, deepest),
        omega=omega(returns),
        max_drawdown=deepest,
        max_drawdown_bars=drawdowns.bars_of_deepest,
        longest_drawdown_bars=drawdowns.bars_max,
        recovery_factor=quotient(total, deepest),
        skewness=found.skewness,
        kurtosis=found.kurtosis,
        tail_ratio=tail_ratio(returns),
        value_at_risk=value_at_risk(returns),
        conditional_value_at_risk=conditional_value_at_risk(returns),
        trades=len(result.trades),
        win_rate=win_rate(profit),
        profit_factor=profit_factor(profit),
        expectancy=expectancy(profit),
        turnover=annual_turnover(result.traded, result.equity, periods),
        exposure=exposure(result.gross),
        average_gross=average_gross(result.gross, result.equity),
        commission=float(result.commission.sum()),
        slippage=float(result.slippage.sum()),
        probabilistic_sharpe=probabilistic_sharpe(estimate),
        minimum_track_record_bars=minimum_track_record_bars(estimate),
        alpha=relation.alpha,
        beta=relation.beta,
    )
