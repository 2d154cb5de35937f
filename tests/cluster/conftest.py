"""One simulated run for the tests of result, screen and report: real machines, real journal."""

from dataclasses import dataclass
from decimal import Decimal

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
from trading.identifiers import StreamName, account_stream, machine_name

DAYS = 40
SEED = 3
"""Fills that repeat and overtake each other, and orders that risk refuses."""


@dataclass(frozen=True)
class TradedRun:
    """A finished run, seen from all sides."""

    blueprint: Blueprint
    journal: MemoryJournal
    config: Config
    history: History
    snapshot: ClusterSnapshot
    result: RunResult


@pytest.fixture(scope="session")
def traded_run() -> TradedRun:
    simulation = Simulation(SEED, DAYS)
    simulation.run()
    blueprint = simulation.blueprint
    journal = MemoryJournal(simulation.disk)
    config = _config_of(blueprint)
    history = _history_of(blueprint, journal)
    snapshot = _snapshot_of(simulation, journal)
    return TradedRun(
        blueprint, journal, config, history, snapshot, result_of(config, snapshot, history)
    )


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
    views = {}
    for name in blueprint.machines():
        machine = simulation.bus.machine(name)
        assert machine is not None
        views[str(name)] = machine.view()
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
