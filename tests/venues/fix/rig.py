"""The FIX adapter before a venue on fixcore, for the suite that all venues share."""

import asyncio
from decimal import Decimal
from pathlib import Path

from actors.venues.fix.profile import FIX
from actors.venues.profile import VenueSettings
from tests.venues.desk import Desk
from tests.venues.faults import Fault, Faults
from tests.venues.fix.floor import Floor
from tests.venues.fix.simulator import FixcoreVenue
from trading.identifiers import InstrumentId, Venue
from trading.instruments import Instrument

AAPL = InstrumentId("AAPL.XNAS")
USERNAME, PASSWORD = "desk-7", "canary-Pa55word"
DIALECT = Path(__file__).parent / "with_positions.toml"


class FixRig:
    """See `tests.venues.rig.VenueRig`."""

    name = "fix"
    profile = FIX
    traded = AAPL
    lot = Decimal(10)
    understands = frozenset(
        {
            Fault.DROP_REQUEST,
            Fault.DROP_RESPONSE,
            Fault.ERROR_5XX,
            Fault.RESET_EXECUTED,
            Fault.HALF_ANSWER,
            Fault.RATE_LIMIT,
            Fault.REJECT_AFTER_ACK,
            Fault.BAD_CREDENTIALS,
            Fault.DROP_STREAM,
            Fault.MUTE_STREAM,
            Fault.DUPLICATE_FILLS,
            Fault.REORDER_FILLS,
            Fault.FILL_BEFORE_ACK,
            Fault.MALFORMED,
            Fault.CLOCK_SKEW,
        }
    )

    def __init__(self, folder: Path, venue=FixcoreVenue, echo_tag: int = 0, **options) -> None:
        self.desk = Desk((Instrument(instrument_id=AAPL),), {AAPL: 100.0})
        self.faults = Faults()
        self.floor = Floor(self.desk, self.faults, echo_tag)
        self.venue = venue(self.floor, USERNAME, PASSWORD)
        self.options = {
            "dialect": str(DIALECT),
            "port": self.venue.port,
            "sender_comp_id": "CLIENT",
            "target_comp_id": "VENUE",
            "account": "ACC",
            "is_test": True,
            "heartbeat_s": 1,
            "logon_timeout_s": 3.0,
            "store_dir": str(folder / "store"),
            **options,
        }

    def open_port(self, **options):
        settings = VenueSettings(
            venue=Venue("fix"),
            account_id=self.desk.account_id,
            options={**self.options, **options},
            credentials={"FIX_FIX_USERNAME": USERNAME, "FIX_FIX_PASSWORD": PASSWORD},
            instruments=tuple(self.desk.instruments.values()),
        )
        return FIX.open_execution(settings)

    def open_feed(self) -> None:
        return None

    async def quote(self, bid: float, ask: float) -> None:
        """A FIX order session has no market data."""

    async def cut(self) -> None:
        await asyncio.to_thread(self.venue.cut)

    async def release(self) -> None:
        await asyncio.to_thread(self.venue.run, self.floor.release)

    async def close(self) -> None:
        await asyncio.to_thread(self.venue.close)


async def open_rig(folder: Path) -> FixRig:
    return FixRig(folder)
