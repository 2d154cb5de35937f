"""What a trading system consists of, as plain data, and how each machine is made from it.

The same blueprint builds the machines of the cluster, of the simulator and of a backtest.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from hashlib import blake2b

import msgspec

from actors.feeds.guard import DataGuard, GuardConfig
from actors.feeds.replay import Replay
from actors.feeds.sources import LISTING, PriceTable, load_prices
from actors.models.forecaster import ModelAccess, forecasters_of
from actors.plans import (
    Assumptions,
    ExecutionPlan,
    FeedPlan,
    ForecastPlan,
    ReplayPlan,
    StrategyPlan,
    VenuePlan,
)
from actors.venues.opening import venue_profile
from actors.venues.profile import VenueProfile
from trading.account import OPERATOR
from trading.algorithms.desk import ExecutionDesk
from trading.algorithms.desk_config import DeskAccount, ExecutionDeskConfig
from trading.book.shard import BookShard
from trading.broker.broker import Broker
from trading.broker.config import BrokerConfig
from trading.capabilities import VenueCapabilities
from trading.exchange.exchange import ExchangeSettings, SimulatedExchange
from trading.exchange.faults import FaultyExchange
from trading.forecasting.informed import Informed, live_strategy
from trading.forecasting.source import ForecastSource, ForecastSourceConfig
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
from trading.market_data.gateway import GatewayConfig, MarketGateway
from trading.market_hours import ALWAYS_OPEN, MarketHours
from trading.risk.config import RiskConfig
from trading.risk.gate import RiskGate
from trading.risk.limits import RiskLimits
from trading.routing.quotes import VenueFees
from trading.strategies.bar_strategy import BarStrategy, BarStrategyConfig
from trading.strategies.strategy import Strategy
from trading.values import NANOS_PER_SECOND, ZERO

__all__ = [
    "Assumptions",
    "Blueprint",
    "ExecutionPlan",
    "FeedPlan",
    "ForecastPlan",
    "ReplayPlan",
    "StrategyPlan",
    "VenuePlan",
    "build",
    "exchange_of",
    "risk_key",
]

REAL_SUBMIT_TIMEOUT_NS = 10 * NANOS_PER_SECOND
REAL_QUERY_TIMEOUT_NS = 10 * NANOS_PER_SECOND
REAL_MASS_STATUS_TIMEOUT_NS = 30 * NANOS_PER_SECOND
"""A real venue is far away, pages its answers, and makes its clients wait when they ask too often."""


class Blueprint(msgspec.Struct, frozen=True, kw_only=True):
    """One account, traded by some strategies: at the paper venue on a replay, or at a real one on its data.

    A desk may work large orders over further accounts, which are `linked`.

    Attributes
    ----------
    initial_cash : Decimal
        Of a paper account; a real one opens with what the venue says.
    replay, feed : ReplayPlan, FeedPlan or None
        Exactly one of them.
    capital : Decimal or None
        What the strategies share, in account currency; None: the initial cash.
    venues : mapping of Venue to VenuePlan
        How venues are reached; one that is not in it is the installed one of that name, without options.
    is_live : bool
        Real money: every gate was passed.
    capabilities : VenueCapabilities or None
        Of the real venue, as its adapter says with these options; None: the venue itself is asked.
    cash_tolerance : Decimal
        Cash that may differ from the venue's without being a mismatch, in account currency.
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
    execution : ExecutionPlan or None
        The desk for large orders, over this account and the linked ones.
    fees : VenueFees
        What that desk counts with at this account; what is really charged comes with the fills.
    linked : tuple of Blueprint
        Further accounts, each at a real venue of its own, without strategies, forecasts and desk.
    traders : tuple of StrategyId
        Whose orders risk lets pass beside those of `strategies`: the desk sends in their name.
    models : ModelAccess
        Where forecasting models are, and how they are run.
    """

    account_id: AccountId
    initial_cash: Decimal = ZERO
    replay: ReplayPlan | None = None
    feed: FeedPlan | None = None
    capital: Decimal | None = None
    strategies: tuple[StrategyPlan, ...]
    venues: Mapping[Venue, VenuePlan] = {}
    is_live: bool = False
    capabilities: VenueCapabilities | None = None
    cash_tolerance: Decimal = ZERO
    limits: RiskLimits = RiskLimits()
    assumptions: Assumptions = Assumptions()
    venue: Venue = Venue("paper")
    reconcile_interval_ns: int = 5_000_000_000
    listed: tuple[Instrument, ...] = ()
    max_silence_ns: int = 5_000_000_000
    hours: MarketHours = ALWAYS_OPEN
    sectors: Mapping[str, str] = {}
    forecasts: tuple[ForecastPlan, ...] = ()
    execution: ExecutionPlan | None = None
    fees: VenueFees = VenueFees()
    linked: tuple["Blueprint", ...] = ()
    traders: tuple[StrategyId, ...] = ()
    models: ModelAccess = ModelAccess()

    def __post_init__(self) -> None:
        if (self.replay is None) == (self.feed is None):
            raise ValueError("a blueprint has either a replay or a feed")
        if self.traders and self.feed is None:
            raise ValueError("a replay waits for everyone who trades: it has no other traders")
        if self.linked:
            _require_linkable(self)

    @property
    def accounts(self) -> tuple["Blueprint", ...]:
        """Return this account, then the linked ones."""
        return (self, *self.linked)

    def owner(self, machine: MachineName) -> "Blueprint":
        """Return the account that a machine belongs to; whatever no linked account has is of this one."""
        return next((each for each in self.linked if machine in each.machines()), self)

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        symbols = () if self.replay is None else self.replay.symbols
        return self.listed or tuple(
            Instrument(
                instrument_id=instrument_id(symbol, LISTING), sector=self.sectors.get(symbol, "")
            )
            for symbol in symbols
        )

    @property
    def budget(self) -> Decimal:
        """What the strategies share, in account currency."""
        return self.initial_cash if self.capital is None else self.capital

    @property
    def history(self) -> MachineName:
        """Who answers `RequestBars`."""
        return self.name("replay" if self.feed is None else "market")

    @property
    def market(self) -> MachineName:
        """Who publishes what the feed guards."""
        return self.name("exchange" if self.feed is None else "market")

    def venue_plan(self, venue: Venue) -> VenuePlan:
        return self.venues.get(venue) or VenuePlan(adapter=venue)

    def profile(self, venue: Venue) -> VenueProfile:
        """Return what is known of a venue in advance.

        Raises
        ------
        ConfigError
            If it is not installed.
        """
        return venue_profile(self.venue_plan(venue).adapter)

    @property
    def instruments_by_id(self) -> dict[InstrumentId, Instrument]:
        return {each.instrument_id: each for each in self.instruments}

    def name(self, kind: str) -> MachineName:
        """Return the address of this account's only machine of `kind` (not for strategies and forecasts)."""
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
        """Return the addresses of all machines, those of linked accounts behind our own."""
        kinds = _SIMULATED if self.feed is None else _REAL
        single = tuple(self.name(kind) for kind in kinds)
        if self.execution is not None:
            single += (machine_name("execution", self.execution.name),)
        forecasts = tuple(machine_name("forecast", each.name) for each in self.forecasts)
        strategies = tuple(machine_name("strategy", each.strategy_id) for each in self.strategies)
        linked = tuple(name for each in self.linked for name in each.machines())
        return single + forecasts + strategies + linked


