"""Options at IB: the chain of an underlying, implied volatility, Greeks in real time."""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import msgspec

from actors.venues.ib import decode
from actors.venues.ib.connection import Connection
from actors.venues.ib.contract_book import to_library
from actors.venues.ib.market_data import IbMarketData
from actors.venues.pacing import Priority
from trading.errors import OutcomeUnknown, VenueUnreachable
from trading.identifiers import InstrumentId

_MODEL_TICKS = frozenset({13, 83})
"""IB's own model, live and delayed; bid, ask and last have ticks of their own."""
_UNSET = 1e300
_NOT_COMPUTED = -2.0


class OptionChain(msgspec.Struct, frozen=True, kw_only=True):
    """Options on one underlying at one exchange.

    Attributes
    ----------
    exchange : str
        IB's name; `SMART` is all of them together.
    multiplier : Decimal
        Units per contract.
    expiries : tuple of str
        Days (ISO 8601), earliest first.
    strikes : tuple of Decimal
        Lowest first; not every strike exists for every expiry.
    """

    underlying: InstrumentId
    exchange: str
    trading_class: str
    multiplier: Decimal
    expiries: tuple[str, ...]
    strikes: tuple[Decimal, ...]


class Greeks(msgspec.Struct, frozen=True, kw_only=True):
    """Sensitivities of one option, of one unit, as IB's model has them; None where it has none.

    Attributes
    ----------
    implied_volatility : float or None
        Of one year (fraction).
    delta, gamma : float or None
        Of the price, by the price of the underlying.
    vega : float or None
        Change of the price for one point (0.01) of volatility.
    theta : float or None
        Change of the price in one day.
    price, underlying_price : float or None
        That they hold for.
    """

    ts_init: int
    instrument_id: InstrumentId
    implied_volatility: float | None = None
    delta: float | None = None
    gamma: float | None = None
    vega: float | None = None
    theta: float | None = None
    price: float | None = None
    underlying_price: float | None = None


async def option_chain(feed: IbMarketData, underlying: InstrumentId) -> tuple[OptionChain, ...]:
    """Return the options on `underlying`, one entry per exchange and trading class.

    Raises
    ------
    VenueError
        As every question to a venue.
    """
    connection = feed.connection()
    contract = (await feed.contracts.listing(connection, underlying)).contract
    exchange = contract.exchange if contract.sec_type == "FUT" else ""
    rows = await connection.ask(
        "reqSecDefOptParams", contract.symbol, exchange, contract.sec_type, contract.con_id
    )
    return tuple(_chain(underlying, row) for row in rows)


async def implied_volatility(
    feed: IbMarketData, option: InstrumentId, price: float, underlying_price: float
) -> Greeks:
    """Return what IB's model makes of a price of an option."""
    connection = feed.connection()
    contract = to_library((await feed.contracts.listing(connection, option)).contract)
    rows = await connection.ask(
        "calculateImpliedVolatility",
        contract,
        price,
        underlying_price,
        [],
        cancel="cancelCalculateImpliedVolatility",
    )
    if not rows:
        raise OutcomeUnknown("IB computed nothing")
    return _greeks(option, rows[-1])


async def stream_greeks(feed: IbMarketData, option: InstrumentId) -> AsyncIterator[Greeks]:
    """Yield the Greeks of an option whenever IB computes them anew, until the caller stops.

    Raises
    ------
    VenueUnreachable
        When the connection breaks; begin again when the feed is back.
    """
    connection = feed.connection()
    contract = to_library((await feed.contracts.listing(connection, option)).contract)
    arrived: asyncio.Queue[Greeks] = asyncio.Queue()

    def take(name: str, values: tuple[Any, ...]) -> None:
        if name == "tickOptionComputation" and int(values[0]) in _MODEL_TICKS:
            arrived.put_nowait(_greeks(option, values))

    number = connection.next_id()
    connection.follow(number, take)
    try:
        await connection.send(Priority.DATA, "reqMktData", number, contract, "", False, False, [])
        while True:
            yield await _next_or_closed(arrived, connection)
    finally:
        connection.unfollow(number)
        if connection.is_open:
            await connection.send(Priority.DATA, "cancelMktData", number)


async def _next_or_closed(arrived: asyncio.Queue[Greeks], connection: Connection) -> Greeks:
    waiting = asyncio.ensure_future(arrived.get())
    pending: set[asyncio.Future[Any]] = {waiting, connection.closed}
    try:
        await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            return waiting.result()
        raise VenueUnreachable(connection.closed.result())
    finally:
        waiting.cancel()


def _chain(underlying: InstrumentId, row: tuple[Any, ...]) -> OptionChain:
    exchange, _, trading_class, multiplier, expiries, strikes = row
    return OptionChain(
        underlying=underlying,
        exchange=exchange,
        trading_class=trading_class,
        multiplier=decode.number(multiplier),
        expiries=tuple(sorted(f"{day[:4]}-{day[4:6]}-{day[6:8]}" for day in expiries)),
        strikes=tuple(sorted(decode.number(strike) for strike in strikes)),
    )


def _greeks(option: InstrumentId, values: tuple[Any, ...]) -> Greeks:
    _, _, volatility, delta, price, _, gamma, vega, theta, underlying_price = values
    return Greeks(
        ts_init=time.time_ns(),
        instrument_id=option,
        implied_volatility=_at_least(volatility, 0.0),
        delta=_computed(delta),
        gamma=_computed(gamma),
        vega=_computed(vega),
        theta=_computed(theta),
        price=_at_least(price, 0.0),
        underlying_price=_at_least(underlying_price, 0.0),
    )


def _known(value: float) -> float | None:
    return value if math.isfinite(value) and abs(value) < _UNSET else None


def _at_least(value: float, lowest: float) -> float | None:
    """IB sends -1 for a price or volatility that it does not have."""
    return value if _known(value) is not None and value >= lowest else None


def _computed(value: float) -> float | None:
    """IB sends exactly -2 for a sensitivity that it does not have."""
    return value if _known(value) is not None and value != _NOT_COMPUTED else None
