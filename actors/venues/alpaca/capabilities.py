"""What Alpaca takes, by asset class."""

from trading.capabilities import OrderCapabilities, VenueCapabilities
from trading.values import AssetClass, DataKind, OrderListKind, OrderType, TimeInForce

_DAY, _GTC, _IOC = TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC
_RESTING = frozenset({_DAY, _GTC})
_CRYPTO = frozenset({_GTC, _IOC})

_EQUITY = OrderCapabilities(
    pairs={
        OrderType.MARKET: frozenset(TimeInForce),
        OrderType.LIMIT: frozenset(TimeInForce),
        OrderType.STOP_MARKET: _RESTING,
        OrderType.STOP_LIMIT: _RESTING,
        OrderType.TRAILING_STOP_MARKET: _RESTING,
    },
    order_lists=frozenset({OrderListKind.BRACKET, OrderListKind.OTO, OrderListKind.OCO}),
    extended_hours=frozenset({OrderType.LIMIT}),
    is_fractional=True,
)
_OPTION = OrderCapabilities(
    pairs={OrderType.MARKET: frozenset({_DAY}), OrderType.LIMIT: frozenset({_DAY})},
    order_lists=frozenset({OrderListKind.MULTI_LEG}),
)
_COIN = OrderCapabilities(
    pairs={
        OrderType.MARKET: _CRYPTO,
        OrderType.LIMIT: _CRYPTO,
        OrderType.STOP_LIMIT: _CRYPTO,
    },
    is_fractional=True,
)

CAPABILITIES = VenueCapabilities(
    orders={
        AssetClass.EQUITY: _EQUITY,
        AssetClass.OPTION: _OPTION,
        AssetClass.CRYPTO: _COIN,
    },
    streams=frozenset(DataKind),
    histories=frozenset({DataKind.BARS, DataKind.QUOTES, DataKind.TRADES}),
)
"""Books are streamed for crypto alone; option quotes have no history."""
