"""The ladder in the journal: facts are read, decided on and appended under a lease, so that two never race."""

import time
from collections.abc import Callable, Iterator, Sequence

from msgspec.structs import replace

from actors.journal.journal import Journal
from actors.journal.open import open_journal
from cluster.config import Config
from cluster.config.secret import cluster_secret
from trading.codec import decode, encode
from trading.errors import JournalCorrupt, StaleEpoch
from trading.events import AgentEvent, AgentMoved
from trading.ladder.breach import breach
from trading.ladder.record import PREFIX, AgentRecord, agent_stream, record_of, verified
from trading.ladder.rules import LadderRules
from trading.ladder.signatures import ladder_key, signed

ATTEMPTS = 10
BY_RULES = "ladder"
Decide = Callable[[AgentRecord, int], Sequence[AgentEvent]]
"""From what is known and the host time to new facts, without number or signature."""


class AgentLadder:
    """Every strategy of an agent that this cluster knows."""

    def __init__(self, journal: Journal, key: bytes, rules: LadderRules = LadderRules()) -> None:  # noqa: B008
        self._journal, self._key, self.rules = journal, key, rules

    def __enter__(self) -> "AgentLadder":
        return self

    def __exit__(self, *_: object) -> None:
        self._journal.close()

    def names(self) -> tuple[str, ...]:
        """Return the names of all strategies, sorted."""
        found = [name for name in self._journal.streams() if name.startswith(PREFIX)]
        return tuple(sorted(name.removeprefix(PREFIX) for name in found))

    def facts(self, name: str) -> Iterator[AgentEvent]:
        """Yield the facts of one strategy; every signature is verified.

        Raises
        ------
        JournalCorrupt
            If the chain is broken, or a fact is forged or does not follow the one before.
        """
        return verified(name, self._read(name), self._key)

    def record(self, name: str) -> AgentRecord:
        """Return what became of a strategy; see `facts`."""
        return record_of(name, self.facts(name))

    def _read(self, name: str) -> Iterator[AgentEvent]:
        stream = agent_stream(name)
        for record in self._journal.read(stream):
            fact = decode(record.payload)
            if not isinstance(fact, AgentEvent):
                reason = f"{type(fact).__name__} is no fact of the ladder"
                raise JournalCorrupt(stream, record.seq - 1, reason)
            yield fact

    def append(self, name: str, decide: Decide) -> AgentRecord:
        """Add the facts that `decide` makes of the record, and those that follow by the rules.

        Raises
        ------
        StaleEpoch
            If others keep writing the same stream.
        TradingError
            What `decide` raises; then nothing was added.
        """
        for attempt in range(ATTEMPTS):
            try:
                return self._append(name, decide)
            except StaleEpoch:
                if attempt + 1 == ATTEMPTS:
                    raise
        raise AssertionError("unreachable")

    def _append(self, name: str, decide: Decide) -> AgentRecord:
        stream = agent_stream(name)
        epoch = self._journal.acquire(stream, BY_RULES)
        record = self.record(name)
        now = time.time_ns()
        facts: list[AgentEvent] = []
        for fact in decide(record, now):
            facts.append(self._numbered(fact, record, now))
            record = record.after(facts[-1])
        if moved := self._by_rules(record):
            facts.append(self._numbered(moved, record, now))
            record = record.after(facts[-1])
        if facts:
            self._journal.append(stream, epoch, [encode(fact) for fact in facts], now)
        return record

    def _by_rules(self, record: AgentRecord) -> AgentMoved | None:
        found = breach(record, self.rules)
        if found is None:
            return None
        return AgentMoved(
            agent=record.name,
            number=0,
            actor=BY_RULES,
            standing=found.standing,
            code=found.code,
            source_sha256=record.sha256,
            reason=found.reason,
        )

    def _numbered(self, fact: AgentEvent, record: AgentRecord, now: int) -> AgentEvent:
        number = record.number + 1
        return signed(replace(fact, number=number, ts_event=now, ts_init=now), self._key)


def open_ladder(config: Config) -> AgentLadder:
    """Return the ladder of a cluster, which all its runs share.

    Raises
    ------
    JournalUnavailable
        If its journal cannot be used.
    AuthError
        If the cluster secret cannot.
    """
    key = ladder_key(cluster_secret(config))
    return AgentLadder(open_journal(config.cluster.ladder), key)
