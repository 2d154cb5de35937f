"""The trail of who did what at the front desk, and from where: facts in the journal, never changed."""

import threading
import time
from collections.abc import Iterator

from actors.journal.journal import Journal
from serve.desk.principal import Principal
from trading.codec import decode, encode
from trading.desk_facts import RequestAudited, audit_stream

OK = "OK"


class AuditTrail:
    """Appends to `audit:<cluster>`. May be called from several threads."""

    def __init__(self, journal: Journal, cluster: str) -> None:
        self.cluster = cluster
        self._journal = journal
        self._stream = audit_stream(cluster)
        self._lock = threading.Lock()

    def record(
        self,
        by: Principal,
        action: str,
        *,
        subject: str = "",
        outcome: str = OK,
        correlation_id: str = "",
    ) -> None:
        """Add one request; it is durable on return.

        Raises
        ------
        JournalUnavailable
            If it cannot be written: then the request must not be carried out.
        """
        now = time.time_ns()
        fact = RequestAudited(
            ts_event=now,
            ts_init=now,
            correlation_id=correlation_id,
            actor=by.name,
            came_by=by.came_by,
            address=by.address,
            action=action,
            subject=subject,
            outcome=outcome,
        )
        with self._lock:
            self._journal.append_shared(self._stream, [encode(fact)], now)

    def read(self, limit: int = 100) -> list[RequestAudited]:
        """Return the newest requests, newest first."""
        with self._lock:
            after = max(0, self._journal.head(self._stream) - limit)
            return list(self._facts(after))[::-1]

    def _facts(self, after: int) -> Iterator[RequestAudited]:
        for record in self._journal.read(self._stream, after):
            fact = decode(record.payload)
            assert isinstance(fact, RequestAudited)
            yield fact
