"""One simulated run: the whole path from replay to exchange, with the faults of one seed.

The machines and the runner are the ones that trade. Simulated are the clock, the wires, the disk and
the deaths. Every run ends in a calm phase in which nothing goes wrong any more; then our record and
the exchange's must agree, and a second restart must change nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

import msgspec
import numpy as np

from actors.blueprint import Blueprint, ReplayPlan, StrategyPlan, build
from actors.check import Comparison, compare
from actors.feeds.sources import PriceTable, load_prices
from actors.local_bus import LocalBus
from actors.runner import Runner
from actors.simulation.memory_journal import Disk, MemoryJournal
from actors.simulation.mischief import KILL_GRACE_NS, Mischief
from actors.simulation.seeded_faults import PROFILES, Profile, SeededFaults
from actors.simulation.simulated_model import SimulatedModel
from trading.codec import decode
from trading.commands import SubmitOrder
from trading.events import Event, OrderRejected, OrderSubmitted
from trading.exchange.exchange import SimulatedExchange
from trading.exchange.faults import FaultPlan, FaultyExchange, RequestFault
from trading.identifiers import (
    AccountId,
    MachineName,
    StrategyId,
    StreamName,
    account_stream,
    machine_kind,
)
from trading.machine import Machine
from trading.risk.limits import RiskLimits
from trading.strategies.strategy import Strategy
from trading.values import NANOS_PER_SECOND, OrderStatus

SECRET = b"simulated secret, known to all.."
SYMBOLS = ("AAPL", "BAC", "JNJ", "KO", "MSFT", "XOM")
START_NS = 1_700_000_000 * NANOS_PER_SECOND
PACE_NS = NANOS_PER_SECOND // 20
SETTLE_NS = NANOS_PER_SECOND // 2
CALM_NS = 15 * NANOS_PER_SECOND
RUN_LIMIT_NS = 600 * NANOS_PER_SECOND


@dataclass(frozen=True, slots=True)
class SimulationReport:
    """What one seed led to. `problems` is empty when every promise held."""

    seed: int
    profile: str
    comparison: Comparison
    problems: tuple[str, ...]
    crashes: int
    orders: int
    fills: int
    events: int
    state_hash: str
    story: tuple[str, ...]

    @property
    def is_clean(self) -> bool:
        return not self.problems


@lru_cache(maxsize=1)
def _prices() -> PriceTable:
    return load_prices("sp500", SYMBOLS)


def blueprint_for(seed: int, days: int) -> Blueprint:
    """Return a small account whose strategies trade often, with the faults of the venue for `seed`."""
    profile = PROFILES[seed % len(PROFILES)]
    plan = None
    if profile.bad_gateway:
        plan = FaultPlan(
            seed=seed,
            requests=dict.fromkeys(RequestFault, 0.04),
            duplicate_fills=0.3,
            reorder_fills=0.2,
            fills_before_reply=0.3,
            mute=0.05,
        )
    base = Blueprint(
        account_id=AccountId("SIM"),
        initial_cash=Decimal(100_000),
        replay=ReplayPlan(
            source="sp500", symbols=SYMBOLS, days=days, pace_ns=PACE_NS, settle_timeout_ns=SETTLE_NS
        ),
        strategies=(
            StrategyPlan(
                strategy_id=StrategyId("reversion"),
                kind="mean_reversion",
                capital=Decimal("0.5"),
            ),
            StrategyPlan(strategy_id=StrategyId("trend"), kind="momentum", capital=Decimal("0.5")),
        ),
        limits=RiskLimits(
            max_shares=Decimal(5_000),
            max_notional_per_position=Decimal(40_000),
            max_total_exposure=Decimal(150_000),
            max_open_positions=6,
            max_loss_per_trade=Decimal(5_000),
            max_daily_loss=Decimal(50_000),
            take_profit=Decimal("0.2"),
            max_order_value=Decimal(40_000),
            price_collar=Decimal("0.1"),
            max_open_orders=40,
            max_gross_leverage=Decimal("1.4"),
            max_net_leverage=Decimal("1.3"),
            max_concentration=Decimal("0.4"),
            max_group_exposure={"currency:USD": Decimal(140_000)},
            max_value_at_risk=Decimal(8_000),
            max_correlated_exposure=Decimal(120_000),
            max_reject_rate=Decimal("0.9"),
            max_slippage_bps=Decimal(500),
            max_strategy_daily_loss=Decimal(30_000),
            flatten_at=Decimal("1.5"),
        ),
    )
    if plan is None:
        return base
    return msgspec.structs.replace(
        base, assumptions=msgspec.structs.replace(base.assumptions, faults=plan)
    )


class Simulation:
    """Builds the hosts of one blueprint on a LocalBus: one host per machine.

    Parameters
    ----------
    profile : Profile or None
        What goes wrong; None takes the one of the seed.
    blueprint : Blueprint or None
        What trades; None takes `blueprint_for`.
    strategies : mapping of StrategyId to Strategy
        Strategies that are there already; the others are built by name.
    """

    def __init__(
        self,
        seed: int,
        days: int = 40,
        *,
        profile: Profile | None = None,
        blueprint: Blueprint | None = None,
        strategies: Mapping[StrategyId, Strategy] | None = None,
    ) -> None:
        self.seed = seed
        self.blueprint = blueprint or blueprint_for(seed, days)
        self._strategies = strategies
        self.disk = Disk(ample=frozenset({StreamName(self.blueprint.name("exchange"))}))
        names = self.blueprint.machines()
        profile = profile or PROFILES[seed % len(PROFILES)]
        self.faults = SeededFaults(
            profile, seed, {str(name): (machine_kind(name),) for name in names}
        )
        self.bus = LocalBus(START_NS, self.faults)
        self.bus.answer = SimulatedModel(self.faults).answer
        for name in names:
            self.bus.add_host(str(name), frozenset({name}), self._runner_maker(name))
        self.mischief = Mischief(
            profile,
            np.random.default_rng([seed, 2]),
            self.bus,
            self.disk,
            self.blueprint,
            SECRET,
        )

    def run(self) -> SimulationReport:
        """Trade the whole replay under faults, calm down, restart everything once, and judge."""
        self.bus.start()
        self.mischief.start()
        problems: list[str] = []
        if not self.bus.run(self._is_replayed, RUN_LIMIT_NS):
            problems.append("the replay did not come to its end")
        self._calm_down()
        problems += self._judge()
        working = self._working_orders()
        self._restart_everything()
        problems += self._judge()
        if not working <= self._working_orders() | self._ended_orders():
            problems.append("a restart lost a working order")
        ledger = self._machine("ledger").view()
        comparison = compare(self.blueprint, MemoryJournal(self.disk), ledger)
        if not comparison.is_clean:
            problems.append(f"the books differ: {comparison}")
        broker = self._machine("broker").view()
        return SimulationReport(
            seed=self.seed,
            profile=self.faults.profile.name,
            comparison=comparison,
            problems=tuple(dict.fromkeys(problems)),
            crashes=self.faults.crash_count,
            orders=sum(broker["orders_by_status"].values()),
            fills=len(self._exchange().fills(self.blueprint.account_id)),
            events=self.bus.events_handled,
            state_hash="/".join(self._hashes().values()),
            story=tuple(self.faults.story),
        )

    # -- pieces

    def _runner_maker(self, name: MachineName) -> Callable[[], Runner]:
        factory = build(self.blueprint, name, SECRET, _prices(), self._strategies)
        host = str(name)

        def make() -> Runner:
            journal = MemoryJournal(
                self.disk,
                crash_before=lambda _: self.faults.crashes(host, "before_append"),
                crash_after=lambda _: self.faults.crashes(host, "after_append"),
            )
            return Runner({name: factory}, journal, holder="simulation")

        return make

    def _is_replayed(self) -> bool:
        replay = self.bus.machine(self.blueprint.name("replay"))
        return replay is not None and bool(replay.view()["finished"])

    def _calm_down(self) -> None:
        self.faults.is_calm = True
        self.mischief.stop()
        self.bus.run(lambda: False, CALM_NS)

    def _restart_everything(self) -> None:
        for host in list(self.bus.hosts):
            self.bus.crash(host, restart_after_ns=1_000_000)
        self.bus.run(lambda: False, CALM_NS)

    def _machine(self, kind: str) -> Machine:
        machine = self.bus.machine(self.blueprint.name(kind))
        assert machine is not None, f"{kind} is down in the calm phase"
        return machine

    def _exchange(self) -> SimulatedExchange:
        exchange = self._machine("exchange")
        if isinstance(exchange, FaultyExchange):
            return exchange.exchange
        assert isinstance(exchange, SimulatedExchange)
        return exchange

    def _hashes(self) -> dict[MachineName, str]:
        """Return the hash of every machine's durable state."""
        machines = {name: self.bus.machine(name) for name in self.blueprint.machines()}
        return {name: one.state_hash() for name, one in machines.items() if one and one.stream}

    def _working_orders(self) -> set[str]:
        return {str(o["client_order_id"]) for o in self._machine("broker").view()["open_orders"]}

    def _ended_orders(self) -> set[str]:
        orders = self._exchange().orders(self.blueprint.account_id)
        return {o.client_order_id for o in orders if o.status.is_terminal}

    # -- judgement

    def _judge(self) -> list[str]:
        """Return every broken promise that the books alone do not show."""
        broker = self._machine("broker").view()
        problems = [
            f"broker: {key} is {broker[key]}"
            for key in ("ambiguous", "overfilled", "mismatches", "contradictions")
            if broker[key]
        ]
        if not broker["is_ready"]:
            problems.append("the broker is not ready in calm weather")
        if not self._machine("risk").view()["ready"]:
            problems.append("risk is not ready in calm weather")
        problems += self._unlike_their_journal()
        problems += self._false_words()
        problems += self._orders_after_the_kill()
        orders = {o.client_order_id for o in self._exchange().orders(self.blueprint.account_id)}
        problems += [f"forged order {key} was sent" for key in orders & self.mischief.forged]
        return problems

    def _unlike_their_journal(self) -> list[str]:
        """A machine is what its journal says: folding it again gives the same state."""
        journal = MemoryJournal(self.disk)
        problems = []
        for name in self.blueprint.machines():
            living = self.bus.machine(name)
            assert living is not None, f"{name} is down in calm weather"
            living.validate()
            if living.stream is None:
                continue
            again = build(self.blueprint, name, SECRET, _prices(), self._strategies)()
            for stream in (living.stream, *living.follows):
                for record in journal.read(stream):
                    event = decode(record.payload)
                    assert isinstance(event, Event)
                    again.apply(event)
            if again.state_hash() != living.state_hash():
                problems.append(f"{name} is not what its journal says")
        return problems

    def _false_words(self) -> list[str]:
        """What the venue has must have been journalled first, and may not count as refused here."""
        stream = account_stream(self.blueprint.venue, self.blueprint.account_id)
        events = [decode(record.payload) for record in MemoryJournal(self.disk).read(stream)]
        journalled = {e.client_order_id for e in events if isinstance(e, OrderSubmitted)}
        rejected = {e.client_order_id for e in events if isinstance(e, OrderRejected)}
        orders = self._exchange().orders(self.blueprint.account_id)
        taken = {o.client_order_id for o in orders if o.status is not OrderStatus.REJECTED}
        return [
            *(f"{key} was sent and never journalled" for key in sorted(taken - journalled)),
            *(
                f"{key} was taken by the venue and rejected by us"
                for key in sorted(taken & rejected)
            ),
        ]

    def _orders_after_the_kill(self) -> list[str]:
        if self.mischief.killed_at is None:
            return []
        deadline = self.mischief.killed_at + KILL_GRACE_NS
        return [
            f"order {record.client_order_id} reached the venue after the kill switch"
            for order in self._exchange().orders(self.blueprint.account_id)
            for record in self._exchange().requests_for(order.client_order_id)
            if record.kind == "SubmitOrder"
            and record.ts_init > deadline
            and _purpose(record.payload) != "flatten"
        ]


def _purpose(payload: bytes) -> str:
    order = decode(payload)
    assert isinstance(order, SubmitOrder)
    return order.purpose


def replay_seed(seed: int, days: int = 40) -> SimulationReport:
    """Run one seed from scratch; the same seed gives the same run, to the last hash."""
    return Simulation(seed, days).run()
