"""Interactive Brokers in one table; the client library is imported when a connection is opened."""

from actors.venues.ib.capabilities import CAPABILITIES
from actors.venues.ib.config import IbOptions
from actors.venues.profile import VenueProfile, VenueSettings
from trading.ports import MarketDataPort, VenuePort


def _open_execution(settings: VenueSettings) -> VenuePort:
    IB.require_library()
    from actors.venues.ib.execution import open_execution

    return open_execution(settings)


def _open_market_data(settings: VenueSettings) -> MarketDataPort:
    IB.require_library()
    from actors.venues.ib.market_data import open_market_data

    return open_market_data(settings)


IB = VenueProfile(
    name="ib",
    title="Interactive Brokers",
    capabilities=CAPABILITIES,
    open_execution=_open_execution,
    open_market_data=_open_market_data,
    options=IbOptions,
    library="ib_async",
    extra="ib",
)