def _require_linkable(blueprint: Blueprint) -> None:
    for each in blueprint.linked:
        if each.strategies or each.forecasts or each.execution or each.linked:
            raise ValueError(
                "a linked account has no strategies, forecasts, desk or links of its own"
            )
    if any(each.feed is None for each in blueprint.accounts):
        raise ValueError("accounts are linked at real venues only; a replay feeds one account")
    for key in ("venue", "account_id"):
        if len({getattr(each, key) for each in blueprint.accounts}) <= len(blueprint.linked):
            raise ValueError(f"linked accounts must differ in {key}: machines are named after it")


_ALWAYS = ("ledger", "broker", "risk", "book", "feed")
_SIMULATED = ("exchange", *_ALWAYS, "replay")
_REAL = (*_ALWAYS, "market")


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
        assert blueprint.replay is not None
        prices = table or load_prices(blueprint.replay.source, blueprint.replay.symbols)
        return lambda: _replay(blueprint, prices)
    account = blueprint.owner(name)
    return {
        "exchange": lambda: _exchange(account),
        "market": lambda: _market(account),
        "feed": lambda: _feed(account),
        "book": lambda: _book(account),
        "risk": lambda: _risk(account, secret),
        "broker": lambda: _broker(account, secret),
        "ledger": lambda: _ledger(account),
        "execution": lambda: _execution(blueprint),
    }[kind]


