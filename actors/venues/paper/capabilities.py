"""What the simulated exchange takes."""

from trading.capabilities import OrderCapabilities, VenueCapabilities
from trading.values import AssetClass, OrderListKind, OrderType, TimeInForce

_TIMES = frozenset({TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK})
_AUCTIONS = frozenset({TimeInForce.OPG, TimeInForce.CLS})
_IN_AUCTIONS = frozenset({OrderType.MARKET, OrderType.LIMIT})
_ORDERS = OrderCapabilities(
    pairs={kind: _TIMES | _AUCTIONS if kind in _IN_AUCTIONS else _TIMES for kind in OrderType},
    order_lists=frozenset({OrderListKind.BRACKET, OrderListKind.OTO, OrderListKind.OCO}),
    extended_hours=frozenset({OrderType.LIMIT}),
    is_fractional=True,
    can_post_only=True,
)

CAPABILITIES = VenueCapabilities(orders=dict.fromkeys(AssetClass, _ORDERS))
