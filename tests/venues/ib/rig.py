"""IB through the unmodified ib_async, with the shared desk behind a stub of TWS."""

from decimal import Decimal
from pathlib import Path

from actors.venues.ib.profile import IB
from actors.venues.profile import VenueSettings
from tests.venues.desk import Desk
from tests.venues.faults import Fault, Faults
from tests.venues.ib.contracts import AAPL, INSTRUMENTS, PRICES
from tests.venues.ib.simulator import ACCOUNT_CODE, Simulator
from trading.exchange.fees import Fees
from trading.identifiers import Venue


class IbRig:
    """One TWS, one account."""

    name = "ib"
    profile = IB
    traded = AAPL
    lot = Decimal(10)
    understands = frozenset(Fault)

    def __init__(self) -> None:
        fees = Fees(per_share=Decimal("0.005"), minimum=Decimal(1))
        self.desk = Desk(INSTRUMENTS, PRICES, fees=fees)
        self.faults = Faults()
        self.tws = Simulator(self.desk, self.faults)

    def settings(self, **options: object) -> VenueSettings:
        defaults = {
            "port": self.tws.port,
            "account": ACCOUNT_CODE,
            "client_id": 7,
            # Long: none of them may run out because a thread of a busy machine has to wait.
            "request_timeout_s": 20.0,
            "connect_timeout_s": 20.0,
            "heartbeat_s": 20.0,
            "commission_wait_s": 20.0,
        }
        return VenueSettings(
            venue=Venue("ib"),
            account_id=self.desk.account_id,
            options={**defaults, **options},
            instruments=INSTRUMENTS,
        )

    def open_port(self, **options: object):
        return IB.open_execution(self.settings(**options))

    def open_feed(self, **options: object):
        return IB.open_market_data(self.settings(**options))

    async def quote(self, bid: float, ask: float) -> None:
        self.tws.call(self.tws.market.quote, self.traded, bid, ask)

    async def cut(self) -> None:
        self.tws.cut()

    async def release(self) -> None:
        self.tws.call(self.tws.orders.release)

    async def close(self) -> None:
        self.tws.close()


async def open_rig(folder: Path) -> IbRig:
    """Return a running stub; it keeps nothing in `folder`."""
    return IbRig()
