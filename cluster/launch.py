"""From configuration to a running cluster, and back to nothing."""

import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from actors.assignment import Surroundings
from actors.blueprint import (
    Assumptions,
    Blueprint,
    ExecutionPlan,
    ForecastPlan,
    ReplayPlan,
    StrategyPlan,
)
from actors.feeds.sources import LISTING, load_prices, symbols_of
from actors.models.forecaster import ModelAccess, forecasters_of, pinned
from actors.models.in_service import expectations_of
from actors.venues.credentials import remove_credentials
from cluster import ray_runtime
from cluster.agent_strategy import with_approved
from cluster.client import RayClusterView, namespace_of
from cluster.config import Config, cluster_secret
from cluster.config.accounts import accounts_of
from cluster.config.model import RiskConfig
from cluster.config.venue_checks import is_simulated
from cluster.guest_hosts import with_guests_apart
from cluster.logs import set_up_logs
from cluster.models import model_access
from cluster.real_venue import at_real_venue, feed_plan
from cluster.topology import FUSED, ClusterPlan, place
from cluster.venue_access import VenueAccess, access_of
from serve.auth.settings import is_loopback
from trading.account import OPERATOR
from trading.errors import ClusterUnreachable, ConfigError, UsageError
from trading.exchange.buying_power import BuyingPower
from trading.exchange.fees import Fees
from trading.exchange.latency import Latency
from trading.exchange.liquidity import Liquidity
from trading.exchange.slippage import Slippage
from trading.forecasting.informed import live_strategy
from trading.identifiers import AccountId, InstrumentId, StrategyId, Venue, instrument_id
from trading.market_hours import ALWAYS_OPEN, MarketHours
from trading.risk.limits import RiskLimits, SymbolLimits
from trading.routing.quotes import VenueFees
from trading.values import NANOS_PER_DAY, NANOS_PER_SECOND

START_TIMEOUT_S = 90.0
SESSIONS_BEFORE_NS = 60 * NANOS_PER_DAY
SESSIONS_AFTER_NS = 300 * NANOS_PER_DAY
"""A cluster that runs longer than this has to be started again before; calendars know about a year."""


def start(
    config: Config,
    *,
    detached: bool = False,
    ray: Any = None,
    drills: Mapping[str, Mapping[str, int]] | None = None,
) -> RayClusterView:
    """Start the cluster that `config` describes and wait until every host runs.

    Parameters
    ----------
    detached : bool
        The cluster outlives this process (`trader up`).
    ray : module or None
        A Ray that is connected already; it stays connected when the cluster stops.
    drills : mapping of host name to points at which its first life dies
        For rehearsals: see `actors.delivery.Drill`.

    Raises
    ------
    TradingError
        If anything is missing or refused; what was started until then is stopped again.
    """
    began = time.monotonic()
    set_up_logs(
        config.logging.level,
        config.logging.format,
        config.cluster.state_dir / "logs",
        quiet=True,
    )
    access = access_of(config)
    plan = plan_of(config, drills or {}, access)
    cluster_secret(config)
    access.withhold()
    is_ours = ray is None
    if ray is None:
        ray = _connect(config, detached=detached)
    view: RayClusterView | None = None
    credentials_files: tuple[str, ...] = ()
    try:
        _require_unused(ray, plan)
        credentials_files = access.write()
        supervisor = _start_supervisor(ray, plan)
        view = RayClusterView(ray, supervisor, plan, owns_ray=is_ours and not detached)
        if plan.has_sandboxes:  # before those who ask them
            from cluster.sandbox_pools import start_sandbox_pools

            start_sandbox_pools(config)
        problem = ray.get(supervisor.wait_settled.remote(START_TIMEOUT_S))
        if problem:
            raise ClusterUnreachable(f"the cluster did not start: {problem}")
    except BaseException:  # also Ctrl-C: nothing half-started stays behind
        remove_credentials(credentials_files)
        _undo(config, view, stop_head=detached and config.cluster.address == "local")
        raise
    view.started(time.monotonic() - began)
    return view


def _undo(config: Config, view: RayClusterView | None, *, stop_head: bool) -> None:
    try:
        if view is not None:
            view.stop()
    finally:
        if stop_head:
            ray_runtime.stop_head(config)


def _connect(config: Config, *, detached: bool) -> Any:
    if config.cluster.address != "local":
        return ray_runtime.join(config, config.cluster.address)
    if detached:
        return ray_runtime.join(config, ray_runtime.start_head(config))
    return ray_runtime.start_local(config)


def _require_unused(ray: Any, plan: ClusterPlan) -> None:
    try:
        ray.get_actor("supervisor", namespace=plan.namespace)
    except ValueError:
        return
    raise UsageError(
        f"cluster {plan.name!r} runs already; `trader status` shows it, `trader down` ends it."
    )


