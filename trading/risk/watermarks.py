"""How far all strategies are: a slice is done when the slowest of them says so."""

from collections.abc import Iterable

from trading.identifiers import MachineName


class Watermarks:
    """Progress of each sender, and of the slowest."""

    def __init__(self, senders: Iterable[MachineName]) -> None:
        self._reached = dict.fromkeys(senders, 0)
        self._passed = 0

    def advance(self, sender: MachineName, sequence: int) -> int | None:
        """Note that `sender` is done with `sequence`; return the slice that all are done with now.

        None when that did not change, or when nobody waits for this sender.
        """
        if sender not in self._reached:
            return None
        self._reached[sender] = max(self._reached[sender], sequence)
        done = min(self._reached.values())
        if done <= self._passed:
            return None
        self._passed = done
        return done
