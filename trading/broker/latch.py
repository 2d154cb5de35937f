"""The kill switch as a fold over its stream: latched, durable, copied once into the account's stream."""

import msgspec

from trading.codec import digest
from trading.events import KillSwitchReset, KillSwitchTripped
from trading.identifiers import StreamName

KillEvent = KillSwitchTripped | KillSwitchReset


class KillLatch:
    """Follows `kill:<account>`; the last event decides.

    The account's stream gets a copy of each event, so that whoever reads the account sees it. A
    copy names its original in `causation_id` and never moves the latch. A trip that is delivered
    again latches again; a reset that is delivered again does nothing: in doubt, nothing trades.
    """

    def __init__(self, stream: StreamName) -> None:
        self._prefix = f"{stream}/"
        self._originals: dict[str, KillEvent] = {}
        self._copied: set[str] = set()
        self.is_latched = False
        self.trip: KillSwitchTripped | None = None

    def is_copy(self, event: KillEvent) -> bool:
        return event.causation_id.startswith(self._prefix)

    def apply(self, event: KillEvent) -> None:
        if self.is_copy(event):
            self._copied.add(event.causation_id.removeprefix(self._prefix))
            return
        key = digest(event)
        if isinstance(event, KillSwitchTripped):
            self.is_latched, self.trip = True, event
        elif key not in self._originals:
            self.is_latched = False
        self._originals[key] = event

    def missing_copies(self, now: int) -> list[KillEvent]:
        """Return the copies that the account's stream lacks, in order."""
        return [
            msgspec.structs.replace(event, ts_init=now, causation_id=f"{self._prefix}{key}")
            for key, event in self._originals.items()
            if key not in self._copied
        ]
