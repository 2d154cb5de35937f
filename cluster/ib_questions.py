"""Questions that only Interactive Brokers answers, each over a connection of its own that ends with it."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, TypeVar, cast

import msgspec

from actors.venues.ib.profile import IB
from actors.venues.profile import VenueSettings
from cluster.config import Config
from cluster.config.venue_checks import feed_venue, profile_of
from cluster.venue_access import VenueAccess, credentials_of
from cluster.venue_questions import VenueNews
from trading.errors import (
    ConfigError,
    OutcomeUnknown,
    UsageError,
    VenueRefused,
    VenueUnreachable,
)
from trading.identifiers import InstrumentId
from trading.instruments import Instrument
from trading.values import NANOS_PER_SECOND, AssetClass

if TYPE_CHECKING:
    from actors.venues.ib.market_data import IbMarketData
    from actors.venues.ib.news import Headline
    from actors.venues.ib.options import Greeks, OptionChain
    from actors.venues.ib.scanner import ScannerRow

FIRST_WORD_TIMEOUT_S = 20.0
RETRY_TIMEOUT_S = 4.0
"""After the first attempt failed: long enough for a client id of a moment ago to become free."""
FIRST_GREEKS_TIMEOUT_S = 10.0
NEWS_SPAN_NS = 30 * 86_400 * NANOS_PER_SECOND

_Answer = TypeVar("_Answer")
Ask = Callable[["IbMarketData"], Awaitable[_Answer]]


def ib_settings(config: Config, client_id: int | None = None) -> VenueSettings:
    """Return what a connection is opened with, out of `[venues.ib]`.

    Parameters
    ----------
    client_id : int or None
        Of the connection, instead of the one that is configured for market data.

    Raises
    ------
    ConfigError
        If the client library is not installed, or `[venues.ib]` is another venue.
    """
    name = IB.name
    if profile_of(config, name) is not IB:
        raise ConfigError(f"[venues.{name}] is not {IB.title}; give that table another name.")
    is_ours = name in (config.account.venue, feed_venue(config))
    known = tuple(each.instrument for each in config.instruments) if is_ours else ()
    access = VenueAccess(config.cluster.state_dir, {name: credentials_of(config, name)})
    settings = access.settings(config, name, known)
    if client_id is None:
        return settings
    options = {**settings.options, "market_data_client_id": client_id}
    return VenueSettings(
        venue=settings.venue,
        account_id=settings.account_id,
        is_live=settings.is_live,
        options=options,
        credentials=settings.credentials,
        instruments=settings.instruments,
    )


async def ask_ib(settings: VenueSettings, ask: Ask[_Answer]) -> _Answer:
    """Open the connection for market data, ask, and close it.

    Raises
    ------
    ConfigError
        If an option is wrong.
    AuthError
        If TWS does not let us in.
    VenueUnreachable
        If TWS is not there, or gives no usable answer: asking leaves nothing behind.
    VenueRefused
        If IB refuses the question.
    """
    feed = _open_feed(settings)
    news = VenueNews()
    try:
        await feed.connect(news)
        await _connected(news)
        return await ask(feed)
    except VenueRefused as error:
        raise VenueRefused(error.venue_code, one_line(error.reason)) from None
    except VenueUnreachable as error:
        raise VenueUnreachable(one_line(str(error))) from None
    except OutcomeUnknown as error:
        raise VenueUnreachable(f"no usable answer from TWS: {one_line(str(error))}.") from None
    finally:
        await feed.disconnect()


def _open_feed(settings: VenueSettings) -> "IbMarketData":
    assert IB.open_market_data is not None
    return cast("IbMarketData", IB.open_market_data(settings))


async def _connected(news: VenueNews) -> None:
    """Wait for the session; where the first attempt fails, not for long any more."""
    try:
        async with asyncio.timeout(FIRST_WORD_TIMEOUT_S):
            await news.change()
        async with asyncio.timeout(RETRY_TIMEOUT_S):
            await news.connected()
    except TimeoutError:
        raise VenueUnreachable(
            f"{one_line(news.loss) or 'TWS does not answer'}; see that TWS or IB Gateway runs with its "
            "API enabled, that [venues.ib] has its host and port, and that no other program holds "
            "the client id (--client-id gives another)."
        ) from None


# -- the questions


async def ask_chains(
    feed: "IbMarketData", symbol: str, expiry: str = ""
) -> "tuple[OptionChain, ...]":
    """Return the options on a symbol, by exchange and trading class.

    Parameters
    ----------
    expiry : str
        Only this day (ISO 8601); empty: every one.

    Raises
    ------
    VenueRefused
        If the symbol is unknown or ambiguous, or has no such options.
    """
    from actors.venues.ib.options import option_chain

    underlying = (await _identified(feed, symbol)).instrument_id
    found = await option_chain(feed, underlying)
    if not found:
        raise VenueRefused("NO_OPTIONS", f"IB lists no options on {underlying}.")
    if not expiry:
        return found
    kept = tuple(
        msgspec.structs.replace(chain, expiries=(expiry,))
        for chain in found
        if expiry in chain.expiries
    )
    if not kept:
        raise VenueRefused("NO_OPTIONS", _other_days(underlying, expiry, found))
    return kept


def _other_days(underlying: InstrumentId, expiry: str, found: "tuple[OptionChain, ...]") -> str:
    days = sorted({day for chain in found for day in chain.expiries})
    later = next((day for day in days if day > expiry), days[-1] if days else "none")
    return f"no options on {underlying} expire on {expiry}; the next day is {later}."


async def ask_greeks(
    feed: "IbMarketData", symbol: str, seconds: int = 0
) -> "tuple[Instrument, tuple[Greeks, ...]]":
    """Return an option, and what IB's model computed for it: values that lack volatility or delta are left out.

    Parameters
    ----------
    seconds : int
        For how long to listen; 0: until the first values.

    Raises
    ------
    UsageError
        If the symbol is no option.
    VenueRefused
        If the symbol is unknown or ambiguous.
    VenueUnreachable
        If no values came.
    """
    option = await _identified(feed, symbol)
    if option.asset_class is not AssetClass.OPTION:
        raise UsageError(
            f"{option.instrument_id} is no option; name one like AAPL261218C00250000, or by IB's number."
        )
    patience = seconds or FIRST_GREEKS_TIMEOUT_S
    found = await _listen(feed, option.instrument_id, patience, is_first_enough=not seconds)
    if not found:
        raise VenueUnreachable(
            f"no Greeks of {option.instrument_id} within {patience:g} s: is its market open, and does "
            "the account have market data for it?"
        )
    return option, tuple(found)


async def _listen(
    feed: "IbMarketData", key: InstrumentId, patience_s: float, *, is_first_enough: bool
) -> "list[Greeks]":
    from actors.venues.ib.options import stream_greeks

    found: list[Greeks] = []
    stream = cast("AsyncGenerator[Greeks, None]", stream_greeks(feed, key))
    try:
        async with aclosing(stream), asyncio.timeout(patience_s):
            async for each in stream:
                if each.implied_volatility is not None and each.delta is not None:
                    found.append(each)
                    if is_first_enough:
                        break
    except TimeoutError:
        pass  # the time to listen is over
    return found


async def ask_scan(
    feed: "IbMarketData", code: str, instrument: str, location: str, count: int
) -> "tuple[ScannerRow, ...]":
    """Return what a scan finds, best first; the codes are IB's, see `actors.venues.ib.scanner.Scan`."""
    from actors.venues.ib.scanner import Scan, scan

    wanted = Scan(code=code, instrument=instrument, location=location, count=count)
    return (await scan(feed, wanted))[:count]


