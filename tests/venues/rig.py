"""What the conformance suite needs of a venue: a simulator, its ground truth, and a way to open the real adapter."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from actors.venues.profile import VenueProfile
from tests.venues.desk import Desk
from tests.venues.faults import Fault, Faults
from trading.identifiers import InstrumentId
from trading.ports import MarketDataPort, VenuePort


class VenueRig(Protocol):
    """One running simulator. `tests/venues/<venue>/rig.py` has `async def open_rig(folder) -> VenueRig`.

    Attributes
    ----------
    traded : InstrumentId
        A liquid instrument; `lot` is a sensible quantity of it. Prices move by `desk.move`.
    understands : frozenset of Fault
        What the protocol can have.
    """

    name: str
    profile: VenueProfile
    desk: Desk
    faults: Faults
    traded: InstrumentId
    lot: Decimal
    understands: frozenset[Fault]

    def open_port(self) -> VenuePort:
        """Return a new adapter, as a restarted process would open it; not connected."""

    def open_feed(self) -> MarketDataPort | None: ...

    async def quote(self, bid: float, ask: float) -> None:
        """Tell subscribers of market data a new quote of `traded`."""

    async def cut(self) -> None:
        """Break every session now, as a network failure does."""

    async def release(self) -> None:
        """Tell what `REORDER_FILLS` held back."""

    async def close(self) -> None:
        """Stop the simulator and everything that it started."""


@dataclass(slots=True)
class Observed:
    """What a port said of its own accord, in order."""

    messages: list[object] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, message: object) -> None:
        self.messages.append(message)
        self._changed.set()

    async def until(self, holds: Callable[[], object], bound_s: float = 60.0) -> None:
        """Wait until something is true of what was said."""
        async with asyncio.timeout(bound_s):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    def of(self, kind: type) -> list[object]:
        return [message for message in self.messages if isinstance(message, kind)]
