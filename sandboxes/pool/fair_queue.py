"""A queue in which owners take turns."""

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class FairQueue(Generic[Item]):
    """Each owner is served in its own order, and goes to the end of the turn when it was served.

    So between two things of one owner, every other owner whose next thing may be served is served once,
    however much the first one asks for.
    """

    def __init__(self) -> None:
        self._lines: dict[str, deque[Item]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def waiting(self, owner: str) -> int:
        """Return how many things of an owner wait."""
        return len(self._lines.get(owner, ()))

    def put(self, owner: str, item: Item) -> None:
        self._lines.setdefault(owner, deque()).append(item)

    def take(self, may: Callable[[Item], bool]) -> Item | None:
        """Return the next thing; an owner whose first thing `may` not be served keeps its place in the turn."""
        for owner, line in self._lines.items():
            if may(line[0]):
                item = line.popleft()
                del self._lines[owner]
                if line:
                    self._lines[owner] = line
                return item
        return None

    def remove(self, owner: str, item: Item) -> None:
        """Take something out that waits no more."""
        line = self._lines[owner]
        line.remove(item)
        if not line:
            del self._lines[owner]
