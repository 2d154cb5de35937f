"""Bars and trades of the past, page by page."""

from collections.abc import Mapping
from typing import Any

from actors.venues.ccxt.session import CcxtSession
from actors.venues.pacing import Priority
from trading.data import Bar, TradeTick
from trading.errors import VenueRefused
from trading.identifiers import InstrumentId
from trading.values import NANOS_PER_SECOND, OrderSide

PAGE = 500
PAGES_MAX = 400
NANOS_PER_MS = 1_000_000
_SIDES = {"buy": OrderSide.BUY, "sell": OrderSide.SELL}


async def bars(
    session: CcxtSession, symbol: str, key: InstrumentId, interval_ns: int, start: int, end: int
) -> tuple[Bar, ...]:
    """Return bars that closed in [start, end], oldest first."""
    frame = timeframe(session, interval_ns)
    found: dict[int, Bar] = {}
    since = (start - interval_ns) // NANOS_PER_MS
    for _ in range(PAGES_MAX):
        page = await session.call("fetch_ohlcv", symbol, frame, since, PAGE, priority=Priority.DATA)
        for candle in page:
            bar = bar_of(candle, key, interval_ns)
            if start <= bar.ts_event <= end:
                found[bar.ts_event] = bar
        last = max((int(candle[0]) for candle in page), default=since)
        if last <= since or last * NANOS_PER_MS + interval_ns >= end:
            break
        since = last
    return tuple(found[ts] for ts in sorted(found))


async def trades(
    session: CcxtSession, symbol: str, key: InstrumentId, start: int, end: int
) -> tuple[TradeTick, ...]:
    """Return public trades in [start, end], oldest first; many exchanges keep the last few only."""
    found: dict[str, TradeTick] = {}
    since = start // NANOS_PER_MS
    for _ in range(PAGES_MAX):
        page = await session.call("fetch_trades", symbol, since, PAGE, priority=Priority.DATA)
        known = len(found)
        for raw in page:
            tick = tick_of(raw, key)
            if start <= tick.ts_event <= end:
                found[str(raw.get("id") or (tick.ts_event, tick.price, tick.size))] = tick
        last = max((int(raw["timestamp"]) for raw in page), default=since)
        if len(found) == known or last <= since or last * NANOS_PER_MS >= end:
            break
        since = last
    return tuple(sorted(found.values(), key=lambda tick: tick.ts_event))


def timeframe(session: CcxtSession, interval_ns: int) -> str:
    """Return the exchange's name of an interval.

    Raises
    ------
    VenueRefused
        If the exchange has no bars of that length.
    """
    exchange = session.exchange
    frames: Mapping[str, Any] = exchange.timeframes or {}
    for name in frames:
        if exchange.parse_timeframe(name) * NANOS_PER_SECOND == interval_ns:
            return name
    raise VenueRefused(
        "UNSUPPORTED",
        f"no bars of {interval_ns / NANOS_PER_SECOND:g} s there; there are {', '.join(frames)}",
    )


def bar_of(candle: Any, key: InstrumentId, interval_ns: int, ts_init: int = 0) -> Bar:
    """Return a candle (open time in ms, open, high, low, close, volume) as a bar."""
    opened, open_, high, low, close, volume = candle[:6]
    return Bar(
        ts_event=int(opened) * NANOS_PER_MS + interval_ns,
        ts_init=ts_init,
        instrument_id=key,
        open=float(open_),
        high=float(high),
        low=float(low),
        close=float(close),
        volume=float(volume or 0.0),
    )


def tick_of(raw: Mapping[str, Any], key: InstrumentId, ts_init: int = 0) -> TradeTick:
    """Return a public trade of ccxt as a tick."""
    return TradeTick(
        ts_event=int(raw.get("timestamp") or ts_init // NANOS_PER_MS) * NANOS_PER_MS,
        ts_init=ts_init,
        instrument_id=key,
        price=float(raw["price"]),
        size=float(raw["amount"]),
        aggressor_side=_SIDES.get(str(raw.get("side"))),
    )
