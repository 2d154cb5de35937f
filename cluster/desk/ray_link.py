"""A running cluster in Ray, as the front desk uses it."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from actors.blueprint import Blueprint
from actors.journal.journal import Journal
from actors.journal.open import open_journal
from cluster.client import RayClusterView, connect, found_in
from cluster.config import Config
from serve.desk.view import ClusterSnapshot, VenueKillReport
from trading.errors import ClusterUnreachable
from trading.identifiers import MachineName
from trading.messages import Message


class RayLink:
    """`ClusterLink` over a view; its journal connection is its own.

    Parameters
    ----------
    owns_view : bool
        Nobody else uses the view: it is let go together with the link.
    """

    def __init__(self, view: RayClusterView, *, owns_view: bool) -> None:
        self._view = view
        self._owns_view = owns_view
        self._reading = threading.Lock()
        self._journal: Journal | None = None

    @property
    def blueprint(self) -> Blueprint:
        return self._view.blueprint

    def snapshot(self) -> ClusterSnapshot:
        snapshot = self._view.snapshot()
        if not any(actor.alive for actor in snapshot.actors):
            raise ClusterUnreachable(
                f"the cluster {snapshot.name!r} is down; start it with `trader up`."
            )
        return snapshot

    def command(self, to: MachineName, message: Message) -> None:
        self._view.command(to, message)

    @contextmanager
    def journal(self) -> Iterator[Journal]:
        with self._reading:
            if self._journal is None:
                self._journal = open_journal(self._view.journal_url)
            yield self._journal

    def kill(self, *, actor: str, reason: str, flatten: bool) -> list[VenueKillReport]:
        return self._view.kill(reason=reason, flatten=flatten, actor=actor)

    def reset_kill(self, *, actor: str, reason: str) -> None:
        self._view.reset_kill(reason, actor=actor)

    def now_ns(self) -> int:
        return time.time_ns()

    def pause(self, seconds: float) -> None:
        time.sleep(seconds)

    def close(self) -> None:
        with self._reading:
            journal, self._journal = self._journal, None
        if journal is not None:
            journal.close()
        if self._owns_view:
            self._view.close()


def link_inside(config: Config) -> RayLink:
    """Find the cluster in the Ray that this process belongs to.

    Raises
    ------
    ClusterUnreachable
        If it is not there.
    """
    import ray

    return RayLink(found_in(ray, config), owns_view=True)


def link_outside(config: Config) -> RayLink:
    """Find the cluster from a process that belongs to no Ray, or still to one that is gone.

    Raises
    ------
    ClusterUnreachable
        If no cluster answers.
    """
    ray = sys.modules.get("ray")
    if ray is not None and ray.is_initialized():
        try:
            return RayLink(found_in(ray, config), owns_view=True)
        except ClusterUnreachable:
            ray.shutdown()
    return RayLink(connect(config), owns_view=True)
