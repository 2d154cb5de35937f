"""Wake-ups that are not lost: what ccxt has to say while nobody waits is said to the next who does.

Every `watch` call of ccxt waits for a future that the next message resolves. A message that arrives while
the caller is still busy with the one before finds no future, and the caller would sleep over it
until yet another message comes.
"""

from collections.abc import Callable
from typing import Any


def keep_wakeups(client: Any) -> None:
    """Let a connection of ccxt remember what it resolved in vain."""
    wakeups = _Wakeups(client.resolve, client.future)
    client.resolve, client.future = wakeups.resolve, wakeups.future
    client.reusableFuture = wakeups.future
    wakeups.waiting = client.futures


class _Wakeups:
    """`waiting` are the futures of the connection, by what they wait for."""

    def __init__(self, resolve: Callable[[Any, str], Any], future: Callable[[str], Any]) -> None:
        self.waiting: dict[str, Any] = {}
        self._resolve = resolve
        self._future = future
        self._awaited: set[str] = set()
        self._missed: dict[str, Any] = {}

    def resolve(self, result: Any, name: str) -> Any:
        if name not in self.waiting and name in self._awaited:
            self._missed[name] = result
        return self._resolve(result, name)

    def future(self, name: str) -> Any:
        found = self._future(name)
        self._awaited.add(name)
        if name in self._missed and not found.done():
            self._resolve(self._missed.pop(name), name)
        return found