def _start_supervisor(ray: Any, plan: ClusterPlan) -> Any:
    from cluster.supervisor import Supervisor

    return (
        ray.remote(Supervisor)
        .options(
            name="supervisor",
            namespace=plan.namespace,
            lifetime="detached",
            max_restarts=-1,
            max_task_retries=-1,
            max_concurrency=16,
            num_cpus=0,
        )
        .remote(plan)
    )


def plan_of(
    config: Config,
    drills: Mapping[str, Mapping[str, int]],
    access: VenueAccess | None = None,
) -> ClusterPlan:
    """Return the desired state that `config` describes. A real venue is asked what its symbols are.

    Raises
    ------
    UsageError, DataError, ConfigError, ModelError
        If a strategy, a symbol, a model or the placement is wrong.
    LadderRefused
        If a strategy of an agent may not trade.
    AuthError, VenueError
        If a real venue does not let us in, does not know a symbol, or does not answer.
    """
    blueprint = blueprint_of(config, access)
    placement = config.cluster.placement
    if placement == "fused":
        groups: Any = with_guests_apart(FUSED, blueprint.strategies)
    elif placement == "spread":
        groups = None
    else:
        groups = placement
    _lookback(blueprint.strategies, blueprint.models)
    return ClusterPlan(
        name=config.cluster.name,
        namespace=namespace_of(config),
        mode=config.cluster.mode,
        hosts=place(blueprint.machines(), groups, config.cluster.labels),
        blueprint=blueprint,
        surroundings=Surroundings(
            journal_url=config.cluster.journal,
            run_dir=str(config.cluster.state_dir / "run"),
            secret_file=str(config.cluster.secret_file),
            bind="ipc" if is_loopback(config.cluster.bind) else config.cluster.bind,
            drills=drills,
        ),
        spare_hosts=config.cluster.spare_hosts,
        has_sandboxes=config.sandbox.places > 0,
    )


def blueprint_of(config: Config, access: VenueAccess | None = None) -> Blueprint:
    """Return what the machines are made from. `nhits@champion` becomes the version that it is now.

    A strategy of an agent is in it as the ladder approved it, or there is no blueprint.

    Raises
    ------
    UsageError, DataError, ConfigError, ModelError, AuthError, VenueError, LadderRefused
        As `plan_of`.
    """
    config = with_approved(config)
    blueprint = _as_configured(config)
    if blueprint.feed is None:
        return blueprint
    access = access or access_of(config)
    looked_back = _lookback(blueprint.strategies, blueprint.models)
    needed = max([looked_back, *(each.input_size for each in blueprint.forecasts)])
    return msgspec.structs.replace(
        at_real_venue(config, blueprint, needed, access),
        linked=tuple(_linked(each, blueprint, access) for each in accounts_of(config)[1:]),
    )


def _linked(config: Config, first: Blueprint, access: VenueAccess) -> Blueprint:
    """Return a further account: the limits of the first one, for whoever trades with that."""
    names = tuple(plan.strategy_id for plan in first.strategies)
    blueprint = msgspec.structs.replace(
        _as_configured(config), limits=first.limits, traders=names + first.traders
    )
    return at_real_venue(config, blueprint, 1, access)


def _as_configured(config: Config) -> Blueprint:
    """Return what is known before a venue was asked."""
    models = model_access(config)
    execution = config.execution
    return Blueprint(
        account_id=AccountId(config.account.account_id),
        venue=Venue(config.account.venue),
        initial_cash=config.account.initial_cash,
        replay=_replay_plan(config) if is_simulated(config) else None,
        feed=None if is_simulated(config) else feed_plan(config),
        capital=config.account.capital,
        strategies=tuple(
            StrategyPlan(
                strategy_id=StrategyId(name),
                kind=strategy.kind,
                capital=strategy.capital,
                params=strategy.params,
                forecaster=pinned(models, strategy.forecaster),
                signals=strategy.signals,
                on_failure=strategy.on_failure,
            )
            for name, strategy in config.strategies.items()
        ),
        limits=limits_of(config),
        assumptions=_assumptions(config),
        hours=ALWAYS_OPEN if config.risk.calendar == "none" else _hours(config),
        sectors=config.risk.sectors,
        forecasts=tuple(_forecast_plan(config, models, name) for name in config.forecasts),
        execution=None if execution.desk is None else ExecutionPlan(name=execution.desk),
        fees=VenueFees(maker_bps=execution.maker_bps, taker_bps=execution.taker_bps),
        traders=tuple(StrategyId(name) for name in execution.strategies),
        models=models,
    )


def _replay_plan(config: Config) -> ReplayPlan:
    pace = config.data.pace_slices_per_s
    return ReplayPlan(
        source=config.data.source,
        symbols=symbols_of(config.data.source, config.data.symbols),
        days=config.data.days,
        pace_ns=int(NANOS_PER_SECOND / pace) if pace else 0,
        settle_timeout_ns=int(config.data.settle_timeout_s * NANOS_PER_SECOND),
    )


