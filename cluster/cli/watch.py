"""Follow a running cluster until its replay is over, on a live screen where there is one."""

import time
from collections.abc import Callable
from contextlib import ExitStack

from rich.console import Console
from rich.live import Live

from cluster import tables
from cluster.screen import render
from cluster.view import ClusterSnapshot, ClusterView
from trading.errors import ClusterUnreachable

POLL_S = 0.25
STALL_S = 60.0
SETTLE_S = 5.0
"""After the last slice the ledger may be a moment behind the exchange: look again for so long."""


def watch(view: ClusterView, *, pace: float, is_live: bool) -> ClusterSnapshot:
    """Look at the cluster four times a second; return the last look.

    Parameters
    ----------
    pace : float
        Slices per second (0: as fast as possible), to know when it stands still.

    Raises
    ------
    ClusterUnreachable
        If the replay makes no progress for a minute (or ten slices).
    """
    with ExitStack() as stack:
        show = stack.enter_context(_Screen()) if is_live else _no_screen
        snapshot = _follow(view, show, max(STALL_S, 10 / pace if pace else 0.0))
    return _settle(view, snapshot)


def _follow(
    view: ClusterView, show: Callable[[ClusterSnapshot], None], stall_s: float
) -> ClusterSnapshot:
    reached, since = -1, time.monotonic()
    while True:
        snapshot = view.snapshot()
        show(snapshot)
        if snapshot.finished:
            return snapshot
        if snapshot.sequence != reached:
            reached, since = snapshot.sequence, time.monotonic()
        elif time.monotonic() - since > stall_s:
            down = [actor.name for actor in snapshot.actors if not actor.alive]
            raise ClusterUnreachable(
                f"the replay stands still at slice {reached} for {stall_s:.0f} s "
                f"({', '.join(down) or 'no actor'} down); the logs are in the state folder."
            )
        time.sleep(POLL_S)


def _settle(view: ClusterView, snapshot: ClusterSnapshot) -> ClusterSnapshot:
    deadline = time.monotonic() + SETTLE_S
    while not (snapshot.check and snapshot.check.is_clean) and time.monotonic() < deadline:
        time.sleep(POLL_S)
        snapshot = view.snapshot()
    return snapshot


def _no_screen(_snapshot: ClusterSnapshot) -> None:
    """Show nothing: no terminal is watching."""


class _Screen:
    """The live screen on stderr; stdout stays free for the result."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._live = Live(console=self._console, screen=True, auto_refresh=False)
        self._equity: list[float] = []

    def __enter__(self) -> "_Screen":
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def __call__(self, snapshot: ClusterSnapshot) -> None:
        equity = tables.machine_view(snapshot, "ledger").get("equity")
        if equity is not None:
            self._equity.append(float(equity))
        width, height = self._console.size
        self._live.update(render(snapshot, width, height, self._equity), refresh=True)
