"""What is seen while a run goes on: a live screen, a line now and then, or nothing."""

import sys
import time
from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from serve.desk.view import ClusterSnapshot

LINE_INTERVAL_S = 5.0
LOOKS_KEPT = 2_000
"""Readings of the equity for the curve on the screen."""


class Progress(Protocol):
    """Shows snapshots from entering to leaving."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def show(self, snapshot: "ClusterSnapshot") -> None: ...


def progress_of(*, plain: bool, quiet: bool, page: str = "") -> Progress:
    """Return the live screen on a terminal, lines where that is unwelcome, silence when asked for.

    Parameters
    ----------
    page : str
        Address of the page, for the screen; empty when there is none.
    """
    from cluster.cli.output import is_interactive

    if quiet:
        return Silence()
    if not plain and sys.stdout.isatty() and is_interactive():
        return LiveScreen(page)
    return Lines()


class Silence:
    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def show(self, snapshot: "ClusterSnapshot") -> None:
        """Show nothing."""


class Lines(Silence):
    """One line on stderr at the start, at the end, and at most every five seconds between."""

    def __init__(self) -> None:
        self._next = 0.0

    def show(self, snapshot: "ClusterSnapshot") -> None:
        from cluster.cli.output import note

        now = time.monotonic()
        if now >= self._next or snapshot.finished:
            self._next = now + LINE_INTERVAL_S
            note(line_of(snapshot))


class LiveScreen(Silence):
    """The whole terminal, drawn anew with each snapshot; the former content comes back at the end."""

    def __init__(self, page: str = "") -> None:
        from rich.console import Console
        from rich.live import Live

        self._live = Live(console=Console(stderr=True), screen=True, auto_refresh=False)
        self._equity: deque[float] = deque(maxlen=LOOKS_KEPT)
        self._page = page

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def show(self, snapshot: "ClusterSnapshot") -> None:
        from cluster.cli.account import machine_view
        from cluster.screen import render

        equity = machine_view(snapshot, "ledger").get("equity")
        if equity is not None:
            self._equity.append(float(equity))
        size = self._live.console.size
        picture = render(snapshot, size.width, size.height, tuple(self._equity), self._page)
        self._live.update(picture, refresh=True)


def line_of(snapshot: "ClusterSnapshot") -> str:
    """Return the state of a run in one line."""
    from cluster.cli.account import machine_view
    from cluster.cli.wording import day, moment, money
    from cluster.tables import refusal_counts

    ledger = machine_view(snapshot, "ledger")
    orders = ledger.get("orders", {})
    if snapshot.venue is None:
        done = max(0, snapshot.sequence - snapshot.first + 1) if snapshot.sequence else 0
        of = max(0, snapshot.last - snapshot.first + 1)
        where = f"{day(snapshot.clock_ns)}  day {done} of {of}"
    else:
        where = f"{moment(snapshot.clock_ns)}  {snapshot.venue.name} {snapshot.venue.summary}"
    return (
        f"{where}  equity {money(ledger.get('equity'))}  "
        f"orders {orders.get('submitted', 0)}  filled {orders.get('filled', 0)}  "
        f"refused {refusal_counts(snapshot).total()}"
    )
