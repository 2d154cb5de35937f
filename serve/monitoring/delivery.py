"""Which notices leave now, as what message: severity, quiet hours, and no more than people can read."""

from collections import deque
from collections.abc import Sequence
from datetime import datetime, time

import msgspec

from serve.monitoring.alert_book import Notice, NoticeKind
from serve.monitoring.rules import Severity

MINUTE_S = 60.0


class DeliveryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What is told, and when.

    Attributes
    ----------
    quiet : (time, time) or None
        UTC, from and to; only critical notices leave then. What was held back is told when it is over.
    max_per_minute : int
        Messages; what is above waits and goes out as one.
    """

    min_severity: Severity = Severity.WARNING
    quiet: tuple[time, time] | None = None
    max_per_minute: int = 10

    def is_quiet(self, at: datetime) -> bool:
        if self.quiet is None:
            return False
        begin, end = self.quiet
        now = at.time().replace(tzinfo=None)
        return begin <= now < end if begin <= end else now >= begin or now < end


class OutgoingMessage(msgspec.Struct, frozen=True):
    title: str
    body: str
    severity: Severity
    is_resolved: bool


class NoticeQueue:
    """Holds notices back until they may leave."""

    def __init__(self, policy: DeliveryPolicy, cluster: str) -> None:
        self._policy = policy
        self._cluster = cluster
        self._held: list[Notice] = []
        self._sent: deque[float] = deque()

    @property
    def waiting(self) -> int:
        return len(self._held)

    def messages(
        self, notices: Sequence[Notice], now_s: float, at: datetime
    ) -> list[OutgoingMessage]:
        """Return what leaves now.

        Parameters
        ----------
        now_s : float
            A clock that never goes back (s), for the rate.
        at : datetime
            UTC, for the quiet hours.
        """
        is_all = self._policy.min_severity is Severity.WARNING
        self._held += [
            each for each in notices if is_all or each.rule.severity is Severity.CRITICAL
        ]
        is_quiet = self._policy.is_quiet(at)
        due = [n for n in self._held if n.rule.severity is Severity.CRITICAL or not is_quiet]
        room = self._room(now_s)
        if not due or not room:
            return []
        self._held = [each for each in self._held if each not in due]
        single, rest = due[: room - 1], due[room - 1 :]
        batches = [[each] for each in single] + ([rest] if rest else [])
        self._sent.extend([now_s] * len(batches))
        return [self._message(batch) for batch in batches]

    def _room(self, now_s: float) -> int:
        while self._sent and self._sent[0] <= now_s - MINUTE_S:
            self._sent.popleft()
        return self._policy.max_per_minute - len(self._sent)

    def _message(self, batch: Sequence[Notice]) -> OutgoingMessage:
        critical = any(n.rule.severity is Severity.CRITICAL for n in batch)
        first = batch[0]
        what = first.rule.name if len(batch) == 1 else f"{len(batch)} notices"
        lines = [f"[{n.kind}] {n.text} See {n.rule.runbook}." for n in batch]
        return OutgoingMessage(
            title=f"{self._cluster}: {first.kind} {what}",
            body="\n".join(lines),
            severity=Severity.CRITICAL if critical else Severity.WARNING,
            is_resolved=all(n.kind is NoticeKind.RESOLVED for n in batch),
        )
