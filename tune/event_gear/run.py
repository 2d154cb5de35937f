"""Backtests through the event gear: of bars, and of quotes, trades and order books."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal

from actors.blueprint import Blueprint, ReplayPlan, StrategyPlan
from actors.feeds.sources import PriceTable
from trading.errors import DataError, UsageError
from trading.identifiers import AccountId, StrategyId
from trading.instruments import Instrument
from trading.machine import Machine
from trading.strategies.strategy import Strategy
from trading.values import NANOS_PER_SECOND
from tune.event_gear.bar_builder import MarketEvent
from tune.event_gear.decided_ahead import DecidedAhead, bars_of
from tune.event_gear.gear import EventGear, Progress
from tune.event_gear.market_moments import EventMoments
from tune.event_gear.result import EventResult
from tune.event_gear.settings import EventSettings
from tune.event_gear.table_moments import TableMoments

NEVER_NS = 10**18
"""A pause of the market is no failure of the feed."""


def run_event_backtest(
    strategies: Strategy | Mapping[StrategyId, Strategy],
    table: PriceTable,
    settings: EventSettings | None = None,
    *,
    instruments: Sequence[Instrument] = (),
    on_progress: Progress | None = None,
) -> EventResult:
    """Trade every bar of `table`; orders fill around the close that they were decided on.

    Parameters
    ----------
    strategies : Strategy, or mapping of StrategyId to Strategy
        Several share the capital in equal parts and the account.
    instruments : sequence of Instrument
        Grids of the instruments of `table`, in its order; empty: ticks of a cent and whole units.
    on_progress : function of (bars so far, market time in ns)

    Raises
    ------
    DataError
        If there are no bars, or `instruments` are not those of the table.
    UsageError
        If there is no strategy, or one raised or returned nonsense; names the strategy and the bar.
    """
    if not len(table):
        raise DataError("there are no bars; choose a longer period.")
    plans: dict[StrategyId, Strategy] = (
        dict(strategies)
        if isinstance(strategies, Mapping)
        else {StrategyId("strategy"): strategies}
    )
    listed = tuple(instruments) or tuple(
        Instrument(instrument_id=name) for name in table.instrument_ids
    )
    names = tuple(each.instrument_id for each in listed)
    if names != table.instrument_ids:
        raise DataError(f"instruments are {names}, the table holds {table.instrument_ids}.")
    settings = settings or EventSettings()
    blueprint = blueprint_of(tuple(plans), listed, settings)
    if settings.decides_ahead:
        bars = bars_of(table)
        plans = {name: DecidedAhead(each, bars) for name, each in plans.items()}
    gear = EventGear(
        blueprint,
        TableMoments(table),
        int(table.ts[0]) - NANOS_PER_SECOND,
        strategies=plans,
        history=max(each.lookback for each in plans.values()),
    )
    return gear.run(on_progress)


def run_event_replay(
    events: Callable[[], Iterable[MarketEvent]],
    instruments: Sequence[Instrument],
    settings: EventSettings | None = None,
    *,
    strategies: Mapping[StrategyId, Strategy] | None = None,
    machines: Mapping[StrategyId, Callable[[], Machine]] | None = None,
    on_progress: Progress | None = None,
) -> EventResult:
    """Replay quotes, trades and books; orders trade with the record (`trading.exchange.historic_book`).

    Parameters
    ----------
    events : function that returns `QuoteTick`, `TradeTick`, `BookDelta` and `BookSnapshot` messages
        Each call begins anew; `ts_event` never falls. The removals of one book update come first.
    strategies : mapping of StrategyId to Strategy
        Bar strategies, on the bars that the events add up to.
    machines : mapping of StrategyId to a function that makes a machine
        Strategies that live on events: state machines called `strategy:<id>`.

    Raises
    ------
    DataError
        If there are no events, or one is older than the one before it.
    UsageError
        If there is no strategy, or one raised or returned nonsense.
    """
    settings = settings or EventSettings()
    bar_strategies, own = dict(strategies or {}), dict(machines or {})
    first = next(iter(events()), None)
    if first is None:
        raise DataError("there are no events; choose a longer period.")
    gear = EventGear(
        blueprint_of((*bar_strategies, *own), tuple(instruments), settings),
        EventMoments(
            events, instruments, interval_ns=settings.bar_interval_ns, price=settings.bar_price
        ),
        first.ts_event - NANOS_PER_SECOND,
        strategies=bar_strategies,
        machines=own,
        history=max((each.lookback for each in bar_strategies.values()), default=1),
    )
    return gear.run(on_progress)


def blueprint_of(
    strategy_ids: Sequence[StrategyId], instruments: tuple[Instrument, ...], settings: EventSettings
) -> Blueprint:
    """Return the plan of one account whose strategies share the capital in equal parts.

    Raises
    ------
    UsageError
        If there is no strategy.
    """
    if not strategy_ids:
        raise UsageError("there is no strategy; give at least one.")
    share = Decimal(1) / len(strategy_ids)
    return Blueprint(
        account_id=AccountId("BACKTEST"),
        initial_cash=settings.initial_cash,
        replay=ReplayPlan(source="", symbols=(), days=1, pace_ns=0, settle_timeout_ns=0),
        strategies=tuple(
            StrategyPlan(strategy_id=name, kind="", capital=share) for name in strategy_ids
        ),
        limits=settings.limits,
        assumptions=settings.assumptions,
        listed=instruments,
        reconcile_interval_ns=0,
        max_silence_ns=NEVER_NS,
    )
