"""What a strategy of an agent makes in the cluster, told to the ladder; who breaks its budget goes down at once."""

import time
from datetime import UTC, datetime
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
from trading.ladder.record import AgentRecord
from trading.ladder.standing import AT_WORK
from trading.risk.limit_changes import limits_stream
from trading.values import NANOS_PER_SECOND, ZERO

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
    was, is_now = before.standing in AT_WORK, after.standing in AT_WORK
    if was != is_now:
        reason = after.since.reason if after.since else ""
        now = time.time_ns()
        change = LimitChanged(
            ts_event=now,
            ts_init=now,
            actor=BY_RULES,
            name=f"max_strategy_exposure.{after.name}",
            value="" if is_now else NOTHING,
            reason=f"{after.standing}: {reason}",
        )
        append_shared_facts(config, limits_stream(AccountId(config.account.account_id)), [change])
    return after


def _mark_of(config: Config, record: AgentRecord) -> AgentMarked | None:
    stored = config_of_newest_journal(config)
    if record.since is None or record.standing not in AT_WORK or stored is None:
        return None
    start, profits, days = ZERO, [], set()
    for mark in _marks(stored):
        profit = next((made for name, made, _ in mark.by_strategy if name == record.name), None)
        if profit is None:
            continue
        if mark.ts_init < record.since.ts_init:
            start = profit
            continue
        profits.append(profit - start)
        if mark.ts_event > record.since.ts_init:  # a replay proves nothing that a backtest has not
            days.add(datetime.fromtimestamp(mark.ts_event // NANOS_PER_SECOND, UTC).date())
    if not profits:
        return None
    return AgentMarked(
        agent=record.name,
        number=0,
        actor=BY_RULES,
        run=_run_of(stored),
        days=len(days),
        capital=_capital_of(config, record.name),
        profit=profits[-1],
        fall=_fall(profits),
    )


def _marks(stored: Config) -> list[EquityMarked]:
    journal = open_journal(stored.cluster.journal)
    try:
        stream = StreamName(machine_name("ledger", stored.account.account_id))
        return [fact for fact in read_stream(journal, stream) if isinstance(fact, EquityMarked)]
    finally:
        journal.close()


def _fall(profits: list[Decimal]) -> Decimal:
    best = fall = ZERO
    for profit in profits:
        best = max(best, profit)
        fall = max(fall, best - profit)
    return fall


def _capital_of(config: Config, name: str) -> Decimal:
    """What a weight of 1 is worth, see [strategies]; the whole account for one that is not there."""
    whole = config.account.capital or config.account.initial_cash
    own = config.strategies.get(name)
    return whole * own.capital if own else whole


def _run_of(stored: Config) -> str:
    folder = sqlite_folder(stored.cluster.journal)
    return folder.parent.name if folder else stored.cluster.name


def _plain(mark: AgentMarked | None) -> AgentMarked | None:
    """Return a mark as it was before it became a fact."""
    return mark and replace(mark, number=0, signature="", ts_event=0, ts_init=0)
