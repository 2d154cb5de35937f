"""How far the venue's clock and ours are apart, as far as that is known."""

from typing import Any

from trading.outcomes import VenueClockRead
from trading.values import NANOS_PER_SECOND

DEGRADED_NS = 250_000_000
"""Beyond this people are told."""
HALT_NS = NANOS_PER_SECOND
"""Beyond this no new order leaves: expiries and time stamps mean something else at the venue."""
KEPT_NS = 300 * NANOS_PER_SECOND
"""A reading that nothing newer replaced for so long says nothing any more."""


class VenueClock:
    """The newest reading of the venue's clock; without one, nothing is wrong with it."""

    def __init__(self) -> None:
        self._skew_ns = 0
        self._read_at: int | None = None

    def take(self, reading: VenueClockRead, now: int) -> None:
        """Take a reading over at host time `now` (ns UTC)."""
        self._skew_ns, self._read_at = reading.skew_ns, now

    def is_off(self, now: int) -> bool:
        """Return whether the clocks are too far apart for new orders."""
        return self._is_known(now) and abs(self._skew_ns) > HALT_NS

    def view(self, now: int) -> dict[str, Any]:
        """Return the skew in milliseconds (None: not known) and what it leads to."""
        is_known = self._is_known(now)
        return {
            "skew_ms": self._skew_ns / 1e6 if is_known else None,
            "is_degraded": is_known and abs(self._skew_ns) > DEGRADED_NS,
            "is_off": self.is_off(now),
        }

    def _is_known(self, now: int) -> bool:
        return self._read_at is not None and now - self._read_at <= KEPT_NS
