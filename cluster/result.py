"""What a run amounts to: counted and computed from the journal's facts, never kept on the side."""

from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import pairwise
from math import sqrt
from statistics import fmean, stdev
from typing import Any, TypeVar

import msgspec

from cluster.config import Config
from cluster.view import ActorView, CheckView, ClusterSnapshot, Durations, LatencyView
from trading.events import (
    EquityMarked,
    Event,
    OrderCanceled,
    OrderDenied,
    OrderFilled,
    OrderRejected,
    OrderSubmitted,
)
from trading.identifiers import StrategyId, symbol_of
from trading.values import ZERO

DAYS_PER_YEAR = 252
AnyEvent = TypeVar("AnyEvent", bound=Event)


class EquityPoint(msgspec.Struct, frozen=True, kw_only=True):
    """The account at one close. Money in account currency; `ts_event` is market time (ns UTC)."""

    ts_event: int
    sequence: int
    equity: Decimal
    cash: Decimal
    gross: Decimal
    net: Decimal


class StrategyResult(msgspec.Struct, frozen=True, kw_only=True):
    """One strategy over the run.

    Attributes
    ----------
    capital : Decimal
        Its share of the initial cash: the base of its return.
    profits : tuple of Decimal
        Profit since the start at each close.
    total_return, max_drawdown : float
        Fractions of 1; the drawdown is positive.
    sharpe : float or None
        Mean over standard deviation of the daily returns, times sqrt(252), no risk-free rate;
        None when there is nothing to divide by.
    trades : int
        Orders that were filled, wholly or in part.
    """

    strategy_id: StrategyId
    capital: Decimal
    profits: tuple[Decimal, ...]
    total_return: float
    sharpe: float | None
    max_drawdown: float
    trades: int

    @property
    def profit(self) -> Decimal:
        return self.profits[-1] if self.profits else ZERO


class OrderCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Distinct orders. `filled` counts those of which nothing is left; `refused` is by code."""

    submitted: int = 0
    filled: int = 0
    canceled: int = 0
    rejected: int = 0
    refused: dict[str, int] = {}


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """All that the report and the summary need."""

    config: Config
    days: int
    symbols: tuple[str, ...]
    initial_equity: Decimal
    curve: tuple[EquityPoint, ...]
    strategies: tuple[StrategyResult, ...]
    orders: OrderCounts
    fills: tuple[OrderFilled, ...]
    refusals: tuple[OrderDenied, ...]
    check: CheckView | None
    latency_us: LatencyView
    actors: tuple[ActorView, ...]
    seconds: Durations
    report: str = ""

    @property
    def final_equity(self) -> Decimal:
        return self.curve[-1].equity if self.curve else self.initial_equity

    @property
    def equities(self) -> list[float]:
        """The account's equity at the start and at each close."""
        return [float(self.initial_equity), *(float(point.equity) for point in self.curve)]


def result_of(config: Config, snapshot: ClusterSnapshot, events: Iterable[Event]) -> RunResult:
    """Fold the facts of a run into its result.

    Parameters
    ----------
    snapshot : ClusterSnapshot
        The last look at the cluster: what is not a journalled fact (actors, latency, check).
    events : iterable of Event
        The facts of the account, ledger, risk and strategy streams, each stream in its order.
    """
    facts = list(events)
    marks = {fact.sequence: fact for fact in facts if isinstance(fact, EquityMarked)}
    marked = [marks[sequence] for sequence in sorted(marks)]
    fills = _once([fact for fact in facts if isinstance(fact, OrderFilled)], "trade_id")
    refusals = _once([fact for fact in facts if isinstance(fact, OrderDenied)], "client_order_id")
    return RunResult(
        config=config,
        days=max(0, snapshot.sequence - snapshot.first + 1) if snapshot.clock_ns else 0,
        symbols=_symbols(config, snapshot, fills),
        initial_equity=config.account.initial_cash,
        curve=tuple(_point(mark) for mark in marked),
        strategies=tuple(
            _strategy(StrategyId(name), config, marked, fills) for name in config.strategies
        ),
        orders=_count_orders(facts, fills, refusals),
        fills=tuple(fills),
        refusals=tuple(refusals),
        check=snapshot.check,
        latency_us=snapshot.latency_us,
        actors=snapshot.actors,
        seconds=snapshot.seconds,
    )


