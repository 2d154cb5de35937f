"""The commands as a person runs them, a cluster of plain objects, and one simulated run."""

import io
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors.blueprint import Blueprint
from actors.check import compare
from actors.journal.open import open_journal
from actors.simulation.memory_journal import MemoryJournal
from actors.simulation.simulation import Simulation
from cluster import client, launch, ray_runtime, report
from cluster.cli import main, run
from cluster.config import Config
from cluster.history import History, read_stream
from cluster.refusals import RefusalReader
from cluster.result import RunResult, result_of
from serve.desk.view import (
    ActorView,
    CheckView,
    ClusterSnapshot,
    Durations,
    LatencyView,
    Percentiles,
    VenueKillReport,
)
from trading.codec import encode
from trading.commands import SubmitOrder
from trading.errors import ClusterUnreachable
from trading.events import OrderAccepted, OrderDenied, OrderFilled, OrderSubmitted
from trading.identifiers import (
    AccountId,
    ClientOrderId,
    InstrumentId,
    MachineName,
    StrategyId,
    StreamName,
    TradeId,
    Venue,
    VenueOrderId,
    account_stream,
    machine_name,
)
from trading.machine import Machine
from trading.refusals import RefusalCode
from trading.values import OrderSide

DAYS = 40
SEED = 3
"""Fills that repeat and overtake each other."""
CLEAN = CheckView(
    duplicates=0, lost=0, position_difference=Decimal(0), cash_difference=Decimal("0.00")
)
ORDER: dict[str, Any] = {
    "client_order_id": "a" * 32,
    "strategy_id": "momentum",
    "instrument_id": "AAPL.XNAS",
    "side": "BUY",
    "quantity": Decimal(10),
    "filled_qty": Decimal(10),
    "avg_px": Decimal("100.5"),
    "status": "FILLED",
    "code": "",
    "purpose": "target",
    "ts_last": 1_700_000_000_000_000_000,
}
FILL: dict[str, Any] = {
    "ts_event": 1_600_000_000_000_000_000,
    "strategy_id": "momentum",
    "instrument_id": "AAPL.XNAS",
    "side": "BUY",
    "quantity": Decimal(10),
    "price": Decimal("100.5"),
    "commission": Decimal(1),
    "realized_pnl": Decimal(0),
    "purpose": "target",
    "trade_id": "T1",
}
POSITION: dict[str, Any] = {
    "instrument_id": "AAPL.XNAS",
    "quantity": Decimal(10),
    "avg_px": Decimal("100.5"),
    "last_px": Decimal(101),
    "value": Decimal(1010),
    "unrealized_pnl": Decimal(5),
    "realized_pnl": Decimal(0),
}
MACHINES: dict[str, Any] = {
    "broker:paper:DEMO": {
        "sequence": 3,
        "open_orders": [
            ORDER | {"client_order_id": "b" * 32, "status": "ACCEPTED", "filled_qty": Decimal(0)}
        ],
        "kill": {"is_latched": False},
    },
    "ledger:DEMO": {
        "equity": Decimal(1_000_004),
        "cash": Decimal(998_994),
        "drawdown": 0.01,
        "positions": [POSITION],
        "recent_orders": [ORDER],
        "recent_fills": [FILL],
        "orders": {"submitted": 2, "filled": 1, "denied": {"RISK_MAX_SHARES": 3}},
    },
    "risk:DEMO": {"state": "ACTIVE", "reason": ""},
    "replay:prices": {"finished": True},
}
ACTORS = (ActorView(name="lane", pid=42, node="abc", restarts=1, messages=9),)
UNFINISHED = ClusterSnapshot(
    clock_ns=1_600_000_000_000_000_000,
    sequence=11,
    first=10,
    last=12,
    machines=MACHINES,
    actors=ACTORS,
)
REASON = "The position would exceed max_notional_per_position. would_be=41000 limit=40000"


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home and working folder of a person without configuration, state or terminal."""
    for name in list(os.environ):
        if name.upper().startswith(("TRADER_", "RAY_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    return tmp_path


@pytest.fixture
def state(home: Path) -> Path:
    """The state folder of the cluster that is configured by default."""
    return home / ".local/state/neural-trader/demo"


@pytest.fixture
def trader(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ended]:
    """Run one command of `trader` in this process, up to its exit code."""

    def call(*words: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["trader", *words])
        with pytest.raises(SystemExit) as caught:
            main.main()
        code = caught.value.code
        assert code is None or isinstance(code, int)
        return Ended(int(code or 0), *capsys.readouterr())

    return call


@pytest.fixture
def unfinished() -> ClusterSnapshot:
    """A cluster in the middle of its replay."""
    return UNFINISHED


@pytest.fixture
def finished() -> ClusterSnapshot:
    """The same at the end, with clean books."""
    return msgspec.structs.replace(UNFINISHED, sequence=12, finished=True, check=CLEAN)


class FakeCluster:
    """A `ClusterView` that shows given snapshots, the last one for ever."""

    def __init__(self, *snapshots: ClusterSnapshot | BaseException) -> None:
        self.snapshots = list(snapshots)
        self.is_stopped = False
        self.kills: list[tuple[str, bool]] = []
        self.resets: list[str] = []
        self.reached = True

    def snapshot(self) -> ClusterSnapshot:
        shown = self.snapshots.pop(0) if len(self.snapshots) > 1 else self.snapshots[0]
        if isinstance(shown, BaseException):
            raise shown
        return shown

    def kill(self, *, reason: str, flatten: bool) -> list[VenueKillReport]:
        self.kills.append((reason, flatten))
        return [VenueKillReport(venue=Venue("paper"), reached=self.reached)]

    def reset_kill(self, reason: str) -> None:
        self.resets.append(reason)

    def stop(self) -> None:
        self.is_stopped = True


@pytest.fixture
def no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """No command finds a cluster."""

    def unreachable(_: Config) -> None:
        raise ClusterUnreachable("nothing answers")

    monkeypatch.setattr(client, "connect", unreachable)
    monkeypatch.setattr(ray_runtime, "stop_head", lambda _: 0)


@pytest.fixture
def cluster(finished: ClusterSnapshot, monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    """The cluster that every command finds."""
    found = FakeCluster(finished)
    monkeypatch.setattr(client, "connect", lambda _: found)
    monkeypatch.setattr(ray_runtime, "stop_head", lambda _: 4)
    return found


class Started:
    """What `launch.start` was called with."""

    config: Config
    is_detached: bool


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, cluster: FakeCluster) -> Started:
    call = Started()
    monkeypatch.setattr(run, "POLL_INTERVAL_S", 0.0)

    def start(config: Config, *, detached: bool = False) -> FakeCluster:
        call.config, call.is_detached = config, detached
        open_journal(config.cluster.journal).close()
        return cluster

    def write(_: object, path: Path) -> Path:
        path.write_text("<html>", encoding="utf-8")
        return path

    monkeypatch.setattr(launch, "start", start)
    monkeypatch.setattr(report, "write_report", write)
    return call


@pytest.fixture
def write_orders() -> Callable[[Config], None]:
    """Return a function that journals one order, which is accepted and then filled by half."""
    return _write_orders


def _write_orders(config: Config) -> None:
    key, strategy = ClientOrderId("c" * 32), StrategyId("pairs")
    instrument, number = InstrumentId("KO.XNAS"), VenueOrderId("V1")
    about: dict[str, Any] = {
        "client_order_id": key,
        "strategy_id": strategy,
        "instrument_id": instrument,
    }
    order = SubmitOrder(
        **about, account_id=AccountId("DEMO"), side=OrderSide.BUY, quantity=Decimal(8)
    )
    facts = [
        OrderSubmitted(**about, order=order, epoch=1, ts_init=1),
        OrderAccepted(**about, venue_order_id=number, ts_init=2),
        OrderFilled(
            **about,
            venue_order_id=number,
            trade_id=TradeId("T9"),
            side=OrderSide.BUY,
            last_qty=Decimal(4),
            last_px=Decimal("50.25"),
            commission=Decimal(1),
            ts_event=5,
            ts_init=3,
        ),
    ]
    journal = open_journal(config.cluster.journal)
    stream = StreamName("account:paper:DEMO")
    journal.append(stream, journal.acquire(stream, "test"), [encode(fact) for fact in facts], 9)
    journal.close()


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
