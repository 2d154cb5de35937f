"""The past: bars and ticks, in pieces as large as IB allows and not faster than it allows."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from actors.venues.ib.config import IbOptions
from actors.venues.ib.connection import Connection
from actors.venues.ib.contract_book import to_library
from actors.venues.ib.error_codes import NO_DATA
from actors.venues.ib.instruments import units_per_contract
from actors.venues.ib.messages import ContractListing
from actors.venues.pacing import Pacing, Priority
from trading.data import Bar, QuoteTick, TradeTick
from trading.errors import OutcomeUnknown, VenueRefused
from trading.identifiers import InstrumentId
from trading.values import NANOS_PER_SECOND

REQUESTS, WINDOW_S = 60, 600.0
IDENTICAL_S = 15.0
BURST, BURST_S = 5, 2.0
"""IB's limits: 60 requests in ten minutes, none repeated within 15 s, fewer than 6 of one contract in 2 s."""
TICKS_PER_PAGE = 1_000
PAGES_MAX = 500
DAY_S = 86_400

BAR_SIZES = {
    1: ("1 secs", 1_800),
    5: ("5 secs", 3_600),
    10: ("10 secs", 14_400),
    15: ("15 secs", 14_400),
    30: ("30 secs", 28_800),
    60: ("1 min", DAY_S),
    120: ("2 mins", 2 * DAY_S),
    180: ("3 mins", 7 * DAY_S),
    300: ("5 mins", 7 * DAY_S),
    600: ("10 mins", 7 * DAY_S),
    900: ("15 mins", 7 * DAY_S),
    1_200: ("20 mins", 7 * DAY_S),
    1_800: ("30 mins", 30 * DAY_S),
    3_600: ("1 hour", 30 * DAY_S),
    7_200: ("2 hours", 30 * DAY_S),
    10_800: ("3 hours", 30 * DAY_S),
    14_400: ("4 hours", 30 * DAY_S),
    28_800: ("8 hours", 30 * DAY_S),
    DAY_S: ("1 day", 365 * DAY_S),
}
"""IB's name of a bar by its seconds, and the longest time (s) that one request may cover."""


