"""Which bars of the past to ask a venue for: a few questions at a time, again when they fail."""

from collections import deque
from collections.abc import Sequence

import msgspec

from trading.data import Bar
from trading.effects import AskFeed, FetchBars
from trading.identifiers import InstrumentId
from trading.outcomes import BarsFetched, FeedAskFailed
from trading.values import NANOS_PER_DAY, NANOS_PER_SECOND

IN_FLIGHT_MAX = 4
ATTEMPTS_MAX = 5
TIMEOUT_NS = 30 * NANOS_PER_SECOND
RETRY_NS = NANOS_PER_SECOND
"""First pause after a failure; it doubles. Also the pause before a bar that is not there yet is asked for again."""
WIDEN_BY = 4
WIDEST_SPANS = 16
WIDEST_NS_MIN = 10 * NANOS_PER_DAY
"""A market that was closed for so long has no history to speak of."""


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """What a backfill is for.

    Attributes
    ----------
    since : int
        Close of the newest bar that is there (ns UTC); 0 asks for the last `count` bars.
    until : int
        Newest moment that is asked for (ns UTC).
    count : int
        Bars of each instrument that are enough, where `since` is 0.
    wanted_at : int
        Close of a bar that every instrument should have; 0 is none.
    patience_until : int
        Host time until which a missing bar at `wanted_at` is asked for again.
    """

    since: int
    until: int
    count: int
    wanted_at: int = 0
    patience_until: int = 0


class _Question(msgspec.Struct, frozen=True):
    instrument_id: InstrumentId
    start: int
    end: int
    not_before: int = 0
    failures: int = 0
    is_repeat: bool = False
    """About the wanted bar alone."""


class Backfill:
    """The questions of one goal, from the first to the last answer.

    Where there is no bar to start from, an instrument is asked for longer and longer spans, each behind the
    one before, until it has `count` bars or the spans go far beyond what closed markets explain.

    Attributes
    ----------
    given_up : dict of InstrumentId to reason
        Instruments whose history the venue did not give.
    is_unfinished : bool
        Some of them because it did not answer: another goal may do better.
    """

    def __init__(self, instrument_ids: Sequence[InstrumentId], interval_ns: int) -> None:
        self._instrument_ids = tuple(instrument_ids)
        self._interval_ns = interval_ns
        self._goal = Goal(since=0, until=0, count=0)
        self._ready: deque[_Question] = deque()
        self._later: list[_Question] = []
        self._asked: dict[InstrumentId, _Question] = {}
        self._found: dict[InstrumentId, int] = {}
        self._has_wanted: set[InstrumentId] = set()
        self.given_up: dict[InstrumentId, str] = {}
        self.is_unfinished = False

    @property
    def is_done(self) -> bool:
        return not (self._ready or self._later or self._asked)

    def begin(self, goal: Goal) -> None:
        """Forget every open question and begin anew."""
        self.stop()
        self._goal = goal
        self.given_up = {}
        self.is_unfinished = False
        start = goal.since + 1 if goal.since else goal.until - self._first_span + 1
        self._ready.extend(
            _Question(key, max(0, start), goal.until) for key in self._instrument_ids
        )

    def stop(self) -> None:
        """Forget every open question: the connection is gone."""
        self._ready.clear()
        self._later.clear()
        self._asked.clear()
        self._found.clear()
        self._has_wanted.clear()

    def asks(self, now: int) -> list[AskFeed]:
        """Return the questions that are due, as far as the limit on open ones allows."""
        self._ready.extend(each for each in self._later if each.not_before <= now)
        self._later = [each for each in self._later if each.not_before > now]
        asks: list[AskFeed] = []
        while self._ready and len(self._asked) < IN_FLIGHT_MAX:
            question = self._ready.popleft()
            self._asked[question.instrument_id] = question
            body = FetchBars(
                question.instrument_id, self._interval_ns, question.start, question.end
            )
            asks.append(AskFeed(body, TIMEOUT_NS))
        return asks

    def next_due(self) -> int | None:
        """Return the host time (ns) at which a postponed question is due; None when there is none."""
        return min((each.not_before for each in self._later), default=None)

    def take(self, fetched: BarsFetched, bars: Sequence[Bar], now: int) -> None:
        """Note an answer; `bars` are those of it that are of use."""
        question = self._close(fetched)
        if question is None:
            return
        key, goal = question.instrument_id, self._goal
        if any(bar.ts_event == goal.wanted_at for bar in bars):
            self._has_wanted.add(key)
        self._found[key] = self._found.get(key, 0) + len(bars)
        older = self._older(question)
        if older is not None:
            self._ready.append(older)
        elif goal.wanted_at and key not in self._has_wanted and now < goal.patience_until:
            at = goal.wanted_at
            self._later.append(_Question(key, at, at, now + RETRY_NS, is_repeat=True))

    def fail(self, failed: FeedAskFailed, now: int) -> None:
        """Note that a question got no answer: ask again later, or give the instrument up."""
        question = self._close(failed)
        if question is None:
            return
        failures = question.failures + 1
        if failed.is_final or failures >= ATTEMPTS_MAX:
            self.given_up[question.instrument_id] = failed.reason
            self.is_unfinished |= not failed.is_final
            return
        self._later.append(
            msgspec.structs.replace(
                question, failures=failures, not_before=now + RETRY_NS * 2 ** (failures - 1)
            )
        )

    @property
    def _first_span(self) -> int:
        return self._goal.count * self._interval_ns

    def _older(self, question: _Question) -> _Question | None:
        """Return the question for what lies before this one; None when there is enough, or nothing."""
        goal = self._goal
        has_enough = goal.since or self._found[question.instrument_id] >= goal.count
        if has_enough or question.is_repeat or question.start <= 0:
            return None
        span = goal.until - question.start + 1
        if span >= max(WIDEST_SPANS * self._first_span, WIDEST_NS_MIN):
            return None
        start = max(0, goal.until - WIDEN_BY * span + 1)
        return _Question(question.instrument_id, start, question.start - 1)

    def _close(self, outcome: BarsFetched | FeedAskFailed) -> _Question | None:
        """Return the open question that this answers; None when it belongs to an earlier goal."""
        if outcome.instrument_id is None:
            return None
        question = self._asked.get(outcome.instrument_id)
        if question is None or (question.start, question.end) != (outcome.start, outcome.end):
            return None
        del self._asked[outcome.instrument_id]
        return question
