"""Sources that were killed too often, told by facts."""

from collections import deque

from sandboxes.pool.facts import AnyFact, SourceKilled
from sandboxes.pool.settings import QuarantineRules


class Quarantine:
    """The same facts and the same time give the same answer."""

    def __init__(self, rules: QuarantineRules) -> None:
        self._rules = rules
        self._kills: dict[str, deque[SourceKilled]] = {}
        self._until_s: dict[str, float] = {}

    def note(self, fact: AnyFact) -> None:
        if not isinstance(fact, SourceKilled):
            return
        self._forget(fact.at_s)
        kills = self._kills.pop(fact.source, deque(maxlen=self._rules.kills))
        kills.append(fact)
        self._kills[fact.source] = kills
        is_often = len(kills) == self._rules.kills
        if is_often and fact.at_s - kills[0].at_s <= self._rules.window_s:
            self._until_s[fact.source] = fact.at_s + self._rules.term_s

    def objection(self, source: str, now_s: float) -> str:
        """Return in one sentence why a source is not run, or nothing."""
        left_s = self._until_s.get(source, now_s) - now_s
        if left_s <= 0:
            return ""
        rules = self._rules
        return (
            f"source {source[:12]} was killed {rules.kills} times within {rules.window_s:g} s, "
            f"last by {self._kills[source][-1].cause}; correct it, or wait {left_s:.0f} s."
        )

    def _forget(self, now_s: float) -> None:
        """Forget sources that nothing can be said about any more; the oldest kills come first."""
        horizon_s = now_s - max(self._rules.window_s, self._rules.term_s)
        for source, kills in tuple(self._kills.items()):
            if kills[-1].at_s > horizon_s:
                return
            del self._kills[source]
            self._until_s.pop(source, None)
