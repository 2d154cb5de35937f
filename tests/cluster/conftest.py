"""One simulated run for the tests of result, screen and report: real machines, real journal."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from actors.blueprint import Blueprint
from actors.check import compare
from actors.simulation.memory_journal import MemoryJournal
from actors.simulation.simulation import Simulation
from cluster.config import Config
from cluster.history import History, read_stream
from cluster.refusals import RefusalReader
from cluster.result import RunResult, result_of
from cluster.view import (
    ActorView,
    CheckView,
    ClusterSnapshot,
    Durations,
    LatencyView,
    Percentiles,
)
from trading.codec import encode
from trading.events import OrderDenied, OrderSubmitted
from trading.identifiers import (
    ClientOrderId,
    MachineName,
    StrategyId,
    StreamName,
    account_stream,
    machine_name,
)
from trading.machine import Machine
from trading.refusals import RefusalCode

DAYS = 40
SEED = 3
"""Fills that repeat and overtake each other."""
REASON = "The position would exceed max_notional_per_position. would_be=41000 limit=40000"


@dataclass(frozen=True)
class TradedRun:
    """A finished run, seen from all sides. Its last refusal is one of `RISK_MAX_NOTIONAL`."""

    blueprint: Blueprint
    journal: MemoryJournal
    config: Config
    history: History
    snapshot: ClusterSnapshot
    result: RunResult

    @property
    def ledger(self) -> Mapping[str, Any]:
        return self.snapshot.machines[self.blueprint.name("ledger")]


@pytest.fixture(scope="session")
def traded_run() -> TradedRun:
    simulation = Simulation(SEED, DAYS)
    simulation.run()
    blueprint = simulation.blueprint
    journal = MemoryJournal(simulation.disk)
    _refuse_one_more(simulation, journal)
    config = _config_of(blueprint)
    history = _history_of(blueprint, journal)
    snapshot = _snapshot_of(simulation, journal)
    return TradedRun(
        blueprint, journal, config, history, snapshot, result_of(config, snapshot, history)
    )


def _refuse_one_more(simulation: Simulation, journal: MemoryJournal) -> None:
    """Whatever the run itself led to: the strategy `trend` had an order refused at its end."""
    blueprint = simulation.blueprint
    account = account_stream(blueprint.venue, blueprint.account_id)
    orders = [f.order for f in read_stream(journal, account) if isinstance(f, OrderSubmitted)]
    order = msgspec.structs.replace(orders[-1], client_order_id=ClientOrderId("f" * 32))
    trend = _machine(simulation, machine_name("strategy", "trend"))
    denied = OrderDenied(
        ts_event=_machine(simulation, blueprint.name("replay")).view()["clock"],
        ts_init=simulation.bus.now + 1,
        client_order_id=order.client_order_id,
        strategy_id=StrategyId("trend"),
        instrument_id=order.instrument_id,
        code=str(RefusalCode.RISK_MAX_NOTIONAL),
        reason=REASON,
        order=order,
    )
    stream = StreamName(trend.name)
    journal.append(stream, journal.epoch(stream), [encode(denied)], denied.ts_init)
    trend.apply(denied)


def _machine(simulation: Simulation, name: MachineName) -> Machine:
    machine = simulation.bus.machine(name)
    assert machine is not None
    return machine


def _config_of(blueprint: Blueprint) -> Config:
    return Config.model_validate(
        {
            "account": {
                "account_id": blueprint.account_id,
                "initial_cash": blueprint.initial_cash,
            },
            "data": {"days": DAYS, "symbols": blueprint.replay.symbols},
            "strategies": {
                plan.strategy_id: {"kind": plan.kind, "capital": plan.capital}
                for plan in blueprint.strategies
            },
        }
    )


def _history_of(blueprint: Blueprint, journal: MemoryJournal) -> History:
    deciders = [blueprint.name("risk")]
    deciders += [machine_name("strategy", plan.strategy_id) for plan in blueprint.strategies]
    account = account_stream(blueprint.venue, blueprint.account_id)
    return History(
        account=tuple(read_stream(journal, account)),
        ledger=tuple(read_stream(journal, StreamName(blueprint.name("ledger")))),
        decisions=tuple(
            fact for name in deciders for fact in read_stream(journal, StreamName(name))
        ),
    )


def _snapshot_of(simulation: Simulation, journal: MemoryJournal) -> ClusterSnapshot:
    blueprint = simulation.blueprint
    views = {str(name): _machine(simulation, name).view() for name in blueprint.machines()}
    replay = views[blueprint.name("replay")]
    found = compare(blueprint, journal, views[blueprint.name("ledger")])
    return ClusterSnapshot(
        name="demo",
        mode="paper",
        pace=8.0,
        clock_ns=replay["clock"],
        sequence=replay["sequence"],
        first=replay["first"],
        last=replay["last"],
        finished=True,
        machines=views,
        refusals=RefusalReader(journal, blueprint).poll(),
        actors=_ACTORS,
        latency_us=LatencyView(tick_to_order=Percentiles(p50=312.0, p99=3980.0)),
        seconds=Durations(start=6.5, run=31.0),
        check=CheckView(
            duplicates=found.duplicates,
            lost=found.lost,
            position_difference=found.position_difference,
            cash_difference=Decimal(found.cash_difference),
        ),
    )


_ACTORS = (
    ActorView(name="supervisor", pid=41210, node="a1b2c3d4", restarts=0, messages=120),
    ActorView(
        name="lane",
        pid=41221,
        node="a1b2c3d4",
        restarts=2,
        messages=24690,
        machines=(machine_name("risk", "SIM"), machine_name("book", "paper")),
    ),
    ActorView(name="broker", pid=0, node="", restarts=1, messages=0, alive=False),
)
