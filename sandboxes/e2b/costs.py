"""What sandboxes cost: seconds that they ran, times a table of prices."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec

MIB_PER_GIB = 1024


class Prices(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Prices while running, billed by what is allotted. `as_of` says when they were read."""

    as_of: str
    usd_per_vcpu_s: Decimal
    usd_per_gib_s: Decimal

    def usd(self, seconds: Decimal, cpu_count: int, memory_mb: int) -> Decimal:
        """Return the price of a sandbox of that size that ran so long."""
        per_s = (
            self.usd_per_vcpu_s * cpu_count + self.usd_per_gib_s * Decimal(memory_mb) / MIB_PER_GIB
        )
        return seconds * per_s


def shipped_prices() -> Prices:
    """Return the table that comes with this package."""
    path = Path(__file__).with_name("prices.toml")
    return msgspec.toml.decode(path.read_bytes(), type=Prices)


class Meter:
    """Counts what one sandbox costs. It runs from its making.

    Parameters
    ----------
    life_s : int
        The service ends the sandbox then at the latest.
    clock : callable
        Seconds, monotonic.
    """

    def __init__(
        self,
        prices: Prices,
        cpu_count: int,
        memory_mb: int,
        life_s: int,
        clock: Callable[[], float],
    ) -> None:
        self._prices = prices
        self._cpu_count = cpu_count
        self._memory_mb = memory_mb
        self._clock = clock
        self._started = clock()
        self._end = self._started + life_s
        self._stopped: float | None = None

    def stop(self) -> None:
        """Count no further: it is paused or gone."""
        if self._stopped is None:
            self._stopped = self._clock()

    def live_until(self, life_s: int) -> None:
        """Take a new end: so long from now."""
        self._end = self._clock() + life_s

    @property
    def running(self) -> bool:
        return self._stopped is None

    @property
    def seconds(self) -> Decimal:
        """Return how long it ran until now."""
        until = self._clock() if self._stopped is None else self._stopped
        return Decimal(str(min(until, self._end) - self._started))

    @property
    def usd(self) -> Decimal:
        """Return what it cost until now."""
        return self._prices.usd(self.seconds, self._cpu_count, self._memory_mb)
