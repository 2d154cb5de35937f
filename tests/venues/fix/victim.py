"""A process that is killed: it logs on, sends orders without end, and says on its output what it knows.

python -m tests.venues.fix.victim PORT STORE
"""

import asyncio
import sys

from actors.venues.fix.profile import FIX
from actors.venues.profile import VenueSettings
from tests.venues.fix.probe import order
from tests.venues.fix.rig import AAPL, DIALECT, PASSWORD, USERNAME
from trading.identifiers import AccountId, Venue
from trading.instruments import Instrument
from trading.outcomes import VenueConnected
from trading.reports import FillReport


async def main(port: int, store: str) -> None:
    settings = VenueSettings(
        venue=Venue("fix"),
        account_id=AccountId("ACC"),
        options={
            "dialect": str(DIALECT),
            "port": port,
            "sender_comp_id": "CLIENT",
            "target_comp_id": "VENUE",
            "account": "ACC",
            "is_test": True,
            "heartbeat_s": 30,
            "logon_timeout_s": 30.0,
            "store_dir": store,
        },
        credentials={"FIX_FIX_USERNAME": USERNAME, "FIX_FIX_PASSWORD": PASSWORD},
        instruments=(Instrument(instrument_id=AAPL),),
    )
    venue, up = FIX.open_execution(settings), asyncio.Event()

    def told(message: object) -> None:
        if isinstance(message, VenueConnected):
            up.set()
        elif isinstance(message, FillReport):
            print("filled", message.client_order_id, flush=True)

    await venue.connect(told)
    await up.wait()
    for number in range(100_000):
        sent = order(f"victim-{number}")
        print("sending", sent.client_order_id, flush=True)
        await venue.submit(sent)
        print("sent", sent.client_order_id, flush=True)


asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
