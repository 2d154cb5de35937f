"""What a run amounts to: counted and computed from the journal's facts, never kept on the side."""

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from cluster.config import Config
from cluster.history import History
from cluster.tables import machine_view
from serve.desk.view import (
    ActorView,
    CheckView,
    ClusterSnapshot,
    Durations,
    LatencyView,
    VenueView,
)
from trading.account import EXTERNAL
from trading.curve import Curve
from trading.events import (
    AccountOpened,
    EquityMarked,
    OrderDenied,
    OrderEvent,
    OrderFilled,
    OrderSubmitted,
)
from trading.identifiers import ClientOrderId, StrategyId, symbol_of
from trading.order import Order
from trading.values import NANOS_PER_DAY, ZERO, OrderStatus


class StrategyResult(msgspec.Struct, frozen=True, kw_only=True):
    """One strategy over the run.

    Attributes
    ----------
    capital : Decimal
        Its share of the initial cash: the base of its return.
    profit : Decimal
        After the last fill, at the last price.
    profits : tuple of Decimal
        Profit since the start at each close.
    total_return, max_drawdown : float
        Fractions of 1; the drawdown is positive.
    sharpe : float or None
        Annualised, of daily returns, without a risk-free rate; None when nothing varies.
    trades : int
        Orders that were filled, wholly or in part.
    """

    strategy_id: StrategyId
    capital: Decimal
    profit: Decimal
    profits: tuple[Decimal, ...]
    total_return: float
    sharpe: float | None
    max_drawdown: float
    trades: int


class OrderCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Distinct orders by how they ended; `refused` is by code, and never reached the venue."""

    submitted: int = 0
    filled: int = 0
    canceled: int = 0
    rejected: int = 0
    refused: dict[str, int] = {}


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """All that the report and the summary need.

    Attributes
    ----------
    final_equity : Decimal
        After the last fill, at the last price: orders decided on the last close are filled behind
        its mark.
    marks : tuple of EquityMarked
        The account at each close.
    positions : tuple of mapping, or None
        What the ledger held at the end, as in its view; None when it was down.
    check : CheckView or None
        Ledger against exchange; None at a real venue, and when the ledger was down.
    venue : VenueView or None
        How we stood with the real venue at the end; None in a replay.
    linked : tuple of VenueView
        The same of the venues of further accounts; their orders and money are in no other figure.
    """

    config: Config
    days: int
    symbols: tuple[str, ...]
    initial_equity: Decimal
    final_equity: Decimal
    marks: tuple[EquityMarked, ...]
    max_drawdown: float
    sharpe: float | None
    strategies: tuple[StrategyResult, ...]
    orders: OrderCounts
    fills: tuple[OrderFilled, ...]
    refusals: tuple[OrderDenied, ...]
    positions: tuple[Mapping[str, Any], ...] | None
    check: CheckView | None
    latency_us: LatencyView
    actors: tuple[ActorView, ...]
    seconds: Durations
    report: str = ""
    venue: VenueView | None = None
    linked: tuple[VenueView, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Nothing is lost, doubled or different, as far as that can be known."""
        if self.venue is not None:
            return all(each.is_ready for each in (self.venue, *self.linked))
        return self.check is not None and self.check.is_clean


def result_of(config: Config, snapshot: ClusterSnapshot, history: History) -> RunResult:
    """Fold the facts of a run into its result.

    Parameters
    ----------
    snapshot : ClusterSnapshot
        The last look at the cluster: what is not a journalled fact (actors, latency, check).
    """
    marks = [fact for fact in history.ledger if isinstance(fact, EquityMarked)]
    orders = _fold_orders(history)
    fills = _distinct_fills(history)
    refusals = _refusals(history, orders)
    ledger = machine_view(snapshot, "ledger")
    initial = _initial_equity(config, history, marks)
    curve = _curve(initial, marks)
    final = ledger.get("equity", marks[-1].equity if marks else initial)
    return RunResult(
        config=config,
        days=_days(snapshot, marks),
        symbols=_symbols(config, snapshot),
        initial_equity=initial,
        final_equity=final,
        marks=tuple(marks),
        max_drawdown=max(curve.max_drawdown, curve.drawdown(final)),
        sharpe=curve.sharpe(),
        strategies=tuple(
            _strategy(StrategyId(name), config, ledger, marks, fills) for name in config.strategies
        ),
        orders=_count_orders(orders, history, refusals),
        fills=fills,
        refusals=refusals,
        positions=tuple(ledger["positions"]) if ledger else None,
        check=snapshot.check,
        latency_us=snapshot.latency_us,
        actors=snapshot.actors,
        seconds=snapshot.seconds,
        venue=snapshot.venue,
        linked=tuple(each.venue for each in snapshot.linked),
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
        "equity": {
            "initial": _number(result.initial_equity),
            "final": _number(result.final_equity),
        },
        "orders": msgspec.to_builtins(result.orders),
        "check": check_summary(result.check),
        "venue": msgspec.to_builtins(result.venue),
        "linked": msgspec.to_builtins(result.linked),
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
        "position_difference": _number(check.position_difference),
        "cash_difference": _number(check.cash_difference),
    }


