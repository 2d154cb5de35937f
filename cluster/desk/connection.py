"""The way to a cluster: found when it is needed, and found again when it was gone."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cluster.desk.link import ClusterLink
from cluster.desk.marks import Marks
from cluster.desk.order_facts import OrderFacts
from serve.desk.view import ClusterSnapshot
from trading.errors import ClusterUnreachable

SHARED_S = 0.25
"""Threads that look within so short a time share one look."""


class Session:
    """A link, and what was read over it."""

    def __init__(self, link: ClusterLink) -> None:
        self.link = link
        self.facts = OrderFacts(link)
        self.marks = [Marks(link, account) for account in link.blueprint.accounts]


class Connection:
    """Hands out the session; makes it at first use.

    Parameters
    ----------
    connect : callable
        Finds the cluster, or raises `ClusterUnreachable`.
    """

    def __init__(self, connect: Callable[[], ClusterLink]) -> None:
        self._connect = connect
        self._lock = threading.RLock()
        self._session: Session | None = None
        self._snapshot: ClusterSnapshot | None = None
        self._taken_at = 0.0

    def session(self) -> Session:
        """Return the session.

        Raises
        ------
        ClusterUnreachable
            If there is no cluster now.
        """
        with self._lock:
            if self._session is None:
                self._session = Session(self._connect())
            return self._session

    def snapshot(self) -> ClusterSnapshot:
        """Return one look; several within `SHARED_S` share it.

        Raises
        ------
        ClusterUnreachable
            If the cluster is gone; the next call looks for it again.
        """
        with self._lock:
            now = time.monotonic()
            if self._snapshot is None or now - self._taken_at >= SHARED_S:
                self._snapshot = None
                self._snapshot = self._look()
                self._taken_at = now
            return self._snapshot

    def forget_look(self) -> None:
        """Let the next look be a new one: something was changed."""
        with self._lock:
            self._snapshot = None

    @contextmanager
    def changing(self) -> Iterator[Session]:
        """Yield the session for a change: the next look shows what came of it."""
        try:
            yield self.session()
        finally:
            self.forget_look()

    def close(self) -> None:
        with self._lock:
            session, self._session, self._snapshot = self._session, None, None
        if session is not None:
            session.link.close()

    def _look(self) -> ClusterSnapshot:
        try:
            return self.session().link.snapshot()
        except ClusterUnreachable:
            self.close()
            raise
