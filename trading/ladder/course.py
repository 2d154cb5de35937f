"""What a strategy has made on its rung, mark by mark of the account."""

from decimal import Decimal

from trading.events import AgentMarked, EquityMarked
from trading.values import NANOS_PER_DAY, ZERO


class Course:
    """A fold over the marks of one run.

    Parameters
    ----------
    since : int
        When it came to its rung (host ns UTC): what it had made until then does not count.
    """

    def __init__(self, agent: str, since: int) -> None:
        self.agent, self.since = agent, since
        self._start = self._profit = self._best = self._fall = ZERO
        self._days: set[int] = set()
        self._has_begun = False

    def add(self, mark: EquityMarked) -> None:
        found = next((made for name, made, _ in mark.by_strategy if name == self.agent), None)
        if found is None:
            return
        if mark.ts_init < self.since:
            self._start = found
            return
        self._has_begun = True
        self._profit = found - self._start
        self._best = max(self._best, self._profit)
        self._fall = max(self._fall, self._best - self._profit)
        if mark.ts_event > self.since:  # a replay proves nothing that a backtest has not
            self._days.add(mark.ts_event // NANOS_PER_DAY)

    def marked(self, run: str, capital: Decimal, actor: str) -> AgentMarked | None:
        """Return all of it as one fact; None before the first mark on its rung."""
        if not self._has_begun:
            return None
        return AgentMarked(
            agent=self.agent,
            number=0,
            actor=actor,
            run=run,
            days=len(self._days),
            capital=capital,
            profit=self._profit,
            fall=self._fall,
        )