def _exchange(blueprint: Blueprint) -> Machine:
    exchange = exchange_of(blueprint)
    faults = blueprint.assumptions.faults
    return exchange if faults is None else FaultyExchange(exchange, faults)


def _replay(blueprint: Blueprint, table: PriceTable) -> Machine:
    plan = blueprint.replay
    assert plan is not None
    return Replay(
        blueprint.name("replay"),
        table,
        first=max(1, len(table) - plan.days + 1),
        last=len(table),
        pace_ns=plan.pace_ns,
        settle_timeout_ns=plan.settle_timeout_ns,
        exchange=blueprint.name("exchange"),
    )


def _market(blueprint: Blueprint) -> Machine:
    plan = blueprint.feed
    assert plan is not None
    return MarketGateway(
        GatewayConfig(
            venue=blueprint.venue,
            instruments=blueprint.instruments,
            kinds=plan.kinds,
            bar_interval_ns=plan.bar_interval_ns,
            bars_from=plan.bars_from,
            history_bars=plan.history_bars,
            max_silence_ns=blueprint.max_silence_ns,
        )
    )


def _feed(blueprint: Blueprint) -> Machine:
    return DataGuard(
        GuardConfig(
            venue=blueprint.venue,
            source=blueprint.market,
            instruments=frozenset(blueprint.instruments_by_id),
            max_silence_ns=blueprint.max_silence_ns,
            is_replay=blueprint.feed is None,
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
            capital=plan.capital * blueprint.budget,
            instruments=blueprint.instruments,
            history=blueprint.history,
            signals=signals,
            forecaster=plan.forecaster if isinstance(ready, Informed) else "",
            on_failure=plan.on_failure,
        ),
        ready,
    )


def _forecast_source(blueprint: Blueprint, plan: ForecastPlan) -> Machine:
    return ForecastSource(
        ForecastSourceConfig(
            source=plan.name,
            venue=blueprint.venue,
            instruments=tuple(blueprint.instruments_by_id),
            history=blueprint.history,
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
            strategies=(*(plan.strategy_id for plan in blueprint.strategies), *blueprint.traders),
            operators=(OPERATOR,),
            instruments=blueprint.instruments_by_id,
            limits=blueprint.limits,
            key=risk_key(secret),
            initial_cash=blueprint.initial_cash,
            hours=blueprint.hours,
            history=blueprint.history,
        )
    )


def _execution(blueprint: Blueprint) -> Machine:
    plan = blueprint.execution
    assert plan is not None
    accounts = tuple(
        DeskAccount(
            venue=each.venue,
            account_id=each.account_id,
            instruments=each.instruments,
            fees=each.fees,
        )
        for each in blueprint.accounts
    )
    return ExecutionDesk(ExecutionDeskConfig(name=plan.name, accounts=accounts))


def _broker(blueprint: Blueprint, secret: bytes) -> Machine:
    config = BrokerConfig(
        venue=blueprint.venue,
        account_id=blueprint.account_id,
        initial_cash=blueprint.initial_cash,
        risk=blueprint.name("risk"),
        risk_key=risk_key(secret),
        reconcile_interval_ns=blueprint.reconcile_interval_ns,
    )
    if blueprint.feed is None:
        return Broker(msgspec.structs.replace(config, watermark_to=blueprint.name("replay")))
    return Broker(
        msgspec.structs.replace(
            config,
            submit_timeout_ns=REAL_SUBMIT_TIMEOUT_NS,
            query_timeout_ns=REAL_QUERY_TIMEOUT_NS,
            mass_status_timeout_ns=REAL_MASS_STATUS_TIMEOUT_NS,
            capabilities=blueprint.capabilities,
            instruments=blueprint.instruments_by_id,
            opens_account=True,
            cash_tolerance=blueprint.cash_tolerance,
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
                plan.strategy_id: plan.capital * blueprint.budget for plan in blueprint.strategies
            },
        )
    )
