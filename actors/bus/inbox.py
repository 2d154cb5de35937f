"""The receiving end of commands: takes each once and in order, and remembers what to acknowledge."""

import time

from actors.bus.counters import Counters
from actors.bus.wire import Token
from trading.identifiers import MachineName

Key = tuple[bytes, MachineName]
"""One connection of one life of a sending host, and the machine it sends to."""


class Inbox:
    """Cumulative per sender and destination machine; one life long.

    Senders that are gone are never forgotten: it is a few bytes per restart of a peer, and a
    late frame of an old life must not disturb the count of the new one.
    """

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._received: dict[Key, int] = {}
        self._acknowledged: dict[Key, int] = {}
        self._due: dict[Key, int] = {}
        self.due_since = 0.0

    def admit(self, identity: bytes, to: MachineName, sequence: int, previous: int) -> bool:
        """Say whether this command is the next one."""
        key = (identity, to)
        last = self._received.get(key, 0)
        if sequence <= last:
            self._counters.duplicates += 1
            if key in self._acknowledged:  # the sender missed the acknowledgement
                self._make_due(key, self._acknowledged[key])
            return False
        if previous > last:
            self._counters.gaps += 1
            return False
        self._received[key] = sequence
        self._counters.received += 1
        return True

    def ack(self, token: Token) -> None:
        key = (token.identity, token.to)
        newest = max(token.number, self._acknowledged.get(key, 0))
        self._acknowledged[key] = newest
        self._make_due(key, newest)

    @property
    def is_due(self) -> bool:
        """Whether an acknowledgement waits; since `due_since` (monotonic s)."""
        return bool(self._due)

    def take_due(self) -> dict[Key, int]:
        """Return the acknowledgements to send, newest per key, and forget that they are due."""
        due, self._due = self._due, {}
        return due

    def _make_due(self, key: Key, sequence: int) -> None:
        if not self._due:
            self.due_since = time.monotonic()
        self._due[key] = sequence
