"""From the blueprint of one account to its connections, with the credentials that each of them needs."""

from actors.blueprint import Blueprint
from actors.venues.credentials import read_credentials
from actors.venues.profile import VenueSettings
from trading.errors import ConfigError
from trading.identifiers import Venue
from trading.ports import MarketDataPort, VenuePort


def open_execution(blueprint: Blueprint, secret: bytes) -> VenuePort:
    """Return the connection for orders; not connected yet.

    Raises
    ------
    ConfigError, AuthError
        If the venue is not installed, its options are wrong, or its credentials cannot be read.
    """
    profile = blueprint.profile(blueprint.venue)
    return profile.open_execution(_settings(blueprint, blueprint.venue, secret))


def open_market_data(blueprint: Blueprint, secret: bytes) -> MarketDataPort:
    """Return the connection for market data; not connected yet.

    Raises
    ------
    ConfigError, AuthError
        As `open_execution`; also if the venue has no market data.
    """
    venue = blueprint.venue if blueprint.feed is None else blueprint.feed.venue
    profile = blueprint.profile(venue)
    if profile.open_market_data is None:
        raise ConfigError(f"{profile.title} has no market data; name another venue in feed.venue.")
    return profile.open_market_data(_settings(blueprint, venue, secret))


def _settings(blueprint: Blueprint, venue: Venue, secret: bytes) -> VenueSettings:
    plan = blueprint.venue_plan(venue)
    return VenueSettings(
        venue=venue,
        account_id=blueprint.account_id,
        secret=secret,
        is_live=blueprint.is_live,
        options=plan.options,
        credentials=read_credentials(plan.credentials_file),
        instruments=blueprint.instruments,
    )
