"""Looks at the strategies of agents while a cluster runs: who breaks its budget goes down at once.

It runs in the supervisor, so it comes back with it. Only what takes a strategy down is journalled here; its other
results are told to the ladder when somebody looks (`cluster.agent_results`).
"""

import logging
import threading
import time
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path

from actors.blueprint import StrategyPlan
from actors.journal.journal import Journal
from actors.journal.open import open_journal
from cluster.agent_ladder import BY_RULES, AgentLadder
from cluster.agent_results import ledger_stream, limit_change, run_of
from cluster.agent_strategy import KIND
from cluster.topology import ClusterPlan
from trading.codec import decode, encode
from trading.errors import TradingError
from trading.events import EquityMarked
from trading.ladder.breach import breach
from trading.ladder.course import Course
from trading.ladder.record import AgentRecord
from trading.ladder.signatures import ladder_key
from trading.ladder.standing import AT_WORK
from trading.risk.limit_changes import limits_stream

log = logging.getLogger(__name__)

LOOK_INTERVAL_S = 2.0


class AgentWatch:
    """Everything it needs to know of the cluster is in the plan. Use it in one thread."""

    def __init__(self, plan: ClusterPlan) -> None:
        self._plan = plan
        self._guests = [each for each in plan.blueprint.strategies if each.kind == KIND]

    def run(self, over: threading.Event) -> None:
        """Look until it is over; a journal that fails is looked at again."""
        while self._guests and not over.wait(LOOK_INTERVAL_S):
            try:
                with ExitStack() as stack:
                    looks = self._looks(stack)
                    while not over.wait(LOOK_INTERVAL_S):
                        for look in looks:
                            look.once()
            except TradingError:
                log.exception("the ladder could not be looked at; trying again")

    def look(self) -> None:
        """Look once.

        Raises
        ------
        TradingError
            If a journal or the cluster secret cannot be used.
        """
        with ExitStack() as stack:
            for look in self._looks(stack):
                look.once()

    def _looks(self, stack: ExitStack) -> "list[_Look]":
        surroundings = self._plan.surroundings
        journal = open_journal(surroundings.journal_url)
        stack.callback(journal.close)
        key = ladder_key(Path(surroundings.secret_file).read_bytes())
        ladders = {
            url: stack.enter_context(AgentLadder(open_journal(url), key))
            for url in {each.params["journal"] for each in self._guests}
        }
        return [
            _Look(self._plan, guest, journal, ladders[guest.params["journal"]])
            for guest in self._guests
        ]


class _Look:
    """At one strategy, again and again."""

    def __init__(
        self, plan: ClusterPlan, guest: StrategyPlan, journal: Journal, ladder: AgentLadder
    ) -> None:
        blueprint = plan.blueprint
        self._journal, self._ladder = journal, ladder
        self._name = str(guest.strategy_id)
        self._account_id = blueprint.account_id
        self._run = run_of(plan.surroundings.journal_url, plan.name)
        self._capital: Decimal = guest.capital * blueprint.budget
        self._course = Course(self._name, 0)
        self._read = 0
        self._is_barred = False

    def once(self) -> None:
        before = self._ladder.record(self._name)
        after = self._judged(before) if before.standing in AT_WORK else before
        if after.standing in AT_WORK:
            self._is_barred = False
        elif not self._is_barred:
            self._bar(after)

    def _judged(self, record: AgentRecord) -> AgentRecord:
        self._catch_up(record.since.ts_init if record.since else 0)
        mark = self._course.marked(self._run, self._capital, BY_RULES)
        if mark is None or breach(record.after(mark), self._ladder.rules) is None:
            return record
        return self._ladder.append(self._name, lambda *_: [mark])

    def _catch_up(self, since: int) -> None:
        """Add the marks that came since; from the first one where it came to its rung anew."""
        if since != self._course.since:
            self._course, self._read = Course(self._name, since), 0
        for record in self._journal.read(ledger_stream(self._account_id), self._read):
            fact = decode(record.payload)
            if isinstance(fact, EquityMarked):
                self._course.add(fact)
            self._read = record.seq

    def _bar(self, record: AgentRecord) -> None:
        """Let it open nothing more, whoever took it down: a person, a loss, or kills."""
        now = time.time_ns()
        at_work = AgentRecord(name=self._name, standing=AT_WORK[0])
        change = limit_change(at_work, record, now)
        assert change is not None
        self._journal.append_shared(limits_stream(self._account_id), [encode(change)], now)
        self._is_barred = True
        log.warning("strategy %s is %s: %s", self._name, record.standing, change.reason)
