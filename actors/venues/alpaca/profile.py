"""Alpaca in one table; the client library is imported when a connection is opened."""

from actors.venues.alpaca.capabilities import CAPABILITIES
from actors.venues.alpaca.config import AlpacaOptions
from actors.venues.profile import VenueProfile, VenueSettings
from trading.ports import MarketDataPort, VenuePort


def _open_execution(settings: VenueSettings) -> VenuePort:
    ALPACA.require_library()
    from actors.venues.alpaca.execution import open_venue

    return open_venue(settings)


def _open_market_data(settings: VenueSettings) -> MarketDataPort:
    ALPACA.require_library()
    from actors.venues.alpaca.market_data import open_feed

    return open_feed(settings)


ALPACA = VenueProfile(
    name="alpaca",
    title="Alpaca",
    capabilities=CAPABILITIES,
    open_execution=_open_execution,
    open_market_data=_open_market_data,
    credentials=("ALPACA_API_KEY", "ALPACA_SECRET_KEY"),
    options=AlpacaOptions,
    library="alpaca",
    extra="alpaca",
)
