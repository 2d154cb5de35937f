"""The sending end of commands: keeps them, in order, until their machine's host acknowledges them."""

from collections import deque

from actors.bus.counters import Counters
from actors.bus.link import Link
from actors.bus.wire import PAYLOAD_BYTES_MAX, command_frame
from trading.errors import TradingError
from trading.identifiers import MachineName

UNACKNOWLEDGED_MAX = 100_000
"""Commands kept for one machine; a sender that is further ahead is stopped."""


class LinkFull(TradingError):
    """A machine has acknowledged none of the last 100,000 commands; the new one was not taken."""

    code = "BUS_LINK_FULL"


class Outbox:
    """All commands of this host to one machine, wherever that machine lives at the moment.

    Attributes
    ----------
    link : Link or None
        The connection to the host of the machine; None while nobody knows where it is.
    reported : bool or None
        The last `LinkChanged` about the machine; None when there was none.
    """

    def __init__(self, to: MachineName, counters: Counters) -> None:
        self.to = to
        self.link: Link | None = None
        self.reported: bool | None = None
        self._counters = counters
        self._waiting: deque[tuple[int, MachineName, bytes]] = deque()
        self._last = 0

    def send(self, sender: MachineName, payload: bytes) -> None:
        """Keep the command, and transmit it if the link is up.

        Raises
        ------
        LinkFull
            If 100,000 commands wait already; this one was not taken.
        ValueError
            If the payload is longer than `PAYLOAD_BYTES_MAX`: no peer would take it.
        """
        waiting = self._waiting
        if len(waiting) >= UNACKNOWLEDGED_MAX:
            raise LinkFull(
                f"{self.to} has not acknowledged the last {UNACKNOWLEDGED_MAX:,} commands; "
                "wait until it is back."
            )
        if len(payload) > PAYLOAD_BYTES_MAX:
            raise ValueError(f"a command to {self.to} has {len(payload):,} bytes")
        previous = waiting[-1][0] if waiting else 0
        self._last += 1
        waiting.append((self._last, sender, payload))
        self._counters.sent += 1
        link = self.link
        if link is not None and link.is_up:
            link.transmit(command_frame(self._last, previous, self.to, sender, payload))

    def acknowledge(self, sequence: int) -> None:
        """Forget every command up to `sequence`."""
        waiting = self._waiting
        while waiting and waiting[0][0] <= sequence:
            waiting.popleft()
            self._counters.acked += 1

    def repeat(self) -> None:
        """Transmit everything that is not acknowledged, oldest first; the link has just come up."""
        if self.link is None or not self.link.is_up:
            return
        previous = 0
        for sequence, sender, payload in self._waiting:
            self.link.transmit(command_frame(sequence, previous, self.to, sender, payload))
            previous = sequence
            self._counters.resent += 1

    def move(self, link: Link | None) -> None:
        """Send through `link` from now on, beginning with everything that is not acknowledged.

        The commands get new numbers: the new host may have hosted the machine before, and then it
        remembers the old ones.
        """
        if link is self.link:
            return
        self.link = link
        first = self._last + 1
        self._last += len(self._waiting)
        self._waiting = deque(
            (number, sender, payload)
            for number, (_, sender, payload) in enumerate(self._waiting, first)
        )
        self.repeat()
