"""What IB takes through TWS, and what is built here: no combinations (BAG) and no conditional orders."""

from trading.capabilities import OrderCapabilities, VenueCapabilities
from trading.values import AssetClass, DataKind, OrderListKind, OrderType, TimeInForce

_DAY, _GTC = TimeInForce.DAY, TimeInForce.GTC
_IOC, _FOK = TimeInForce.IOC, TimeInForce.FOK
_OPG, _CLS = TimeInForce.OPG, TimeInForce.CLS
_RESTING = frozenset({_DAY, _GTC})
_STOPS = dict.fromkeys(
    (OrderType.STOP_MARKET, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP_MARKET), _RESTING
)
_PAIRS = {
    OrderType.MARKET: _RESTING | {_IOC},
    OrderType.LIMIT: _RESTING | {_IOC, _FOK},
    **_STOPS,
}
_LISTS = frozenset({OrderListKind.BRACKET, OrderListKind.OTO, OrderListKind.OCO})
_PLAIN = OrderCapabilities(pairs=_PAIRS, order_lists=_LISTS)
_STOCKS = OrderCapabilities(
    pairs={
        **_PAIRS,
        OrderType.MARKET: _PAIRS[OrderType.MARKET] | {_OPG, _CLS},
        OrderType.LIMIT: _PAIRS[OrderType.LIMIT] | {_OPG, _CLS},
    },
    order_lists=_LISTS,
    extended_hours=frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT}),
)
_FUTURES = OrderCapabilities(
    pairs=_PAIRS,
    order_lists=_LISTS,
    extended_hours=frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT}),
)

CAPABILITIES = VenueCapabilities(
    orders={
        AssetClass.EQUITY: _STOCKS,
        AssetClass.OPTION: _PLAIN,
        AssetClass.FUTURE: _FUTURES,
        AssetClass.FOREX: _PLAIN,
    },
    can_cancel_all=True,
    has_unique_client_order_ids=False,
    streams=frozenset(DataKind),
    histories=frozenset({DataKind.BARS, DataKind.QUOTES, DataKind.TRADES}),
)
