"""What fires, what is over, whom to remind: a state machine over samples. It knows no clock and no network."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import pairwise

import msgspec

from serve.monitoring.metrics import Sample
from serve.monitoring.rules import Rule

Key = tuple[str, tuple[str, ...]]
"""Name of the rule, and the label values of the series: one alert."""


class NoticeKind(StrEnum):
    FIRING = "firing"
    REMINDER = "reminder"
    RESOLVED = "resolved"


class Notice(msgspec.Struct, frozen=True):
    """Something to tell people. `since_s` is when the alert began."""

    kind: NoticeKind
    rule: Rule
    labels: tuple[str, ...]
    text: str
    since_s: float


class _Alert(msgspec.Struct):
    rule: Rule
    since_s: float
    text: str
    told_s: float | None = None


class AlertBook:
    """Holds what is pending and what fires.

    Parameters
    ----------
    repeat_after_s : float
        A firing alert is told again after so long.
    """

    def __init__(self, rules: Sequence[Rule], repeat_after_s: float) -> None:
        self._rules = rules
        self._repeat_after_s = repeat_after_s
        self._alerts: dict[Key, _Alert] = {}
        self._seen: dict[Key, deque[tuple[float, float]]] = {}

    def update(self, samples: Iterable[Sample], now_s: float) -> list[Notice]:
        """Take one round of samples; return what is to be told.

        Parameters
        ----------
        now_s : float
            A clock that never goes back (s).
        """
        by_metric: dict[str, list[Sample]] = {}
        for sample in samples:
            by_metric.setdefault(sample.name, []).append(sample)
        met = {
            key: (rule, text)
            for rule in self._rules
            for key, text in self._met(rule, by_metric.get(rule.metric, ()), now_s)
        }
        return [*self._over(met, now_s), *self._firing(met, now_s)]

    def firing(self) -> list[Notice]:
        """Return every alert that has been told and is not over."""
        return [
            Notice(NoticeKind.FIRING, alert.rule, labels, alert.text, alert.since_s)
            for (_, labels), alert in self._alerts.items()
            if alert.told_s is not None
        ]

    def _met(
        self, rule: Rule, samples: Iterable[Sample], now_s: float
    ) -> Iterator[tuple[Key, str]]:
        for sample in samples:
            if not rule.is_about(sample.labels):
                continue
            key = (rule.name, sample.labels)
            value = (
                self._increase(rule, key, sample.value, now_s) if rule.window_s else sample.value
            )
            if rule.is_met(value):
                yield key, rule.told(sample.labels, value)

    def _increase(self, rule: Rule, key: Key, value: float, now_s: float) -> float:
        """Return how much a counter rose within the window; one that starts anew counts from 0."""
        seen = self._seen.setdefault(key, deque())
        while seen and seen[0][0] < now_s - rule.window_s:
            seen.popleft()
        seen.append((now_s, value))
        values = [each for _, each in seen]
        return sum(
            later - earlier if later >= earlier else later for earlier, later in pairwise(values)
        )

    def _over(self, met: Mapping[Key, object], now_s: float) -> list[Notice]:
        notices = []
        for key in [key for key in self._alerts if key not in met]:
            alert = self._alerts.pop(key)
            if alert.told_s is not None:
                text = f"Over after {now_s - alert.since_s:.0f} s: {alert.text}"
                notices.append(Notice(NoticeKind.RESOLVED, alert.rule, key[1], text, alert.since_s))
        return notices

    def _firing(self, met: Mapping[Key, tuple[Rule, str]], now_s: float) -> list[Notice]:
        notices = []
        for key, (rule, text) in met.items():
            alert = self._alerts.setdefault(key, _Alert(rule, now_s, text))
            alert.text = text
            if now_s - alert.since_s < rule.for_s:
                continue
            if alert.told_s is not None and now_s - alert.told_s < self._repeat_after_s:
                continue
            kind = NoticeKind.FIRING if alert.told_s is None else NoticeKind.REMINDER
            alert.told_s = now_s
            notices.append(Notice(kind, rule, key[1], text, alert.since_s))
        return notices