class HistoryPacing:
    """Waits so that no request for the past is one too many."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._window = Pacing(REQUESTS, WINDOW_S, now=now)
        self._bursts: dict[int, Pacing] = {}
        self._asked: dict[tuple[Any, ...], float] = {}

    async def turn(self, con_id: int, *details: Any) -> None:
        """Return when a request with these details may be sent."""
        key = (con_id, *details)
        now = self._now()
        self._asked = {each: at for each, at in self._asked.items() if now - at < IDENTICAL_S}
        wait = self._asked[key] + IDENTICAL_S - now if key in self._asked else 0.0
        self._asked[key] = now + wait
        if wait > 0:
            await asyncio.sleep(wait)
        burst = self._bursts.setdefault(con_id, Pacing(BURST, BURST_S, now=self._now))
        await burst.turn(Priority.DATA)
        await self._window.turn(Priority.DATA)

    def pause(self) -> None:
        """IB said that we are too fast all the same."""
        self._window.pause(IDENTICAL_S)


class History:
    """Requests for the past of one login."""

    def __init__(self, options: IbOptions, pacing: HistoryPacing | None = None) -> None:
        self._options = options
        self._pacing = HistoryPacing() if pacing is None else pacing

    async def bars(
        self,
        connection: Connection,
        listing: ContractListing,
        key: InstrumentId,
        interval_ns: int,
        span: tuple[int, int],
    ) -> tuple[Bar, ...]:
        """Return the bars that closed within `span` (ns UTC), oldest first.

        A bar of a day closes at the midnight that ends it in the contract's time zone.

        Raises
        ------
        VenueRefused
            If IB has no bars of that length.
        """
        size, pages = plan(interval_ns, span)
        found: dict[int, Bar] = {}
        for end_s, duration in pages:
            rows = await self._page(connection, listing, end_s, duration, size)
            for row in rows:
                bar = _bar(row[0], key, interval_ns, listing)
                if span[0] <= bar.ts_event <= span[1]:
                    found[bar.ts_event] = bar
        return tuple(found[ts] for ts in sorted(found))

    async def trades(
        self,
        connection: Connection,
        listing: ContractListing,
        key: InstrumentId,
        span: tuple[int, int],
    ) -> tuple[TradeTick, ...]:
        """Return the trades within `span` (ns UTC), in whole seconds."""
        ticks = await self._ticks(connection, listing, "TRADES", span)
        units = float(units_per_contract(listing))
        return tuple(
            TradeTick(
                ts_event=_ns(tick.time),
                ts_init=time.time_ns(),
                instrument_id=key,
                price=tick.price,
                size=tick.size * units,
            )
            for tick in ticks
        )

    async def quotes(
        self,
        connection: Connection,
        listing: ContractListing,
        key: InstrumentId,
        span: tuple[int, int],
    ) -> tuple[QuoteTick, ...]:
        """Return the quotes within `span` (ns UTC), in whole seconds."""
        ticks = await self._ticks(connection, listing, "BID_ASK", span)
        units = float(units_per_contract(listing))
        return tuple(
            QuoteTick(
                ts_event=_ns(tick.time),
                ts_init=time.time_ns(),
                instrument_id=key,
                bid_px=tick.priceBid,
                ask_px=tick.priceAsk,
                bid_size=tick.sizeBid * units,
                ask_size=tick.sizeAsk * units,
            )
            for tick in ticks
        )

    async def _page(
        self,
        connection: Connection,
        listing: ContractListing,
        end_s: int,
        duration: str,
        size: str,
    ) -> list[tuple[Any, ...]]:
        end = _utc_text(end_s)
        what = what_to_show(listing)
        await self._pacing.turn(listing.contract.con_id, end, duration, size, what)
        contract = to_library(listing.contract)
        details: tuple[Any, ...] = (contract, end, duration, size, what, False, 2, False, [])
        return await self._asked(connection, "reqHistoricalData", *details)

    async def _ticks(
        self,
        connection: Connection,
        listing: ContractListing,
        what: str,
        span: tuple[int, int],
    ) -> list[Any]:
        found: list[Any] = []
        start_s = span[0] // NANOS_PER_SECOND
        contract = to_library(listing.contract)
        for _ in range(PAGES_MAX):
            start = _utc_text(start_s)
            await self._pacing.turn(listing.contract.con_id, start, what)
            details: tuple[Any, ...] = (contract, start, "", TICKS_PER_PAGE, what, False, False, [])
            rows = await self._asked(connection, "reqHistoricalTicks", *details)
            ticks = [tick for row in rows for tick in row[0]]
            found += [tick for tick in ticks if span[0] <= _ns(tick.time) <= span[1]]
            if not ticks or _ns(ticks[-1].time) >= span[1]:
                return found
            start_s = _ns(ticks[-1].time) // NANOS_PER_SECOND + 1
        raise VenueRefused("TOO_MANY_TICKS", f"more than {PAGES_MAX} pages; ask for less time")

    async def _asked(self, connection: Connection, method: str, *details: Any) -> list[Any]:
        """Ask; what is not there is an empty answer."""
        timeout_s = self._options.history_timeout_s
        try:
            return await connection.ask(method, *details, timeout_s=timeout_s)
        except VenueRefused as error:
            if error.venue_code == str(NO_DATA) and "no data" in error.reason.lower():
                return []
            if "pacing" in error.reason.lower():
                self._pacing.pause()
            raise


def plan(interval_ns: int, span: tuple[int, int]) -> tuple[str, list[tuple[int, str]]]:
    """Return IB's name of the bars, and the end (s UTC) and duration of each request, newest first.

    Raises
    ------
    VenueRefused
        If IB has no bars of that length.
    """
    interval_s = interval_ns // NANOS_PER_SECOND
    if interval_s not in BAR_SIZES or interval_ns % NANOS_PER_SECOND:
        reason = f"IB has no bars of {interval_ns / NANOS_PER_SECOND:g} s"
        raise VenueRefused("UNSUPPORTED", reason)
    size, longest_s = BAR_SIZES[interval_s]
    first = (
        span[0] // NANOS_PER_SECOND - interval_s
    )  # the bar that closes at the start began before
    end = -(-span[1] // NANOS_PER_SECOND)
    pages = []
    while end > first:
        seconds = min(end - first, longest_s)
        pages.append((end, _duration(seconds, interval_s)))
        end -= seconds
    return size, pages


def what_to_show(listing: ContractListing) -> str:
    """Return what bars are made of: currency pairs have no trades."""
    return "MIDPOINT" if listing.contract.sec_type == "CASH" else "TRADES"


def _duration(seconds: int, interval_s: int) -> str:
    if seconds <= DAY_S and interval_s < DAY_S:
        return f"{max(seconds, 30)} S"
    days = -(-seconds // DAY_S)
    return f"{days} D" if days < 365 else "1 Y"


def _bar(row: Any, key: InstrumentId, interval_ns: int, listing: ContractListing) -> Bar:
    volume = max(float(row.volume), 0.0)
    return Bar(
        ts_event=_close_ns(str(row.date), interval_ns, listing.time_zone),
        ts_init=time.time_ns(),
        instrument_id=key,
        open=row.open,
        high=row.high,
        low=row.low,
        close=row.close,
        volume=volume * float(units_per_contract(listing)),
    )


def _close_ns(text: str, interval_ns: int, zone: str) -> int:
    try:
        if len(text) != 8:
            return int(text) * NANOS_PER_SECOND + interval_ns
        day = datetime.strptime(text, "%Y%m%d").replace(tzinfo=ZoneInfo(zone or "UTC"))
    except (ValueError, OSError, KeyError):
        raise OutcomeUnknown(f"TWS sent {text[:40]!r} for the time of a bar") from None
    return _ns(day + timedelta(days=1))


def _utc_text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%d-%H:%M:%S")


def _ns(moment: datetime) -> int:
    return int(moment.timestamp()) * NANOS_PER_SECOND
