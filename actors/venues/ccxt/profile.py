"""The exchanges behind ccxt in one table; ccxt is imported when a connection is opened."""

from actors.venues.ccxt.capabilities import COMMON
from actors.venues.ccxt.config import CcxtOptions
from actors.venues.profile import VenueProfile, VenueSettings
from trading.ports import MarketDataPort, VenuePort


def _open_execution(settings: VenueSettings) -> VenuePort:
    CCXT.require_library()
    from actors.venues.ccxt.execution import open_execution

    return open_execution(settings)


def _open_market_data(settings: VenueSettings) -> MarketDataPort:
    CCXT.require_library()
    from actors.venues.ccxt.market_data import open_market_data

    return open_market_data(settings)


CCXT = VenueProfile(
    name="ccxt",
    title="CCXT (crypto exchanges)",
    capabilities=COMMON,
    open_execution=_open_execution,
    open_market_data=_open_market_data,
    credentials=("{VENUE}_API_KEY", "{VENUE}_SECRET"),
    optional_credentials=("{VENUE}_PASSWORD",),
    options=CcxtOptions,
    library="ccxt",
    extra="ccxt",
)
