"""What a trading system consists of, as plain data, and how each machine is made from it.

The same blueprint builds the machines of the cluster, of the simulator and of a backtest.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from hashlib import blake2b
from typing import Any

import msgspec

from actors.feeds.guard import DataGuard, GuardConfig
from actors.feeds.replay import Replay
from actors.feeds.sources import LISTING, PriceTable, load_prices
from actors.models.forecaster import ModelAccess, forecasters_of
from trading.book.shard import BookShard
from trading.broker.broker import Broker
from trading.broker.config import BrokerConfig
from trading.exchange.buying_power import BuyingPower
from trading.exchange.exchange import ExchangeSettings, SimulatedExchange
from trading.exchange.faults import FaultPlan, FaultyExchange
from trading.exchange.fees import Fees
from trading.exchange.latency import Latency
from trading.exchange.liquidity import Liquidity
from trading.exchange.slippage import Slippage
from trading.forecasting.informed import Informed, live_strategy
from trading.forecasting.registry import DEFAULT
from trading.forecasting.source import ForecastSource, ForecastSourceConfig
from trading.forecasting.watch import Expectations
from trading.identifiers import (
    AccountId,
    InstrumentId,
    MachineName,
    StrategyId,
    Venue,
    instrument_id,
    machine_kind,
    machine_name,
)
from trading.instruments import Instrument
from trading.ledger import Ledger, LedgerConfig
from trading.machine import Machine
from trading.market_hours import ALWAYS_OPEN, MarketHours
from trading.risk.config import RiskConfig
from trading.risk.gate import RiskGate
from trading.risk.limits import RiskLimits
from trading.strategies.bar_strategy import BarStrategy, BarStrategyConfig
from trading.strategies.strategy import Strategy


class StrategyPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One running strategy.

    Attributes
    ----------
    capital : Decimal
        Fraction of the account's initial cash.
    forecaster : str
        Name of the forecaster of a strategy that needs forecasts: an installed one, or a model `nhits@3`.
    signals : mapping of kind to source
        Published facts that it reads, see `trading.forecasting.informed.live_strategy`.
    """

    strategy_id: StrategyId
    kind: str
    capital: Decimal
    params: Mapping[str, Any] = {}
    forecaster: str = DEFAULT
    signals: Mapping[str, str] = {}


class ForecastPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One source of forecasts; its facts go to `signals:<name>`.

    Attributes
    ----------
    model : str
        `nhits@3`; for a service also `nhits@champion`.
    url : str
        Forecasting service to ask; empty runs the model beside the source.
    input_size : int
        Bars that the model reads.
    trained_until : int
        Close of the last bar that the model was trained on (ns UTC).
    expected : Expectations
        What its training lets expect of it, see `actors.models.in_service`.
    """

    name: str
    model: str
    input_size: int
    trained_until: int = 0
    url: str = ""
    horizon_bars: int = 5
    valid_bars: int = 1
    timeout_ns: int = 1_000_000_000
    expected: Expectations = Expectations()


class ReplayPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is replayed: the last `days` slices of `source`, `pace_ns` apart (0: no waiting)."""

    source: str
    symbols: tuple[str, ...]
    days: int
    pace_ns: int
    settle_timeout_ns: int


class Assumptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the simulated exchange assumes."""

    liquidity: Liquidity = Liquidity()
    fees: Fees = Fees()
    slippage: Slippage = Slippage()
    latency: Latency = Latency()
    buying_power: BuyingPower = BuyingPower()
    faults: FaultPlan | None = None


class Blueprint(msgspec.Struct, frozen=True, kw_only=True):
    """One account at the paper venue, trading a replay with some strategies.

    Attributes
    ----------
    listed : tuple of Instrument
        What the venue lists; empty lists the symbols of the replay, as stocks.
    max_silence_ns : int
        After so long without data the feed is stale (ns of host time).
    hours : MarketHours
        Sessions of the market, for risk.
    sectors : mapping of symbol to sector
        For limits on sectors; of the instruments that are not `listed`.
    forecasts : tuple of ForecastPlan
        Sources of forecasts that run beside the strategies.
    models : ModelAccess
        Where forecasting models are, and how they are run.
    """

    account_id: AccountId
    initial_cash: Decimal
    replay: ReplayPlan
    strategies: tuple[StrategyPlan, ...]
    limits: RiskLimits = RiskLimits()
    assumptions: Assumptions = Assumptions()
    venue: Venue = Venue("paper")
    reconcile_interval_ns: int = 5_000_000_000
    listed: tuple[Instrument, ...] = ()
    max_silence_ns: int = 5_000_000_000
    hours: MarketHours = ALWAYS_OPEN
    sectors: Mapping[str, str] = {}
    forecasts: tuple[ForecastPlan, ...] = ()
    models: ModelAccess = ModelAccess()

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        return self.listed or tuple(
            Instrument(
                instrument_id=instrument_id(symbol, LISTING), sector=self.sectors.get(symbol, "")
            )
            for symbol in self.replay.symbols
        )

    @property
    def instruments_by_id(self) -> dict[InstrumentId, Instrument]:
        return {each.instrument_id: each for each in self.instruments}

    def name(self, kind: str) -> MachineName:
        """Return the address of the only machine of `kind` (not for strategies and sources of forecasts)."""
        match kind:
            case "replay":
                return machine_name("replay", "prices")
            case "broker":
                return machine_name("broker", self.venue, self.account_id)
            case "risk" | "ledger":
                return machine_name(kind, self.account_id)
            case _:
                return machine_name(kind, self.venue)

    def machines(self) -> tuple[MachineName, ...]:
        """Return the addresses of all machines."""
        kinds = ("exchange", "ledger", "broker", "risk", "book", "feed", "replay")
        single = tuple(self.name(kind) for kind in kinds)
        forecasts = tuple(machine_name("forecast", each.name) for each in self.forecasts)
        strategies = tuple(machine_name("strategy", each.strategy_id) for each in self.strategies)
        return single + forecasts + strategies


def risk_key(secret: bytes) -> bytes:
    """Return the key under which permits are signed, derived from the cluster secret."""
    return blake2b(secret, person=b"risk permits", digest_size=32).digest()


def exchange_of(blueprint: Blueprint) -> SimulatedExchange:
    """Return the simulated exchange, without its bad gateway."""
    assumptions = blueprint.assumptions
    return SimulatedExchange(
        ExchangeSettings(
            venue=blueprint.venue,
            accounts={blueprint.account_id: blueprint.initial_cash},
            instruments=blueprint.instruments,
            replay=blueprint.name("replay"),
            liquidity=assumptions.liquidity,
            fees=assumptions.fees,
            latency=assumptions.latency,
            slippage=assumptions.slippage,
            buying_power=assumptions.buying_power,
        )
    )


def build(
    blueprint: Blueprint,
    name: MachineName,
    secret: bytes,
    table: PriceTable | None = None,
    strategies: Mapping[StrategyId, Strategy] | None = None,
) -> Callable[[], Machine]:
    """Return a function that makes the machine `name`, empty, as often as it is called.

    Parameters
    ----------
    secret : bytes
        The cluster secret.
    table : PriceTable or None
        Prices for the replay; None loads them from the blueprint's source.
    strategies : mapping of StrategyId to Strategy, or None
        Strategies that are there already; the others are built by the name in their plan.

    Raises
    ------
    KeyError
        If the blueprint has no such machine.
    """
    kind = machine_kind(name)
    if kind == "strategy":
        plans = {machine_name("strategy", plan.strategy_id): plan for plan in blueprint.strategies}
        plan = plans[name]
        ready = (strategies or {}).get(plan.strategy_id)
        return lambda: _bar_strategy(blueprint, plan, ready)
    if kind == "forecast":
        sources = {machine_name("forecast", each.name): each for each in blueprint.forecasts}
        source = sources[name]
        return lambda: _forecast_source(blueprint, source)
    if kind == "replay":
        prices = table or load_prices(blueprint.replay.source, blueprint.replay.symbols)
        return lambda: _replay(blueprint, prices)
    return {
        "exchange": lambda: _exchange(blueprint),
        "feed": lambda: _feed(blueprint),
        "book": lambda: _book(blueprint),
        "risk": lambda: _risk(blueprint, secret),
        "broker": lambda: _broker(blueprint, secret),
        "ledger": lambda: _ledger(blueprint),
    }[kind]


def _exchange(blueprint: Blueprint) -> Machine:
    exchange = exchange_of(blueprint)
    faults = blueprint.assumptions.faults
    return exchange if faults is None else FaultyExchange(exchange, faults)


def _replay(blueprint: Blueprint, table: PriceTable) -> Machine:
    plan = blueprint.replay
    return Replay(
        blueprint.name("replay"),
        table,
        first=max(1, len(table) - plan.days + 1),
        last=len(table),
        pace_ns=plan.pace_ns,
        settle_timeout_ns=plan.settle_timeout_ns,
        exchange=blueprint.name("exchange"),
    )


def _feed(blueprint: Blueprint) -> Machine:
    return DataGuard(
        GuardConfig(
            venue=blueprint.venue,
            source=blueprint.name("exchange"),
            instruments=frozenset(blueprint.instruments_by_id),
            max_silence_ns=blueprint.max_silence_ns,
        )
    )


def _book(blueprint: Blueprint) -> Machine:
    return BookShard(blueprint.venue, blueprint.instruments, blueprint.name("feed"))


def _bar_strategy(blueprint: Blueprint, plan: StrategyPlan, ready: Strategy | None) -> Machine:
    signals: Mapping[str, str] = plan.signals
    if ready is None:
        build_forecaster = forecasters_of(blueprint.models)
        ready, signals = live_strategy(
            plan.kind, plan.params, plan.forecaster, plan.signals, build_forecaster
        )
    return BarStrategy(
        BarStrategyConfig(
            strategy_id=plan.strategy_id,
            venue=blueprint.venue,
            account_id=blueprint.account_id,
            capital=plan.capital * blueprint.initial_cash,
            instruments=blueprint.instruments,
            history=blueprint.name("replay"),
            signals=signals,
            forecaster=plan.forecaster if isinstance(ready, Informed) else "",
        ),
        ready,
    )


def _forecast_source(blueprint: Blueprint, plan: ForecastPlan) -> Machine:
    return ForecastSource(
        ForecastSourceConfig(
            source=plan.name,
            venue=blueprint.venue,
            instruments=tuple(blueprint.instruments_by_id),
            history=blueprint.name("replay"),
            model=plan.model,
            input_size=plan.input_size,
            horizon_bars=plan.horizon_bars,
            valid_bars=plan.valid_bars,
            timeout_ns=plan.timeout_ns,
            trained_until=plan.trained_until,
            expected=plan.expected,
        )
    )


def _risk(blueprint: Blueprint, secret: bytes) -> Machine:
    return RiskGate(
        RiskConfig(
            account_id=blueprint.account_id,
            venue=blueprint.venue,
            strategies=tuple(plan.strategy_id for plan in blueprint.strategies),
            instruments=blueprint.instruments_by_id,
            limits=blueprint.limits,
            key=risk_key(secret),
            initial_cash=blueprint.initial_cash,
            hours=blueprint.hours,
            history=blueprint.name("replay"),
        )
    )


def _broker(blueprint: Blueprint, secret: bytes) -> Machine:
    return Broker(
        BrokerConfig(
            venue=blueprint.venue,
            account_id=blueprint.account_id,
            initial_cash=blueprint.initial_cash,
            risk=blueprint.name("risk"),
            risk_key=risk_key(secret),
            watermark_to=blueprint.name("replay"),
            reconcile_interval_ns=blueprint.reconcile_interval_ns,
        )
    )


def _ledger(blueprint: Blueprint) -> Machine:
    return Ledger(
        LedgerConfig(
            venue=blueprint.venue,
            account_id=blueprint.account_id,
            initial_cash=blueprint.initial_cash,
            instruments=blueprint.instruments,
            capital={
                plan.strategy_id: plan.capital * blueprint.initial_cash
                for plan in blueprint.strategies
            },
        )
    )