async def ask_news(
    feed: "IbMarketData", symbol: str, count: int
) -> "tuple[InstrumentId, tuple[Headline, ...]]":
    """Return an instrument and its newest headlines of 30 days, newest first.

    Raises
    ------
    VenueRefused
        If the symbol is unknown or ambiguous, or the account may read no news.
    """
    from actors.venues.ib.news import headlines

    key = (await _identified(feed, symbol)).instrument_id
    now = time.time_ns()
    found = await headlines(feed, key, now - NEWS_SPAN_NS, now, count=count)
    return key, tuple(reversed(found[-count:]))


async def _identified(feed: "IbMarketData", symbol: str) -> Instrument:
    """Return the one instrument that a symbol means; a refusal names the symbol and what to do."""
    key = InstrumentId(symbol)
    try:
        if key in feed.contracts.configured:
            return await feed.contracts.instrument(feed.connection(), key)
        (found,) = await feed.instruments((symbol,))
        return found
    except VenueRefused as error:
        if error.venue_code == "AMBIGUOUS":
            reason = f"{error.reason}; name one of them, by its conId if nothing else differs."
        else:
            reason = error.reason if symbol in error.reason else f"{symbol}: {error.reason}"
        raise VenueRefused(error.venue_code, reason) from None


def one_line(text: str) -> str:
    """Return text from outside as one line without anything that a terminal would obey."""
    shown = "".join(each if each.isprintable() else " " for each in text)
    return " ".join(shown.split())
