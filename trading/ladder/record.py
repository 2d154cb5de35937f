"""What became of one strategy on the ladder: a fold over the facts of `agents:<name>`."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from trading.errors import JournalCorrupt
from trading.events import (
    AgentEvent,
    AgentMarked,
    AgentMoved,
    AgentSandboxKilled,
    AgentStageJudged,
    AgentSubmitted,
)
from trading.identifiers import StreamName
from trading.ladder.signatures import is_signed
from trading.ladder.standing import CLOSED, Stage, Standing
from trading.values import ZERO

PREFIX = "agents:"


def agent_stream(name: str) -> StreamName:
    """Return the name of the stream that holds the facts of one strategy."""
    return StreamName(f"{PREFIX}{name}")


class AgentRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Where a strategy stands, and why.

    Attributes
    ----------
    number : int
        Of the last fact; 0 when there is none.
    submitted : AgentSubmitted or None
        The source in force.
    verdicts : mapping of Stage to AgentStageJudged
        The newest of each stage, on the source in force.
    since : AgentMoved or None
        How it came to where it stands.
    marks : mapping of run to AgentMarked
        What it made on its rung, the newest mark of each run.
    kills : tuple of int
        When its sandbox had to be killed (host ns UTC), with the source in force.
    """

    name: str
    number: int = 0
    submitted: AgentSubmitted | None = None
    verdicts: Mapping[Stage, AgentStageJudged] = {}
    standing: Standing = Standing.CANDIDATE
    since: AgentMoved | None = None
    marks: Mapping[str, AgentMarked] = {}
    kills: tuple[int, ...] = ()

    @property
    def sha256(self) -> str:
        return self.submitted.source_sha256 if self.submitted else ""

    @property
    def days(self) -> int:
        """Days that its results are known of, on its rung."""
        return sum(mark.days for mark in self.marks.values())

    @property
    def profit(self) -> Decimal:
        """Made on its rung, in account currency."""
        return sum((mark.profit for mark in self.marks.values()), ZERO)

    @property
    def fall(self) -> Decimal:
        """Deepest fall from its best result within a run, as a fraction of its capital."""
        return max((mark.fall / mark.capital for mark in self.marks.values()), default=ZERO)

    @property
    def loss(self) -> Decimal:
        """Lost on its rung in all, as a fraction of its capital; 0 after a profit."""
        shares = (mark.profit / mark.capital for mark in self.marks.values())
        return max(ZERO, -sum(shares, ZERO))

    def after(self, fact: AgentEvent) -> "AgentRecord":
        """Return the record with one more fact."""
        record = replace(self, number=fact.number)
        match fact:
            case AgentSubmitted():
                return self._submitted(fact)
            case AgentStageJudged() if fact.source_sha256 == self.sha256:
                return replace(record, verdicts={**self.verdicts, fact.stage: fact})
            case AgentMoved():
                return replace(record, standing=fact.standing, since=fact, marks={})
            case AgentMarked():
                return replace(record, marks={**self.marks, fact.run: fact})
            case AgentSandboxKilled() if fact.source_sha256 == self.sha256:
                return replace(record, kills=(*self.kills, fact.ts_init))
        return record

    def _submitted(self, fact: AgentSubmitted) -> "AgentRecord":
        """Count the same terms as a new examination; others start anew, but quarantine and retirement stay."""
        if self.submitted is not None and terms_of(fact) == terms_of(self.submitted):
            return replace(self, number=fact.number, submitted=fact, verdicts={})
        is_closed = self.standing in CLOSED
        return AgentRecord(
            name=self.name,
            number=fact.number,
            submitted=fact,
            standing=self.standing if is_closed else Standing.CANDIDATE,
            since=self.since if is_closed else None,
        )


def terms_of(fact: AgentSubmitted) -> tuple[str, str, int, str]:
    """Return all that a strategy is: with anything else it is another one."""
    return fact.source_sha256, fact.template, fact.lookback, fact.parameters


def record_of(name: str, facts: Iterable[AgentEvent]) -> AgentRecord:
    """Return the record that the facts of a stream tell; see `verified`."""
    record = AgentRecord(name=name)
    for fact in facts:
        record = record.after(fact)
    return record


def verified(name: str, facts: Iterable[AgentEvent], key: bytes) -> Iterator[AgentEvent]:
    """Yield the facts of a stream as long as they can be believed.

    Raises
    ------
    JournalCorrupt
        If a fact is not signed with this key, is about another strategy, or one is missing between two.
    """
    for last, fact in enumerate(facts):
        if not is_signed(fact, key):
            reason = "a fact of the ladder does not bear the signature of this cluster"
            raise JournalCorrupt(agent_stream(name), last, reason)
        if (fact.agent, fact.number) != (name, last + 1):
            reason = f"fact {fact.number} of {fact.agent} stands where {last + 1} of {name} belongs"
            raise JournalCorrupt(agent_stream(name), last, reason)
        yield fact
