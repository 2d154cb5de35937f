"""How much of the capital each strategy should get: Kelly weights over the returns of their backtests."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trading.allocation.kelly.allocation import KellyAllocation, KellyRule, kelly_allocation
from trading.backtest.settings import BacktestSettings
from trading.indicators.rolling import FloatArray
from trading.metrics.periods_per_year import periods_per_year
from trading.metrics.ratios import sharpe
from trading.strategies.registry import build_strategy
from tune.backtest import backtest
from tune.prices import Prices
from tune.signal_sources import SignalSources, with_signals

LOSSES = (0.1, 0.2, 0.5)


@dataclass(frozen=True, slots=True, eq=False)
class StrategyKelly:
    """What each strategy should get, and what that means.

    Attributes
    ----------
    names : tuple of str
    sharpe : (strategy,)
        Annual, of the backtest.
    correlation : (strategy, strategy)
    allocation : KellyAllocation
    annual_growth : float
        Of the sample, as a fraction.
    loss_probability : dict of float to float
        Chance of ever losing that fraction of the capital.
    notes : tuple of str
    """

    names: tuple[str, ...]
    sharpe: tuple[float, ...]
    correlation: FloatArray
    allocation: KellyAllocation
    annual_growth: float
    loss_probability: dict[float, float]
    notes: tuple[str, ...]


def strategy_kelly(
    strategies: Sequence[str],
    prices: Prices,
    settings: BacktestSettings,
    sources: SignalSources,
    rule: KellyRule,
) -> StrategyKelly:
    """Run each strategy over the same bars and share the capital out by their returns.

    Bars before the last strategy began to hold anything do not count. Cash earns nothing.

    Raises
    ------
    UsageError
        If there is no such strategy, or the rule is unfit.
    DataError
        If a strategy never trades, or the returns are unfit for the rule.
    """
    columns, notes = [], []
    for name in strategies:
        strategy = build_strategy(name, {})
        told, said = with_signals(prices.bars, getattr(strategy, "NEEDS", ()), sources)
        notes += [f"{name}: {text}" for text in said]
        run = backtest(name, strategy, told, settings, prices.actions, market=prices.market)
        columns.append(run.result.returns)
    returns = np.column_stack(columns)
    began = int(max((np.flatnonzero(column)[:1].sum() for column in returns.T), default=0))
    returns = returns[began:]
    allocation = kelly_allocation(returns, tuple(strategies), rule)
    per_year = periods_per_year(prices.bars.ts)
    return StrategyKelly(
        names=tuple(strategies),
        sharpe=tuple(sharpe(column, per_year) for column in returns.T),
        correlation=np.atleast_2d(np.corrcoef(returns, rowvar=False)),
        allocation=allocation,
        annual_growth=float(np.expm1(allocation.growth * per_year)),
        loss_probability={depth: allocation.loss_probability(depth) for depth in LOSSES},
        notes=tuple(notes),
    )
