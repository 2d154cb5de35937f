"""What a strategy of an agent makes in the cluster, told to the ladder; who breaks its budget goes down at once."""

import time
from decimal import Decimal

from msgspec.structs import replace

from actors.journal.open import open_journal
from cluster.agent_ladder import BY_RULES, AgentLadder
from cluster.cli.folders import config_of_newest_journal, sqlite_folder
from cluster.cli.shared_facts import append_shared_facts
from cluster.config import Config
from cluster.history import read_stream
from trading.events import AgentMarked, AgentSandboxKilled, EquityMarked, LimitChanged
from trading.identifiers import AccountId, StreamName, machine_name
from trading.ladder.course import Course
from trading.ladder.record import AgentRecord
from trading.ladder.standing import AT_WORK
from trading.risk.limit_changes import limits_stream

NOTHING = "0.01"
"""Of exposure (account currency): less than one unit of anything. A limit of 0 there is none."""


def follow(config: Config, ladder: AgentLadder, name: str) -> AgentRecord:
    """Return the record of a strategy after telling the ladder what it has made since.

    Raises
    ------
    JournalError
        If a journal cannot be used.
    """
    before = ladder.record(name)
    mark = _mark_of(config, before)
    if mark is None or mark == _plain(before.marks.get(mark.run)):
        return before
    return settle(config, before, ladder.append(name, lambda *_: [mark]))


def kill_of(name: str, sha256: str, code: str, reason: str) -> AgentSandboxKilled:
    """Return the fact of a kill; `code` is that of the error."""
    return AgentSandboxKilled(
        agent=name, number=0, actor="sandbox", source_sha256=sha256, code=code, reason=reason
    )


def settle(config: Config, before: AgentRecord, after: AgentRecord) -> AgentRecord:
    """Let a strategy that lost its rung open nothing more, and one that came to a rung trade again."""
    if change := limit_change(before, after, time.time_ns()):
        stream = limits_stream(AccountId(config.account.account_id))
        append_shared_facts(config, stream, [change])
    return after


def limit_change(before: AgentRecord, after: AgentRecord, now: int) -> LimitChanged | None:
    """Return what the risk manager is told when a strategy went to work, or away from it."""
    was, is_now = before.standing in AT_WORK, after.standing in AT_WORK
    if was == is_now:
        return None
    reason = after.since.reason if after.since else ""
    return LimitChanged(
        ts_event=now,
        ts_init=now,
        actor=BY_RULES,
        name=f"max_strategy_exposure.{after.name}",
        value="" if is_now else NOTHING,
        reason=f"{after.standing}: {reason}",
    )


def run_of(journal_url: str, cluster: str) -> str:
    """Return what the results of a run are filed under."""
    folder = sqlite_folder(journal_url)
    return folder.parent.name if folder else cluster


def ledger_stream(account_id: str) -> StreamName:
    """Return the stream that holds the marks of an account."""
    return StreamName(machine_name("ledger", account_id))


def _mark_of(config: Config, record: AgentRecord) -> AgentMarked | None:
    stored = config_of_newest_journal(config)
    if record.since is None or record.standing not in AT_WORK or stored is None:
        return None
    course = Course(record.name, record.since.ts_init)
    journal = open_journal(stored.cluster.journal)
    try:
        for fact in read_stream(journal, ledger_stream(stored.account.account_id)):
            if isinstance(fact, EquityMarked):
                course.add(fact)
    finally:
        journal.close()
    run = run_of(stored.cluster.journal, stored.cluster.name)
    return course.marked(run, _capital_of(config, record.name), BY_RULES)


def _capital_of(config: Config, name: str) -> Decimal:
    """What a weight of 1 is worth, see [strategies]; the whole account for one that is not there."""
    whole = config.account.capital or config.account.initial_cash
    own = config.strategies.get(name)
    return whole * own.capital if own else whole


def _plain(mark: AgentMarked | None) -> AgentMarked | None:
    """Return a mark as it was before it became a fact."""
    return mark and replace(mark, number=0, signature="", ts_event=0, ts_init=0)
