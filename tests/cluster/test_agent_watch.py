"""While a cluster runs, who breaks its budget goes down and may open nothing more."""

import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from actors.journal.open import open_journal
from cluster import agent_watch
from cluster.agent_ladder import AgentLadder, open_ladder
from cluster.agent_results import NOTHING, follow, kill_of
from cluster.agent_watch import AgentWatch
from cluster.config import Config, load_config
from cluster.launch import plan_of
from cluster.topology import ClusterPlan
from tests.cluster.test_agent_ladder import limits, mark, write_marks
from tests.trading.ladder.story import NAME, SUBMITTED, moved
from trading.events import AgentEvent
from trading.identifiers import StreamName
from trading.ladder.record import AgentRecord
from trading.ladder.standing import MoveCode, Standing

HANDED_IN = replace(SUBMITTED, source="LOOKBACK = 1\ndef targets(bars): ...\n", parameters="{}")


@pytest.fixture
def config(home: Path) -> Config:
    own = {
        name: {"capital": 0.1} for name in ("momentum", "mean_reversion", "pairs", "neural_trend")
    }
    return load_config(None, {"strategies": {**own, NAME: {"kind": "agent", "capital": 0.5}}})


@pytest.fixture
def ladder(config: Config) -> Iterator[AgentLadder]:
    with open_ladder(config) as opened:
        yield opened


@pytest.fixture
def plan(config: Config, ladder: AgentLadder) -> ClusterPlan:
    put(ladder, HANDED_IN, moved(Standing.PAPER))
    own = {NAME: config.strategies[NAME]}
    return plan_of(config.model_copy(update={"strategies": own}), {})


def put(ladder: AgentLadder, *facts: AgentEvent) -> AgentRecord:
    return ladder.append(NAME, lambda *_: facts)


def lose(config: Config, ladder: AgentLadder, share: str) -> None:
    """Write a mark with a loss of that share of what the strategy was given."""
    since = ladder.record(NAME).since
    assert since is not None
    given = config.account.initial_cash / 2
    write_marks(config, mark(-int(given * Decimal(share)), 2, since.ts_init + 1))


def test_loss_within_the_budget_is_not_even_journalled(
    plan: ClusterPlan, ladder: AgentLadder, config: Config
) -> None:
    lose(config, ladder, "0.04")
    before = ladder.record(NAME)

    AgentWatch(plan).look()

    assert ladder.record(NAME) == before
    assert limits(config) == []


def test_loss_beyond_the_budget_takes_it_down_at_once_and_the_risk_manager_is_told(
    plan: ClusterPlan, ladder: AgentLadder, config: Config
) -> None:
    lose(config, ladder, "0.06")
    watch = AgentWatch(plan)

    watch.look()

    found = ladder.record(NAME)
    assert found.since is not None
    assert (found.standing, found.since.code) == (Standing.CANDIDATE, MoveCode.LOSS_BUDGET)
    (change,) = limits(config)
    assert (change.name, change.value) == (f"max_strategy_exposure.{NAME}", NOTHING)
    assert "6.00% of its capital" in change.reason


def test_marks_of_one_run_are_the_same_whoever_reads_them(
    plan: ClusterPlan, ladder: AgentLadder, config: Config
) -> None:
    """Else a loss would count twice."""
    lose(config, ladder, "0.04")
    watched = AgentWatch(plan)
    told = follow(config, ladder, NAME)

    watched.look()

    assert ladder.record(NAME) == told
    assert told.standing is Standing.PAPER


def test_later_marks_are_added_to_those_that_were_read(
    plan: ClusterPlan, ladder: AgentLadder, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose(config, ladder, "0.04")
    over, looked = threading.Event(), threading.Event()
    monkeypatch.setattr(agent_watch, "LOOK_INTERVAL_S", 0.01)
    real = agent_watch._Look.once

    def once(look: agent_watch._Look) -> None:
        real(look)
        looked.set()

    monkeypatch.setattr(agent_watch._Look, "once", once)
    thread = threading.Thread(target=AgentWatch(plan).run, args=(over,))
    thread.start()
    try:
        assert looked.wait(30)
        lose(config, ladder, "0.07")
        while ladder.record(NAME).standing is Standing.PAPER:
            looked.clear()
            assert looked.wait(30)
    finally:
        over.set()
        thread.join()
    assert len(limits(config)) == 1


def test_kills_that_were_told_to_the_ladder_bar_it_too(
    plan: ClusterPlan, ladder: AgentLadder, config: Config
) -> None:
    for _ in range(3):
        put(ladder, kill_of(NAME, "aa", "SANDBOX_TIMEOUT", "late"))

    AgentWatch(plan).look()

    (change,) = limits(config)
    assert change.value == NOTHING
    assert change.reason.startswith("quarantined: its sandbox was killed 3 times")


def test_ladder_that_cannot_be_read_does_not_end_the_watch(
    plan: ClusterPlan, ladder: AgentLadder, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()
    tries: list[int] = []

    def broken(*_: object) -> None:
        tries.append(1)
        if len(tries) > 2:
            over.set()
        raise agent_watch.TradingError("gone")

    monkeypatch.setattr(agent_watch, "LOOK_INTERVAL_S", 0.01)
    monkeypatch.setattr(agent_watch, "open_journal", broken)

    AgentWatch(plan).run(over)

    assert len(tries) == 3


def test_cluster_without_agents_is_not_watched(config: Config) -> None:
    own = {name: each for name, each in config.strategies.items() if name == "momentum"}
    plan = plan_of(config.model_copy(update={"strategies": own}), {})

    AgentWatch(plan).run(threading.Event())

    journal = open_journal(config.cluster.journal)
    assert StreamName("limits:DEMO") not in journal.streams()
    journal.close()
