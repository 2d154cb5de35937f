"""What the market data API keeps of the past, page by page."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import msgspec

from actors.venues.alpaca.feed_parse import Level
from actors.venues.alpaca.http import RestChannel
from actors.venues.alpaca.ticks import levels
from actors.venues.alpaca.wire import moment, moment_text, shaped
from actors.venues.pacing import Priority
from trading.data import Bar, BookSnapshot, QuoteTick, TradeTick
from trading.errors import OutcomeUnknown, VenueRefused
from trading.instruments import Instrument
from trading.values import NANOS_PER_SECOND, AssetClass, OrderSide

_MINUTE = 60 * NANOS_PER_SECOND
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_PAGE = "10000"
UNSUPPORTED = "UNSUPPORTED"
_T = TypeVar("_T")


class BarRow(msgspec.Struct, frozen=True):
    t: str
    o: float
    h: float
    l: float  # noqa: E741
    c: float
    v: float = 0.0


class QuoteRow(msgspec.Struct, frozen=True):
    t: str
    bp: float = 0.0
    ap: float = 0.0
    bs: float = 0.0
    as_: float = msgspec.field(name="as", default=0.0)


class TradeRow(msgspec.Struct, frozen=True):
    t: str
    p: float
    s: float
    tks: str = ""


class BookRow(msgspec.Struct, frozen=True):
    t: str
    b: list[Level] = []
    a: list[Level] = []


class History:
    """Reads the past of one instrument at a time; raises as calls of a market data port do.

    Parameters
    ----------
    rest : mapping of AssetClass to RestChannel
    feed : str
        Of stocks.
    now : function
        The host's clock (ns UTC).
    """

    def __init__(
        self, rest: Mapping[AssetClass, RestChannel], feed: str, now: Callable[[], int]
    ) -> None:
        self._rest = rest
        self._feed = feed
        self._now = now

    async def bars(
        self, what: Instrument, symbol: str, interval_ns: int, start: int, end: int
    ) -> tuple[Bar, ...]:
        """Return bars that closed in [start, end] (ns UTC); the venue names them by their begin.

        A day bar begins at midnight in New York and counts as closed a day later.
        """
        params = self._period(start - interval_ns, end - interval_ns)
        params["timeframe"] = timeframe(interval_ns)
        if what.asset_class is AssetClass.EQUITY:
            params["adjustment"] = "raw"
        units = float(what.multiplier)
        found = [
            Bar(
                ts_event=moment(row.t) + interval_ns,
                ts_init=self._now(),
                sequence=number,
                instrument_id=what.instrument_id,
                open=row.o,
                high=row.h,
                low=row.l,
                close=row.c,
                volume=row.v * units,
            )
            for number, row in enumerate(await self._rows(what, symbol, "bars", params, BarRow), 1)
        ]
        return tuple(bar for bar in found if start <= bar.ts_event <= end)

    async def quotes(
        self, what: Instrument, symbol: str, start: int, end: int
    ) -> tuple[QuoteTick, ...]:
        """Return quotes in [start, end] (ns UTC); there are none of options."""
        if what.asset_class is AssetClass.OPTION:
            raise VenueRefused(UNSUPPORTED, "Alpaca keeps no history of option quotes")
        units = float(what.multiplier)
        rows = await self._rows(what, symbol, "quotes", self._period(start, end), QuoteRow)
        return tuple(
            QuoteTick(
                ts_event=moment(row.t),
                ts_init=self._now(),
                sequence=number,
                instrument_id=what.instrument_id,
                bid_px=row.bp,
                ask_px=row.ap,
                bid_size=row.bs * units,
                ask_size=row.as_ * units,
            )
            for number, row in enumerate(rows, 1)
        )

    async def trades(
        self, what: Instrument, symbol: str, start: int, end: int
    ) -> tuple[TradeTick, ...]:
        """Return trades in [start, end] (ns UTC)."""
        units = float(what.multiplier)
        rows = await self._rows(what, symbol, "trades", self._period(start, end), TradeRow)
        return tuple(
            TradeTick(
                ts_event=moment(row.t),
                ts_init=self._now(),
                sequence=number,
                instrument_id=what.instrument_id,
                price=row.p,
                size=row.s * units,
                aggressor_side={"B": OrderSide.BUY, "S": OrderSide.SELL}.get(row.tks),
            )
            for number, row in enumerate(rows, 1)
        )

    async def book(self, what: Instrument, symbol: str) -> BookSnapshot:
        """Return the order book of a coin; the venue shows none of stocks and options."""
        if what.asset_class is not AssetClass.CRYPTO:
            raise VenueRefused(UNSUPPORTED, f"Alpaca shows no order book of {what.instrument_id}")
        rest = self._rest[AssetClass.CRYPTO]
        raw = await rest.get("/crypto/us/latest/orderbooks", {"symbols": symbol}, Priority.DATA)
        book = shaped(_under(_under(raw, "orderbooks"), symbol), BookRow)
        return BookSnapshot(
            ts_event=moment(book.t),
            ts_init=self._now(),
            instrument_id=what.instrument_id,
            bids=levels(book.b, is_bid=True),
            asks=levels(book.a, is_bid=False),
        )

    def _period(self, start: int, end: int) -> dict[str, str]:
        return {"start": moment_text(max(start, 0)), "end": moment_text(max(end, 0))}

    async def _rows(
        self, what: Instrument, symbol: str, name: str, params: dict[str, str], kind: type[_T]
    ) -> list[_T]:
        path = {AssetClass.CRYPTO: "/crypto/us", AssetClass.OPTION: "/options"}.get(
            what.asset_class, "/stocks"
        )
        params = {**params, "symbols": symbol, "limit": _PAGE, "sort": "asc"}
        if what.asset_class is AssetClass.EQUITY:
            params["feed"] = self._feed
        found: list[_T] = []
        while True:
            raw = await self._rest[what.asset_class].get(f"{path}/{name}", params, Priority.DATA)
            rows = _under(raw, name)
            found += shaped(rows.get(symbol) or [] if isinstance(rows, dict) else [], list[kind])  # type: ignore[valid-type]
            token = raw.get("next_page_token")
            if not token:
                return found
            params["page_token"] = str(token)


def timeframe(interval_ns: int) -> str:
    """Return what the venue calls a length of bars.

    Raises
    ------
    VenueRefused
        If it makes no bars of this length.
    """
    names: Iterator[tuple[int, int, str]] = iter(
        ((_DAY, 1, "Day"), (_HOUR, 23, "Hour"), (_MINUTE, 59, "Min"))
    )
    for unit, most, name in names:
        count, rest = divmod(interval_ns, unit)
        if rest == 0 and 1 <= count <= most:
            return f"{count}{name}"
    seconds = interval_ns / NANOS_PER_SECOND
    raise VenueRefused(UNSUPPORTED, f"Alpaca makes no bars of {seconds:g} s")


def _under(raw: Any, key: str) -> Any:
    if not isinstance(raw, dict) or key not in raw:
        raise OutcomeUnknown(f"the answer has no {key}")
    return raw[key]