def _number(amount: Decimal) -> int | float:
    """Return an amount for JSON; a whole one, zero above all, without a fraction."""
    return int(amount) if amount == amount.to_integral_value() else float(amount)


def _fold_orders(history: History) -> dict[ClientOrderId, Order]:
    orders: dict[ClientOrderId, Order] = {}
    for fact in history.account:
        if isinstance(fact, OrderEvent):
            order = orders.get(fact.client_order_id) or Order.of(fact)
            order.apply(fact)
            orders[fact.client_order_id] = order
    return orders


def _distinct_fills(history: History) -> tuple[OrderFilled, ...]:
    """Return each fill once, in market time: one that was lost at first is learnt of late."""
    fills = {fact.trade_id: fact for fact in history.account if isinstance(fact, OrderFilled)}
    return tuple(sorted(fills.values(), key=lambda fill: fill.ts_event))


def _refusals(history: History, orders: dict[ClientOrderId, Order]) -> tuple[OrderDenied, ...]:
    """Return each refusal once; one that the venue proved wrong later does not count."""
    stands = [
        fact
        for fact in history.account
        if isinstance(fact, OrderDenied)
        and orders[fact.client_order_id].status is OrderStatus.DENIED
    ]
    decided = [fact for fact in history.decisions if isinstance(fact, OrderDenied)]
    distinct = {(fact.client_order_id, fact.code): fact for fact in [*decided, *stands]}
    return tuple(sorted(distinct.values(), key=lambda fact: fact.ts_init))


def _count_orders(
    orders: dict[ClientOrderId, Order], history: History, refusals: Iterable[OrderDenied]
) -> OrderCounts:
    ended = Counter(order.status for order in orders.values())
    submitted = {
        fact.client_order_id
        for fact in history.account
        if isinstance(fact, OrderSubmitted) and fact.strategy_id != EXTERNAL
    }
    return OrderCounts(
        submitted=len(submitted),
        filled=ended[OrderStatus.FILLED],
        canceled=ended[OrderStatus.CANCELED],
        rejected=ended[OrderStatus.REJECTED],
        refused=dict(Counter(refusal.code for refusal in refusals).most_common()),
    )


def _days(snapshot: ClusterSnapshot, marks: list[EquityMarked]) -> int:
    if snapshot.venue is not None:
        return len({mark.ts_event // NANOS_PER_DAY for mark in marks})
    return max(0, snapshot.sequence - snapshot.first + 1) if snapshot.clock_ns else 0


def _initial_equity(config: Config, history: History, marks: list[EquityMarked]) -> Decimal:
    """Return what the account began with: a real one with what the venue said, first of all."""
    opened = next((fact for fact in history.account if isinstance(fact, AccountOpened)), None)
    if opened is None:
        return config.account.initial_cash
    return marks[0].equity if opened.positions and marks else opened.cash


def _curve(start: Decimal, marks: list[EquityMarked]) -> Curve:
    curve = Curve(start)
    for mark in marks:
        curve.add(mark.ts_event, mark.equity)
    return curve


def _symbols(config: Config, snapshot: ClusterSnapshot) -> tuple[str, ...]:
    """Return the symbols of the books that the cluster keeps, else those that were asked for."""
    for name, view in snapshot.machines.items():
        if name.startswith("book:"):
            return tuple(symbol_of(instrument) for instrument in view.get("books", ()))
    return config.data.symbols


def _strategy(
    strategy_id: StrategyId,
    config: Config,
    ledger: Mapping[str, Any],
    marks: list[EquityMarked],
    fills: tuple[OrderFilled, ...],
) -> StrategyResult:
    account = config.account
    budget = account.initial_cash if account.capital is None else account.capital
    capital = config.strategies[strategy_id].capital * budget
    curve, profits = Curve(capital), []
    for mark in marks:
        profit = next((p for name, p, _ in mark.by_strategy if name == strategy_id), ZERO)
        profits.append(profit)
        curve.add(mark.ts_event, capital + profit)
    at_last_mark = profits[-1] if profits else ZERO
    profit = ledger.get("strategies", {}).get(strategy_id, {}).get("profit", at_last_mark)
    return StrategyResult(
        strategy_id=strategy_id,
        capital=capital,
        profit=profit,
        profits=tuple(profits),
        total_return=float(profit / capital),
        sharpe=curve.sharpe(),
        max_drawdown=curve.max_drawdown,
        trades=len({fill.client_order_id for fill in fills if fill.strategy_id == strategy_id}),
    )
