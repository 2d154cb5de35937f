"""The ladder in a real journal: who writes at once, who forges, and what the cluster makes of results."""

import sqlite3
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from actors.journal.open import open_journal
from cluster.agent_ladder import AgentLadder, open_ladder
from cluster.agent_results import NOTHING, follow, kill_of
from cluster.cli.folders import with_fresh_folder
from cluster.config import Config, load_config
from tests.trading.ladder.story import ALL_PASSED, NAME, SUBMITTED, marked, moved
from trading.codec import decode, encode
from trading.errors import JournalCorrupt, JournalError
from trading.events import AgentEvent, EquityMarked, LimitChanged
from trading.identifiers import AccountId, StrategyId, StreamName
from trading.ladder.record import AgentRecord, agent_stream
from trading.ladder.signatures import ladder_key
from trading.ladder.standing import MoveCode, Standing

DAY_NS = 86_400 * 10**9


@pytest.fixture
def config(home: Path) -> Config:
    return load_config(None, {})


@pytest.fixture
def ladder(config: Config) -> Iterator[AgentLadder]:
    with open_ladder(config) as opened:
        yield opened


def put(ladder: AgentLadder, *facts: AgentEvent) -> AgentRecord:
    return ladder.append(NAME, lambda *_: facts)


def test_facts_are_numbered_signed_and_read_back(ladder: AgentLadder) -> None:
    found = put(ladder, SUBMITTED, *ALL_PASSED)

    assert found == ladder.record(NAME)
    assert [fact.number for fact in ladder.facts(NAME)] == list(range(1, 8))
    assert all(fact.signature and fact.ts_init for fact in ladder.facts(NAME))
    assert ladder.names() == (NAME,)


def test_breach_is_journalled_with_the_fact_that_made_it(ladder: AgentLadder) -> None:
    put(ladder, SUBMITTED, *ALL_PASSED, moved(Standing.PAPER))

    found = put(ladder, marked(-51))

    assert found.standing is Standing.CANDIDATE
    assert found.since is not None
    assert (found.since.code, found.since.actor) == (MoveCode.LOSS_BUDGET, "ladder")
    assert ladder.record(NAME) == found


def test_who_decided_on_an_old_record_looks_again(ladder: AgentLadder, config: Config) -> None:
    put(ladder, SUBMITTED)
    seen: list[int] = []

    def decide(record: AgentRecord, _: int) -> list[AgentEvent]:
        seen.append(record.number)
        if len(seen) == 1:
            with open_ladder(config) as other:
                put(other, ALL_PASSED[0])
        return [ALL_PASSED[1]]

    found = ladder.append(NAME, decide)

    assert seen == [1, 2]
    assert found.number == 3
    assert len(found.verdicts) == 2


def test_who_is_overtaken_for_ever_gives_up(ladder: AgentLadder, config: Config) -> None:
    def decide(*_: object) -> list[AgentEvent]:
        with open_ladder(config) as other:
            put(other, ALL_PASSED[0])
        return [ALL_PASSED[1]]

    with pytest.raises(JournalError, match="moved on"):
        ladder.append(NAME, decide)


def test_ladder_is_beside_the_journal_and_makes_it_no_newer(
    ladder: AgentLadder, config: Config
) -> None:
    """The journal that was written last is taken for that of the newest run."""
    put(ladder, SUBMITTED)

    assert not (config.cluster.state_dir / "journal").exists()
    on_server = load_config(None, {"cluster": {"journal": "redis://host:1/0"}})
    assert on_server.cluster.ladder == "redis://host:1/0"


