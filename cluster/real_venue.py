"""The parts of a blueprint that only a real venue has: its connections, its instruments, its market data."""

import asyncio

import msgspec

from actors.blueprint import Blueprint, FeedPlan, VenuePlan
from actors.venues.profile import VenueProfile
from cluster.config import Config
from cluster.config.venue_checks import adapter_of, feed_venue, not_streamed, profile_of
from cluster.venue_access import VenueAccess
from cluster.venue_questions import ask_instruments
from trading.capabilities import VenueCapabilities
from trading.errors import ConfigError
from trading.identifiers import InstrumentId, Venue, symbol_of
from trading.instruments import Instrument
from trading.risk.limits import RiskLimits
from trading.values import NANOS_PER_SECOND


def feed_plan(config: Config) -> FeedPlan:
    """Return the market data as it is configured; how much history is known later."""
    feed = config.feed
    return FeedPlan(
        venue=Venue(feed_venue(config)),
        kinds=feed.streamed,
        bar_interval_ns=feed.bar_interval_ns,
        bars_from=feed.bars_from,
        history_bars=feed.history_bars or 1,
    )


def at_real_venue(
    config: Config, blueprint: Blueprint, bars_needed: int, access: VenueAccess
) -> Blueprint:
    """Return `blueprint` with what only the venue knows.

    Raises
    ------
    ConfigError
        If fewer bars are fetched than somebody looks back, or the adapter does not take its options.
    AuthError, VenueError
        If the venue does not let us in, does not know a symbol, or does not answer.
    """
    feed = blueprint.feed
    assert feed is not None
    wanted = config.feed.history_bars
    if wanted is not None and wanted < bars_needed:
        raise ConfigError(
            f"feed.history_bars is {wanted}, but the strategies look {bars_needed} bars back; "
            "raise it or leave it out."
        )
    listed = tuple(_with_sector(config, each) for each in instruments_of(config, access))
    venues = dict.fromkeys((blueprint.venue, feed.venue))
    return msgspec.structs.replace(
        blueprint,
        initial_cash=blueprint.budget,  # until the venue tells its cash, and where it never does
        feed=msgspec.structs.replace(feed, history_bars=wanted or bars_needed),
        listed=listed,
        limits=_at_listings(blueprint.limits, listed),
        venues={venue: _venue_plan(config, venue, access) for venue in venues},
        is_live=config.cluster.mode == "live",
        capabilities=_capabilities(config, access, listed),
        cash_tolerance=config.account.cash_tolerance,
        reconcile_interval_ns=int(config.account.reconcile_interval_s * NANOS_PER_SECOND),
        max_silence_ns=int(config.feed.max_silence_s * NANOS_PER_SECOND),
    )


def instruments_of(config: Config, access: VenueAccess) -> tuple[Instrument, ...]:
    """Return what is traded: as configured, and what the venue says of the other symbols."""
    known = tuple(each.instrument for each in config.instruments)
    named = {each.venue_symbol or symbol_of(each.instrument_id) for each in known}
    symbols = tuple(dict.fromkeys(each for each in config.feed.symbols if each not in named))
    if not symbols:
        return known
    venue, profile = _who_knows(config)
    assert profile.open_market_data is not None
    port = profile.open_market_data(access.settings(config, venue, known))
    return known + asyncio.run(ask_instruments(port, symbols))


def _who_knows(config: Config) -> tuple[str, VenueProfile]:
    """Return the venue that is asked about symbols: where they are traded, if it can be asked."""
    traded = profile_of(config, config.account.venue)
    if traded.open_market_data is not None:
        return config.account.venue, traded
    return feed_venue(config), profile_of(config, feed_venue(config))


def _capabilities(
    config: Config, access: VenueAccess, listed: tuple[Instrument, ...]
) -> VenueCapabilities:
    """Return what the adapter offers with its options; nothing is connected for that."""
    venue = config.account.venue
    profile = profile_of(config, venue)
    offered = profile.open_execution(access.settings(config, venue, listed)).capabilities
    problem = not_streamed(config, profile.title, offered) if feed_venue(config) == venue else ""
    if problem:
        raise ConfigError(problem)
    return offered


def _venue_plan(config: Config, venue: Venue, access: VenueAccess) -> VenuePlan:
    table = config.venues.get(venue)
    return VenuePlan(
        adapter=adapter_of(config, venue),
        options={} if table is None else table.options,
        credentials_file=access.path(venue),
    )


def _with_sector(config: Config, instrument: Instrument) -> Instrument:
    sector = config.risk.sectors.get(symbol_of(instrument.instrument_id))
    return msgspec.structs.replace(instrument, sector=sector) if sector else instrument


def _at_listings(limits: RiskLimits, listed: tuple[Instrument, ...]) -> RiskLimits:
    """Let limits on symbols name the instruments of this venue, wherever they are listed."""
    ids: dict[str, InstrumentId] = {each.instrument_id: each.instrument_id for each in listed}
    ids |= {symbol_of(each.instrument_id): each.instrument_id for each in listed}

    def named(key: InstrumentId) -> InstrumentId:
        return ids.get(symbol_of(key), key)

    return msgspec.structs.replace(
        limits,
        restricted=tuple(named(key) for key in limits.restricted),
        symbols={named(key): value for key, value in limits.symbols.items()},
    )
