"""How much a venue may be asked in a while: one budget per key, in which cancels go first."""

import asyncio
import heapq
import time
from collections import deque
from collections.abc import Callable
from enum import IntEnum


class Priority(IntEnum):
    """Who goes first when requests have to wait."""

    CANCEL = 0
    ORDER = 1
    QUERY = 2
    DATA = 3


class Pacing:
    """A rolling window of costs that many tasks of one event loop wait at.

    Parameters
    ----------
    amount, per_s : float
        At most `amount` in any `per_s` seconds: of requests, or of what the venue charges for them. One
        request that costs more than all of it waits for an empty window.
    now : function
        Monotonic clock (s).
    """

    def __init__(
        self, amount: float, per_s: float, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.amount = amount
        self._per_s = per_s
        self._now = now
        self._spent: deque[tuple[float, float]] = deque()
        self._sum = 0.0
        self._paused_until = 0.0
        self._waiting: list[tuple[Priority, int, float, asyncio.Future[None]]] = []
        self._order = 0
        self._alarm: asyncio.TimerHandle | None = None

    async def turn(self, priority: Priority = Priority.QUERY, cost: float = 1.0) -> None:
        """Return when a request of this cost may be sent; it is counted from now on."""
        if cost <= 0 and self._now() >= self._paused_until:
            return
        if not self._waiting and self._spend(cost):
            return
        self._order += 1
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (priority, self._order, cost, turn))
        self._arm()
        await turn

    def room_in(self, cost: float) -> float:
        """Return after how many seconds there will be room for `cost`, if nobody else takes it."""
        now = self._now()
        wait = max(0.0, self._paused_until - now)
        left = self._sum
        for at, spent in self._spent:
            if left + cost <= self.amount:
                break
            wait = max(wait, at + self._per_s - now)
            left -= spent
        return wait

    def pause(self, seconds: float) -> None:
        """Send nothing for so long: the venue said that we are too fast."""
        self._paused_until = max(self._paused_until, self._now() + seconds)

    def _spend(self, cost: float) -> bool:
        now = self._now()
        while self._spent and self._spent[0][0] <= now - self._per_s:
            self._sum -= self._spent.popleft()[1]
        if now < self._paused_until or (self._spent and self._sum + cost > self.amount):
            return False
        self._spent.append((now, cost))
        self._sum += cost
        return True

    def _wake(self) -> None:
        self._alarm = None
        while self._waiting:
            _, _, cost, turn = self._waiting[0]
            if turn.done():  # its task gave up
                heapq.heappop(self._waiting)
            elif self._spend(cost):
                heapq.heappop(self._waiting)
                turn.set_result(None)
            else:
                self._arm()
                return

    def _arm(self) -> None:
        if self._alarm is not None:
            return
        now = self._now()
        free = self._spent[0][0] + self._per_s if self._spent else 0.0
        wait = max((self._paused_until if now < self._paused_until else free) - now, 0.001)
        self._alarm = asyncio.get_running_loop().call_later(wait, self._wake)
