"""What differs from exchange to exchange and ccxt's own tables do not say: data, read by everything else."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec


class IdStyle(StrEnum):
    """How our 32 hexadecimal digits are written; all of them can be read back.

    HEX: as they are. PREFIXED: behind a fixed prefix. SHORT: behind a prefix, as 25 digits of base 36.
    """

    HEX = "HEX"
    PREFIXED = "PREFIXED"
    SHORT = "SHORT"


class Lookup(StrEnum):
    """How an order is found by our id.

    FETCH: one order by client id. FILTER: lists of open and closed orders that take a client id.
    SEARCH: all open and recent orders are read.
    """

    FETCH = "FETCH"
    FILTER = "FILTER"
    SEARCH = "SEARCH"


class Paging(StrEnum):
    """How to read more executions than one answer holds.

    SINCE: from the time of the last one. FROM_ID: from its number. OFFSET: newest first, by position.
    CURSOR: windows of a week, each with a cursor.
    """

    SINCE = "SINCE"
    FROM_ID = "FROM_ID"
    OFFSET = "OFFSET"
    CURSOR = "CURSOR"


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """One exchange.

    Attributes
    ----------
    id_style, id_prefix
        How client order ids are written.
    takes_our_ids : bool
        False: only numbers are taken as client order ids, so orders cannot be sent there.
    is_deeply_tested : bool
        A simulator of its wire protocol is part of the tests.
    lookup, lookup_param : Lookup, str
        How orders are found by our id, and the name of the parameter.
    closed_orders : str
        The call that lists closed orders by client id.
    orders_by_ids : str
        The call that reads several orders by the exchange's ids; empty: one by one.
    market_buys_in_units : bool
        Whatever ccxt's table says, a market order to buy is measured in units.
    watches : tuple of str
        Calls that keep the private stream up.
    acks : tuple of tuple of str
        What the exchange says when the private stream is subscribed: per message, texts that it contains.
        Without any, a connection that has been open for a moment counts.
    confirms_swaps : bool
        The texts of `acks` come for derivatives too.
    demo_for_swaps : bool
        The test environment of derivatives is the exchange's demo trading.
    fields : mapping of our name to the exchange's names
        Where fields of orders are, as far as ccxt reads them from elsewhere or not at all.
    trade_client_id : tuple of str
        Where executions carry the client order id.
    categories : mapping of our default_type to the exchange's word
        Where one stream tells of spot and derivatives alike, what `category` of a raw message must be.
    margin_cash : str
        Name of the wallet balance in raw balances of derivatives; empty: ccxt's total is it.
    code : str
        Pattern that finds the exchange's own error code in its answer.
    duplicate, refused_credentials, unknown_order, undecided, refused_nonce : str
        Patterns of answers that ccxt does not tell apart (empty: none): the client id is used already; the
        key is not valid; there is no such order; nobody knows what happened; the nonce was bad, so
        nothing was executed.
    has_nonces : bool
        Every request must carry a greater number than the last one that arrived: they leave one by one.
    depths : tuple of int
        Depths of order books that are offered; empty: the exchange's default is taken.
    quotes_from_book : bool
        ccxt keeps quotes and books of one market in one place there, so quotes are the top of the book.
    trades_need_symbol, orders_need_symbol : bool
        Executions, or open orders, are asked for market by market.
    can_replace : bool
        Orders are changed in place, under the same ids.
    budget : tuple of amount, seconds
        Cost units in any window of so many seconds; (0, 0) follows ccxt's rate.
    options : mapping
        ccxt options that we need.
    """

    id_style: IdStyle = IdStyle.HEX
    id_prefix: str = ""
    takes_our_ids: bool = True
    is_deeply_tested: bool = False
    lookup: Lookup = Lookup.SEARCH
    lookup_param: str = "clientOrderId"
    closed_orders: str = "fetch_closed_orders"
    orders_by_ids: str = ""
    market_buys_in_units: bool = False
    watches: tuple[str, ...] = ("watch_orders", "watch_my_trades")
    acks: tuple[tuple[str, ...], ...] = ()
    confirms_swaps: bool = True
    demo_for_swaps: bool = False
    fields: Mapping[str, tuple[str, ...]] = {}
    trade_client_id: tuple[str, ...] = ("clientOrderId", "clientOid", "clOrdId", "client_order_id")
    categories: Mapping[str, str] = {}
    margin_cash: str = ""
    code: str = r'"(?:code|retCode|ret_code|err_code|error_code|errorCode)"\s*:\s*"?(-?\w+)'
    duplicate: str = ""
    refused_credentials: str = ""
    unknown_order: str = ""
    undecided: str = ""
    refused_nonce: str = ""
    has_nonces: bool = False
    depths: tuple[int, ...] = ()
    quotes_from_book: bool = False
    paging: Paging = Paging.SINCE
    page_size: int = 100
    trades_need_symbol: bool = True
    orders_need_symbol: bool = False
    can_replace: bool = False
    budget: tuple[float, float] = (0.0, 0.0)
    options: Mapping[str, Any] = {}


_BINANCE = Dialect(
    is_deeply_tested=True,
    lookup=Lookup.FETCH,
    lookup_param="origClientOrderId",
    watches=("watch_orders",),
    acks=(('"subscriptionId"', '"result"'),),
    confirms_swaps=False,
    demo_for_swaps=True,
    trade_client_id=("c",),
    margin_cash="walletBalance",
    duplicate=r"Duplicate order sent|ClientOrderId is duplicated|-4116\b",
    refused_credentials=r'"code"\s*:\s*-(?:1022|2008|2014|2015)\b',
    undecided=r'"code"\s*:\s*-(?:1000|1001|1006|1007|1008)\b',
    refused_nonce=r"-1021\b",
    paging=Paging.FROM_ID,
    page_size=1000,
    orders_need_symbol=True,
    budget=(300.0, 15.0),
    options={
        "fetchMarkets": {"types": ["spot"]},
        "warnOnFetchOpenOrdersWithoutSymbol": False,
        "adjustForTimeDifference": False,
    },
)
_KRAKEN = Dialect(
    is_deeply_tested=True,
    lookup=Lookup.FILTER,
    orders_by_ids="fetch_orders_by_ids",
    watches=("watch_orders",),
    acks=(('"subscribe"', '"executions"', '"success":true'),),
    fields={
        "clientOrderId": ("cl_ord_id",),
        "amount": ("order_qty", "vol"),
        "filled": ("cum_qty", "vol_exec"),
    },
    trade_client_id=("cl_ord_id",),
    code=r'"(E\w+:[^":]+)',
    duplicate=r"(?i)duplicate[^\"]*(?:cl_ord_id|client)|(?:cl_ord_id|client)[^\"]*(?:duplicate|in use|unique)",
    refused_credentials=r"EAPI:Invalid (?:key|signature)|EGeneral:Permission denied|ESession:Invalid",
    unknown_order=r"EOrder:Unknown order",
    refused_nonce=r"EAPI:Invalid nonce",
    has_nonces=True,
    depths=(10, 25, 100, 500, 1000),
    paging=Paging.OFFSET,
    page_size=50,
    trades_need_symbol=False,
    can_replace=True,
    budget=(45.0, 45.0),
)
_BYBIT = Dialect(
    is_deeply_tested=True,
    lookup=Lookup.FILTER,
    lookup_param="orderLinkId",
    closed_orders="fetch_canceled_and_closed_orders",
    market_buys_in_units=True,
    acks=(('"subscribe"', '"success":true'), ('"subscribe"', '"success":true')),
    fields={"clientOrderId": ("orderLinkId",), "amount": ("qty",)},
    trade_client_id=("orderLinkId",),
    depths=(50, 200, 1000),
    quotes_from_book=True,
    categories={"spot": "spot", "swap": "linear"},
    duplicate=r'"retCode"\s*:\s*(?:110072|170141)\b',
    refused_credentials=r'"ret(?:Code|_code)"\s*:\s*(?:10003|10004|10005|10007|10010|33004)\b',
    unknown_order=r'"retCode"\s*:\s*(?:110001|170213|170142|170143)\b',
    undecided=r'"retCode"\s*:\s*(?:10000|10016|10019|100400)\b',
    refused_nonce=r'"retCode"\s*:\s*10002\b',
    paging=Paging.CURSOR,
    page_size=100,
    trades_need_symbol=False,
    can_replace=True,
    budget=(250.0, 5.0),
    options={
        "fetchMarkets": {"types": ["spot", "linear"]},
        "enableUnifiedMargin": False,
        "enableUnifiedAccount": True,
        "unifiedMarginStatus": 6,
        "fetchOrder": {"acknowledged": True},
    },
)
_NUMBERS_ONLY = Dialect(takes_our_ids=False)
_OTHERS: Mapping[str, Dialect] = {
    "okx": Dialect(
        lookup=Lookup.FETCH,
        lookup_param="clOrdId",
        trade_client_id=("clOrdId",),
        trades_need_symbol=False,
        watches=("watch_orders", "watch_my_trades"),
        duplicate=r"51016\b",
        refused_credentials=r"501(?:00|01|03|05|11|13|19)\b",
    ),
    "gate": Dialect(
        id_style=IdStyle.SHORT, id_prefix="t-", trade_client_id=("text",), trades_need_symbol=False
    ),
    "hyperliquid": Dialect(id_style=IdStyle.PREFIXED, id_prefix="0x", trade_client_id=("cloid",)),
    "bitfinex": _NUMBERS_ONLY,
    "woo": _NUMBERS_ONLY,
    "dydx": _NUMBERS_ONLY,
    "lighter": _NUMBERS_ONLY,
}
_FAMILIES = {
    "binanceus": "binance",
    "binanceusdm": "binance",
    "bybiteu": "bybit",
    "bybitid": "bybit",
    "okxus": "okx",
    "myokx": "okx",
    "gateeu": "gate",
}
_TABLE = {"binance": _BINANCE, "kraken": _KRAKEN, "bybit": _BYBIT, **_OTHERS}
_UNKNOWN = Dialect()


def dialect_of(exchange: str) -> Dialect:
    """Return what is known of an exchange; the cautious default for one that nobody has looked at."""
    return _TABLE.get(_FAMILIES.get(exchange, exchange), _UNKNOWN)
