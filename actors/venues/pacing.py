"""How often a venue may be asked: one budget per key, in which cancels go first."""

import asyncio
import heapq
import time
from collections.abc import Callable
from enum import IntEnum


class Priority(IntEnum):
    """Who goes first when requests have to wait."""

    CANCEL = 0
    ORDER = 1
    QUERY = 2
    DATA = 3


class Pacing:
    """A token bucket that many tasks of one event loop wait at.

    Parameters
    ----------
    count, per_s : int, float
        At most `count` requests in any `per_s` seconds; the bucket starts full.
    now : function
        Monotonic clock (s).
    """

    def __init__(
        self, count: int, per_s: float, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._count = count
        self._per_s = per_s
        self._now = now
        self._sent: list[float] = []
        self._paused_until = 0.0
        self._waiting: list[tuple[Priority, int, asyncio.Future[None]]] = []
        self._order = 0
        self._alarm: asyncio.TimerHandle | None = None

    async def turn(self, priority: Priority = Priority.QUERY) -> None:
        """Return when one more request may be sent; it is counted from now on."""
        if not self._waiting and self._take():
            return
        self._order += 1
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (priority, self._order, turn))
        self._arm()
        await turn

    def pause(self, seconds: float) -> None:
        """Send nothing for so long: the venue said that we are too fast."""
        self._paused_until = max(self._paused_until, self._now() + seconds)

    def _take(self) -> bool:
        now = self._now()
        if now < self._paused_until:
            return False
        self._sent = [at for at in self._sent if at > now - self._per_s]
        if len(self._sent) >= self._count:
            return False
        self._sent.append(now)
        return True

    def _wake(self) -> None:
        self._alarm = None
        while self._waiting:
            if self._waiting[0][2].done():  # its task gave up
                heapq.heappop(self._waiting)
            elif self._take():
                heapq.heappop(self._waiting)[2].set_result(None)
            else:
                self._arm()
                return

    def _arm(self) -> None:
        if self._alarm is None:
            free = self._sent[0] + self._per_s if len(self._sent) >= self._count else 0.0
            delay = max(free, self._paused_until) - self._now()
            self._alarm = asyncio.get_running_loop().call_later(max(delay, 0.001), self._wake)