def run_summary(result: RunResult) -> dict[str, Any]:
    """Return the object that `trader run --json` prints. Ratios are fractions of 1, money is in USD."""
    return {
        "days": result.days,
        "symbols": list(result.symbols),
        "strategies": {
            one.strategy_id: {
                "return": one.total_return,
                "sharpe": one.sharpe,
                "max_drawdown": one.max_drawdown,
                "trades": one.trades,
            }
            for one in result.strategies
        },
        "equity": {"initial": float(result.initial_equity), "final": float(result.final_equity)},
        "orders": msgspec.to_builtins(result.orders),
        "check": check_summary(result.check),
        "latency_us": msgspec.to_builtins(result.latency_us),
        "actors": [
            {
                "name": actor.name,
                "pid": actor.pid,
                "node": actor.node,
                "restarts": actor.restarts,
                "messages": actor.messages,
            }
            for actor in result.actors
        ],
        "seconds": msgspec.to_builtins(result.seconds),
        "report": result.report,
    }


def check_summary(check: CheckView | None) -> dict[str, int | float] | None:
    """Return the comparison of ledger and exchange as plain numbers; None when there was none."""
    if check is None:
        return None
    return {
        "duplicates": check.duplicates,
        "lost": check.lost,
        "position_difference": float(check.position_difference),
        "cash_difference": float(check.cash_difference),
    }


def max_drawdown(values: Iterable[float]) -> float:
    """Return the largest fall from a peak, as a positive fraction of that peak."""
    peak, worst = 0.0, 0.0
    for value in values:
        peak = max(peak, value)
        worst = max(worst, (peak - value) / peak if peak > 0 else 0.0)
    return worst


def sharpe_ratio(values: Sequence[float]) -> float | None:
    """Return the annualised Sharpe ratio of a series of daily values, without a risk-free rate.

    None with fewer than three values, with a value of zero or less, or when nothing varies.
    """
    if len(values) < 3 or min(values) <= 0:
        return None
    returns = [now / before - 1 for before, now in pairwise(values)]
    deviation = stdev(returns)
    return fmean(returns) / deviation * sqrt(DAYS_PER_YEAR) if deviation > 0 else None


def _once(facts: list[AnyEvent], key: str) -> list[AnyEvent]:
    return list({getattr(fact, key): fact for fact in reversed(facts)}.values())[::-1]


def _point(mark: EquityMarked) -> EquityPoint:
    return EquityPoint(
        ts_event=mark.ts_event,
        sequence=mark.sequence,
        equity=mark.equity,
        cash=mark.cash,
        gross=mark.gross,
        net=mark.net,
    )


def _symbols(
    config: Config, snapshot: ClusterSnapshot, fills: list[OrderFilled]
) -> tuple[str, ...]:
    for name, view in snapshot.machines.items():
        if name.startswith("replay:") and view.get("instruments"):
            return tuple(symbol_of(instrument) for instrument in view["instruments"])
    seen = {symbol_of(fill.instrument_id) for fill in fills}
    return config.data.symbols or tuple(sorted(seen))


def _strategy(
    strategy_id: StrategyId, config: Config, marks: list[EquityMarked], fills: list[OrderFilled]
) -> StrategyResult:
    capital = config.strategies[strategy_id].capital * config.account.initial_cash
    profits = tuple(
        next((profit for name, profit, _ in mark.by_strategy if name == strategy_id), ZERO)
        for mark in marks
    )
    values = [float(capital), *(float(capital + profit) for profit in profits)]
    return StrategyResult(
        strategy_id=strategy_id,
        capital=capital,
        profits=profits,
        total_return=values[-1] / values[0] - 1,
        sharpe=sharpe_ratio(values),
        max_drawdown=max_drawdown(values),
        trades=len({fill.client_order_id for fill in fills if fill.strategy_id == strategy_id}),
    )


def _count_orders(
    facts: list[Event], fills: list[OrderFilled], refusals: list[OrderDenied]
) -> OrderCounts:
    wanted = {
        fact.client_order_id: fact.order.quantity
        for fact in facts
        if isinstance(fact, OrderSubmitted)
    }
    done: dict[str, Decimal] = {}
    for fill in fills:
        done[fill.client_order_id] = done.get(fill.client_order_id, ZERO) + fill.last_qty
    return OrderCounts(
        submitted=len(wanted),
        filled=sum(done.get(key, ZERO) >= quantity for key, quantity in wanted.items()),
        canceled=_distinct(facts, OrderCanceled),
        rejected=_distinct(facts, OrderRejected),
        refused=dict(Counter(refusal.code for refusal in refusals)),
    )


def _distinct(facts: list[Event], kind: type[OrderCanceled] | type[OrderRejected]) -> int:
    return len({fact.client_order_id for fact in facts if isinstance(fact, kind)})