def test_password_of_its_server_is_shown_to_nobody(
    trader: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADER_CLUSTER__JOURNAL", "redis://user:canary@host/0")

    shown = trader("config", "show")

    assert "cluster.ladder" in shown.out
    assert "canary" not in shown.out + shown.err + repr(load_config(None, {}))
    monkeypatch.setenv("TRADER_CLUSTER__LADDER", "http://user:canary@host")
    assert "canary" not in trader("config", "show").err


def test_run_with_a_folder_of_its_own_keeps_the_ladder_and_the_sandboxes(config: Config) -> None:
    fresh = with_fresh_folder(config, 1)

    assert fresh.cluster.journal != config.cluster.journal
    assert fresh.cluster.ladder == config.cluster.ladder
    assert fresh.cluster.sandbox_dir == config.cluster.sandbox_dir


def test_fact_of_another_key_is_not_believed_though_the_chain_holds(
    ladder: AgentLadder, config: Config
) -> None:
    put(ladder, SUBMITTED)
    forger = AgentLadder(open_journal(config.cluster.ladder), ladder_key(b"x" * 32))
    with forger, pytest.raises(JournalCorrupt):
        put(forger, *ALL_PASSED)
    journal = open_journal(config.cluster.ladder)
    stream = agent_stream(NAME)
    forged = replace(moved(Standing.LIVE), number=2, signature="00")
    journal.append(stream, journal.acquire(stream, "me"), [encode(forged)], 5)
    journal.close()

    with pytest.raises(JournalCorrupt, match="does not bear the signature"):
        ladder.record(NAME)


def test_record_changed_on_the_disk_is_found(ladder: AgentLadder, config: Config) -> None:
    put(ladder, SUBMITTED, ALL_PASSED[0])
    folder = config.cluster.state_dir / "agents"
    (file,) = (path for path in folder.rglob("*") if path.suffix in (".db", ".sqlite", ".sqlite3"))
    with sqlite3.connect(file) as store:
        (table,) = (
            name
            for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if "payload" in {row[1] for row in store.execute(f"PRAGMA table_info({name})")}
        )
        store.execute(
            f"UPDATE {table} SET payload = replace(payload, 'seen', 'sein') WHERE seq = 2"
        )

    with pytest.raises(JournalCorrupt):
        ladder.record(NAME)


# -- results


def mark(profit: int, day: int, at: int) -> EquityMarked:
    return EquityMarked(
        ts_event=day * DAY_NS,
        ts_init=at,
        account_id=AccountId("DEMO"),
        sequence=day,
        equity=Decimal(0),
        cash=Decimal(0),
        gross=Decimal(0),
        net=Decimal(0),
        by_strategy=((StrategyId(NAME), Decimal(profit), Decimal(0)),),
    )


def write_marks(config: Config, *marks: EquityMarked) -> None:
    journal = open_journal(config.cluster.journal)
    stream = StreamName("ledger:DEMO")
    journal.append(stream, journal.acquire(stream, "test"), [encode(each) for each in marks], 9)
    journal.close()


def limits(config: Config) -> list[LimitChanged]:
    journal = open_journal(config.cluster.journal)
    try:
        found = [decode(each.payload) for each in journal.read(StreamName("limits:DEMO"))]
    finally:
        journal.close()
    assert all(isinstance(each, LimitChanged) for each in found)
    return found  # type: ignore[return-value]


def test_results_count_from_the_promotion_on(ladder: AgentLadder, config: Config) -> None:
    promotion = put(ladder, SUBMITTED, *ALL_PASSED, moved(Standing.PAPER)).since
    assert promotion is not None
    late, today = promotion.ts_init + 1, promotion.ts_init // DAY_NS + 1
    write_marks(
        config,
        mark(-900, 1, 5),
        mark(-800, today, late),
        mark(-750, today + 1, late),
        mark(-770, today + 1, late),
    )

    found = follow(config, ladder, NAME)

    assert (found.days, found.profit) == (2, 130)
    assert found.marks[next(iter(found.marks))].fall == 20
    assert found.standing is Standing.PAPER


def test_days_of_a_replay_do_not_count_but_its_losses_do(
    ladder: AgentLadder, config: Config
) -> None:
    promotion = put(ladder, SUBMITTED, *ALL_PASSED, moved(Standing.PAPER)).since
    assert promotion is not None
    write_marks(config, mark(-40, 2, promotion.ts_init + 1), mark(-50, 3, promotion.ts_init + 2))

    found = follow(config, ladder, NAME)

    assert (found.days, found.profit) == (0, -50)


def test_nothing_new_is_not_journalled_again(ladder: AgentLadder, config: Config) -> None:
    promotion = put(ladder, SUBMITTED, *ALL_PASSED, moved(Standing.PAPER)).since
    assert promotion is not None
    write_marks(config, mark(7, 2, promotion.ts_init + 1))

    first = follow(config, ladder, NAME)

    assert follow(config, ladder, NAME) == first


def test_loss_budget_takes_it_down_and_the_risk_manager_is_told(
    ladder: AgentLadder, config: Config
) -> None:
    promotion = put(ladder, SUBMITTED, *ALL_PASSED, moved(Standing.PAPER)).since
    assert promotion is not None
    capital = config.account.initial_cash
    write_marks(config, mark(-int(capital) // 10, 2, promotion.ts_init + 1))

    found = follow(config, ladder, NAME)

    assert found.standing is Standing.CANDIDATE
    (change,) = limits(config)
    assert (change.name, change.value) == (f"max_strategy_exposure.{NAME}", NOTHING)
    assert "10.00% of its capital" in change.reason


def test_kills_told_by_the_cluster_quarantine(ladder: AgentLadder) -> None:
    put(ladder, SUBMITTED, *ALL_PASSED, moved(Standing.PAPER))
    for _ in range(3):
        found = put(ladder, kill_of(NAME, "aa", "SANDBOX_TIMEOUT", "late"))

    assert found.standing is Standing.QUARANTINED


def test_candidate_that_trades_nowhere_has_no_results(ladder: AgentLadder, config: Config) -> None:
    put(ladder, SUBMITTED)
    write_marks(config, mark(-900, 1, 5))

    assert follow(config, ladder, NAME).marks == {}
