"""One look at the cluster for everybody who listens, again and again while somebody does.

A listener that is slow gets the newest contents when it comes back: there is no queue that could grow.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

import msgspec

from serve.http.problems import RequestRefused, problem_of
from trading.errors import TradingError

log = logging.getLogger("ray.serve")

PROBLEM = "problem"
LISTENERS_MAX = 200
Wanted = frozenset[str]


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What one topic says.

    Attributes
    ----------
    body : bytes
        JSON.
    mark : bytes
        What makes it differ from the one before; empty: its body.
    newest, oldest : int
        Of the rows in it, where they have numbers that rise; 0 where they have none.
    """

    body: bytes
    mark: bytes = b""
    newest: int = 0
    oldest: int = 0

    def is_same(self, other: "Content | None") -> bool:
        """Say whether nobody needs to be told."""
        return other is not None and (self.mark or self.body) == (other.mark or other.body)


Read = Callable[[Wanted], Mapping[str, Content]]


class Listener:
    """One who listens."""

    def __init__(self, wanted: Wanted, contents: Mapping[str, tuple[int, Content]]) -> None:
        self.wanted = wanted
        self._contents = contents
        self._seen: dict[str, int] = {}
        self._bell = asyncio.Event()
        self.ring()

    def ring(self) -> None:
        self._bell.set()

    async def news(self, patience_s: float) -> dict[str, Content]:
        """Return what it has not seen yet, as soon as there is something; nothing when patience ends."""
        found = self._unseen()
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                while not found:
                    await self._bell.wait()
                    found = self._unseen()
        return found

    def _unseen(self) -> dict[str, Content]:
        self._bell.clear()
        found = {}
        for topic, (number, content) in self._contents.items():
            is_wanted = topic in self.wanted or topic == PROBLEM
            if is_wanted and self._seen.get(topic) != number:
                self._seen[topic] = number
                found[topic] = content
        return found


class Watch:
    """Looks while there are listeners. Belongs to one event loop.

    Parameters
    ----------
    read : callable
        From the wanted topics to their contents; it may block, and runs in a thread.
    every_s : float
        Between two looks.
    instance : str
        Path that problems name.
    """

    def __init__(self, read: Read, every_s: float, instance: str) -> None:
        self._read = read
        self._every_s = every_s
        self._instance = instance
        self._contents: dict[str, tuple[int, Content]] = {}
        self._number = 0
        self._listeners: set[Listener] = set()
        self._hurry = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None

    @property
    def is_looking(self) -> bool:
        return self._looking is not None

    @contextmanager
    def listener(self, wanted: Wanted) -> Iterator[Listener]:
        """Listen for as long as the context lasts.

        Raises
        ------
        RequestRefused
            If too many do (`STREAMS_FULL`, 503).
        """
        if len(self._listeners) >= LISTENERS_MAX:
            raise RequestRefused(
                503,
                "STREAMS_FULL",
                f"{LISTENERS_MAX} streams are open here already; try again, or close one.",
                headers={"Retry-After": "5"},
            )
        one = Listener(wanted, self._contents)
        self._listeners.add(one)
        self._hurry.set()
        if self._looking is None:
            self._looking = asyncio.get_running_loop().create_task(self._look())
        try:
            yield one
        finally:
            self._listeners.discard(one)
            if not self._listeners:
                self._stop()

    def _stop(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
        self._looking = None
        self._contents.clear()

    async def _look(self) -> None:
        while True:
            self._hurry.clear()
            wanted = frozenset[str]().union(*(one.wanted for one in self._listeners))
            try:
                found = await asyncio.to_thread(self._read, wanted)
            except Exception as error:  # listeners are told, and it goes on trying
                found = {PROBLEM: self._problem(error)}
            self._publish(found)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._every_s):
                    await self._hurry.wait()

    def _problem(self, error: Exception) -> Content:
        known = self._contents.get(PROBLEM)
        if known is not None and not isinstance(error, TradingError):
            return known[1]  # it is in the log already
        return Content(body=msgspec.json.encode(problem_of(error, self._instance, "")))

    def _publish(self, found: Mapping[str, Content]) -> None:
        """Keep what was found and nothing else, so that after a problem everything is news again."""
        changed = {
            topic: content
            for topic, content in found.items()
            if not content.is_same(self._contents.get(topic, (0, None))[1])
        }
        for topic in self._contents.keys() - found.keys():
            del self._contents[topic]  # nobody asks for it any more: it would grow old
        for topic, content in changed.items():
            self._number += 1
            self._contents[topic] = (self._number, content)
        for one in self._listeners if changed else ():
            one.ring()
