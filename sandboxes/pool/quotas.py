"""What each owner has used within the window, told by facts."""

from collections import defaultdict, deque

from sandboxes.pool.facts import AnyFact, CpuUsed, RunStarted
from sandboxes.pool.settings import Quota


class Quotas:
    """The same facts and the same time give the same answer.

    Parameters
    ----------
    quota : Quota
        The same for every owner.
    """

    def __init__(self, quota: Quota) -> None:
        self._quota = quota
        self._facts: dict[str, deque[RunStarted | CpuUsed]] = defaultdict(deque)

    def note(self, fact: AnyFact) -> None:
        if isinstance(fact, RunStarted | CpuUsed):
            self._facts[fact.owner].append(fact)

    def used(self, owner: str, now_s: float) -> tuple[int, float]:
        """Return (runs, seconds of processor time) of an owner within the window."""
        facts = self._within(owner, now_s)
        runs = sum(isinstance(fact, RunStarted) for fact in facts)
        return runs, sum(fact.cpu_s for fact in facts if isinstance(fact, CpuUsed))

    def objection(self, owner: str, now_s: float) -> str:
        """Return in one sentence why an owner may begin nothing, or nothing."""
        runs, _ = self.used(owner, now_s)
        if runs >= self._quota.runs:
            return self._sentence(owner, f"its {self._quota.runs} runs", now_s)
        return self.cpu_objection(owner, now_s)

    def cpu_objection(self, owner: str, now_s: float) -> str:
        """Return in one sentence why what an owner has begun may not go on, or nothing."""
        _, cpu_s = self.used(owner, now_s)
        if cpu_s < self._quota.cpu_s:
            return ""
        return self._sentence(owner, f"its {self._quota.cpu_s:g} s of processor time", now_s)

    def _sentence(self, owner: str, what: str, now_s: float) -> str:
        window_s = self._quota.window_s
        wait_s = self._facts[owner][0].at_s + window_s - now_s
        return f"{owner!r} has used up {what} of {window_s:g} s; some are free again in {wait_s:.0f} s."

    def _within(self, owner: str, now_s: float) -> deque[RunStarted | CpuUsed]:
        """Return the facts that count, and forget the others."""
        facts = self._facts.get(owner, deque())
        while facts and facts[0].at_s <= now_s - self._quota.window_s:
            facts.popleft()
        if not facts:
            self._facts.pop(owner, None)
        return facts
