"""All executions since a moment, however many answers it takes."""

import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from actors.venues.ccxt.dialects import Paging
from actors.venues.ccxt.session import CcxtSession

PAGES_MAX = 200
_WEEK_MS = 7 * 86_400_000
Trade = Mapping[str, Any]


async def executions(session: CcxtSession, symbols: tuple[str, ...], since_ms: int) -> list[Trade]:
    """Return executions of these markets since a moment (ms UTC), each once, oldest first.

    Raises
    ------
    VenueError
        If an answer is missing: a part of the list is worth nothing.
    """
    found: dict[tuple[str, str], Trade] = {}
    asked: tuple[str | None, ...] = symbols if session.dialect.trades_need_symbol else (None,)
    for symbol in asked:
        async for page in _PAGES[session.dialect.paging](session, symbol, since_ms):
            found |= {(str(t.get("symbol")), str(t.get("id"))): t for t in page}
    return sorted(found.values(), key=lambda trade: trade.get("timestamp") or 0)


async def _by_time(
    session: CcxtSession, symbol: str | None, since: int
) -> AsyncIterator[list[Trade]]:
    size, seen = session.dialect.page_size, set[str]()
    for _ in range(PAGES_MAX):
        page = await session.call("fetch_my_trades", symbol, since, size)
        new = {str(trade.get("id")) for trade in page} - seen
        yield page
        if not new:
            return
        seen |= new
        since = max([since, *(int(trade.get("timestamp") or 0) for trade in page)])


async def _by_number(
    session: CcxtSession, symbol: str | None, since: int
) -> AsyncIterator[list[Trade]]:
    size, params = session.dialect.page_size, dict[str, Any]()
    start: int | None = since
    for _ in range(PAGES_MAX):
        page = await session.call("fetch_my_trades", symbol, start, size, params)
        yield page
        if len(page) < size:
            return
        start, params = None, {"fromId": max(int(trade["id"]) for trade in page) + 1}


async def _by_position(
    session: CcxtSession, symbol: str | None, since: int
) -> AsyncIterator[list[Trade]]:
    size = session.dialect.page_size
    for number in range(PAGES_MAX):
        params = {"ofs": number * size} if number else {}
        page = await session.call("fetch_my_trades", symbol, max(since - 1000, 0), None, params)
        yield page
        if len(page) < size:
            return


async def _by_week(
    session: CcxtSession, symbol: str | None, since: int
) -> AsyncIterator[list[Trade]]:
    size, now = session.dialect.page_size, int(time.time() * 1000)
    for start in range(since, now + 1, _WEEK_MS):
        params: dict[str, Any] = {"until": start + _WEEK_MS - 1}
        for _ in range(PAGES_MAX):
            page = await session.call("fetch_my_trades", symbol, start, size, params)
            yield page
            cursor = next((c for t in page if (c := t["info"].get("nextPageCursor"))), "")
            if not cursor or len(page) < size:
                break
            params = {**params, "cursor": cursor}


_PAGES = {
    Paging.SINCE: _by_time,
    Paging.FROM_ID: _by_number,
    Paging.OFFSET: _by_position,
    Paging.CURSOR: _by_week,
}
