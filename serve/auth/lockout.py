"""How long somebody who guessed wrong has to wait: a pure count of failed logins."""

from dataclasses import dataclass, field
from ipaddress import ip_address

from trading.values import NANOS_PER_SECOND

FREE_OF_NAME = 5
"""Failures of one name from one address before the first wait."""
FREE_OF_ADDRESS = 20
"""Failures of one address, whatever the name."""
FIRST_WAIT_S = 30
LONGEST_WAIT_S = 900
FORGOTTEN_AFTER_S = 3600
"""Without a failure for so long, counting begins anew."""
KEPT_MAX = 10_000


@dataclass(slots=True)
class Tries:
    """Failures in a row.

    Attributes
    ----------
    last : int
        Time of the newest (ns UTC).
    """

    count: int = 0
    last: int = 0


@dataclass(slots=True)
class Lockout:
    """Counts per name and address, and per address. What it says follows from the facts alone."""

    _tries: dict[tuple[str, str], Tries] = field(default_factory=dict)

    def failed(self, name: str, address: str, now: int) -> None:
        """Count a failure."""
        for key in self._keys(name, address):
            tries = self._tries.setdefault(key, Tries())
            if now - tries.last > FORGOTTEN_AFTER_S * NANOS_PER_SECOND:
                tries.count = 0
            tries.count += 1
            tries.last = now
        if len(self._tries) > KEPT_MAX:
            self._forget(now)

    def succeeded(self, name: str, address: str) -> None:
        """Forget the failures of a name; those of an address stay, or one good account would pay for all."""
        self._tries.pop((name, address), None)

    def wait_s(self, name: str, address: str, now: int) -> int:
        """Return the seconds until the next try may be made; 0 is now."""
        waits = (
            self._wait_ns(key, FREE_OF_NAME if key[0] else FREE_OF_ADDRESS, now)
            for key in self._keys(name, address)
        )
        return -(-max(waits) // NANOS_PER_SECOND)

    def _wait_ns(self, key: tuple[str, str], free: int, now: int) -> int:
        tries = self._tries.get(key)
        if tries is None or tries.count < free:
            return 0
        doublings = min(tries.count - free, 10)
        wait = min(FIRST_WAIT_S << doublings, LONGEST_WAIT_S) * NANOS_PER_SECOND
        return max(0, tries.last + wait - now)

    def _keys(self, name: str, address: str) -> list[tuple[str, str]]:
        """Behind a proxy of this machine, and on it, everybody has one address, which says nothing then."""
        keys = [(name, address)]
        return keys if _says_nothing(address) else [*keys, ("", address)]

    def _forget(self, now: int) -> None:
        horizon = now - LONGEST_WAIT_S * NANOS_PER_SECOND
        self._tries = {key: tries for key, tries in self._tries.items() if tries.last > horizon}


def _says_nothing(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return True
