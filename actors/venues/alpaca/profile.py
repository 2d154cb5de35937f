"""Alpaca in one table; the client library is imported when a connection is opened."""

from actors.venues.alpaca.capabilities import CAPABILITIES
from actors.venues.alpaca.config import AlpacaOptions
from actors.venues.profile import VenueProfile, VenueSettings
from trading.errors import ConfigError
from trading.ports import MarketDataPort, VenuePort

_LIBRARIES = frozenset({"alpaca", "requests", "websockets", "msgpack"})


def _open_execution(settings: VenueSettings) -> VenuePort:
    try:
        from actors.venues.alpaca.execution import open_venue
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    return open_venue(settings)


def _open_market_data(settings: VenueSettings) -> MarketDataPort:
    try:
        from actors.venues.alpaca.market_data import open_feed
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    return open_feed(settings)


def _missing(error: ModuleNotFoundError) -> Exception:
    if (error.name or "").partition(".")[0] not in _LIBRARIES:
        return error
    return ConfigError('Alpaca needs alpaca-py: pip install "neural-trader[alpaca]".')


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