def _lookback(strategies: tuple[StrategyPlan, ...], models: ModelAccess) -> int:
    """Return how many bars the strategies look back; a strategy that cannot be built is refused here."""
    build_forecaster = forecasters_of(models)
    built = (
        live_strategy(each.kind, each.params, each.forecaster, each.signals, build_forecaster)[0]
        for each in strategies
    )
    return max((strategy.lookback for strategy in built), default=1)


def _forecast_plan(config: Config, models: ModelAccess, name: str) -> ForecastPlan:
    """Return a source with the version that its model has now; a service resolves at every question.

    Raises
    ------
    ModelUnknown
        If the registry does not know the model.
    ConfigError
        If the model does not reach that far, or reads what a source cannot give it.
    """
    source = config.forecasts[name]
    manifest = models.manifest(source.model)
    if source.horizon_bars > manifest.horizon:
        raise ConfigError(
            f"forecasts.{name}.horizon_bars is {source.horizon_bars}; {manifest.reference} reaches "
            f"{manifest.horizon} bars."
        )
    if "sentiment" in manifest.features:
        raise ConfigError(
            f"forecasts.{name}: {manifest.reference} reads sentiment, which a source does not have; "
            "use it as the forecaster of a strategy that hears sentiment."
        )
    return ForecastPlan(
        name=name,
        model=source.model if source.url else manifest.reference,
        url=source.url,
        input_size=manifest.input_size,
        trained_until=manifest.data.last_ts,
        horizon_bars=source.horizon_bars,
        valid_bars=source.valid_bars,
        timeout_ns=int(source.timeout_ms * 1_000_000),
        expected=expectations_of(manifest, source.horizon_bars),
    )


def limits_of(config: Config) -> RiskLimits:
    """Return the risk limits as they are configured."""
    risk = config.risk
    same = {name: getattr(risk, name) for name in _SAME_NAMES}
    strategy_limit = risk.max_strategy_exposure
    return RiskLimits(
        **same,
        max_drawdown=risk.max_drawdown_ratio,
        breaker_cooldown_min=risk.cooldown_min,
        stop_loss=risk.stop_loss_ratio,
        trailing_stop=risk.trailing_stop_ratio,
        trailing_activation=risk.trailing_activation_ratio,
        take_profit=risk.take_profit_ratio,
        price_collar=risk.price_collar_ratio,
        max_concentration=risk.max_concentration_ratio,
        warn_at=risk.warn_at_ratio,
        restricted=tuple(_listed(symbol) for symbol in risk.restricted),
        symbols={
            _listed(symbol): SymbolLimits(located=units) for symbol, units in risk.located.items()
        },
        max_strategy_exposure={}
        if strategy_limit is None
        else {
            StrategyId(name): strategy_limit
            for name in (*config.strategies, *config.execution.strategies, OPERATOR)
        },
    )


_SAME_NAMES = tuple(
    name
    for name in RiskLimits.__struct_fields__
    if name in RiskConfig.model_fields and name not in {"restricted", "max_strategy_exposure"}
)


def _listed(symbol: str) -> InstrumentId:
    """A symbol, or an instrument_id as it is."""
    suffix = f".{LISTING}"
    return InstrumentId(symbol) if symbol.endswith(suffix) else instrument_id(symbol, LISTING)


def _hours(config: Config) -> MarketHours:
    """Return the sessions of the configured calendar, as far as they are known.

    Raises
    ------
    DataError
        If there is no such calendar.
    """
    from actors.storage.calendars import sessions_between

    first, last = _covered(config)
    found = sessions_between(config.risk.calendar, first, last)
    if found is None:
        return ALWAYS_OPEN
    return MarketHours(opens=tuple(found.opens.tolist()), closes=tuple(found.closes.tolist()))


def _covered(config: Config) -> tuple[int, int]:
    """Return the first and the last moment whose sessions are needed (ns UTC)."""
    if not is_simulated(config):
        now = time.time_ns()
        return now - SESSIONS_BEFORE_NS, now + SESSIONS_AFTER_NS
    prices = load_prices(config.data.source, symbols_of(config.data.source, config.data.symbols))
    return int(prices.ts[0]), int(prices.ts[-1])


def _assumptions(config: Config) -> Assumptions:
    exchange = config.exchange
    return Assumptions(
        liquidity=Liquidity(
            half_spread_bps=Decimal(repr(exchange.half_spread_bps)),
            levels=exchange.levels,
            depth=exchange.depth,
        ),
        fees=Fees(
            per_share=exchange.fee_per_share,
            maker_bps=exchange.fee_bps,
            taker_bps=exchange.fee_bps,
            minimum=exchange.fee_min,
        ),
        slippage=Slippage(bps=Decimal(repr(exchange.slippage_bps))),
        latency=Latency(fixed_ns=int(exchange.latency_ms * 1_000_000)),
        buying_power=BuyingPower(
            allow_short=exchange.allow_short, max_leverage=exchange.max_leverage
        ),
    )
