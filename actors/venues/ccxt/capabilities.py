"""What an exchange takes, from the tables of ccxt; and the least that every one of them takes."""

from collections.abc import Mapping
from typing import Any

from actors.venues.ccxt.dialects import Dialect
from trading.capabilities import OrderCapabilities, VenueCapabilities
from trading.values import AssetClass, DataKind, OrderType, TimeInForce

_AT_ONCE = frozenset({TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC})
"""A market order is over at once, whichever of these it carries."""
_GTC = frozenset({TimeInForce.GTC})
_STREAMS = {
    DataKind.QUOTES: ("watchBidsAsks", "watchTicker", "watchOrderBook"),
    DataKind.TRADES: ("watchTrades",),
    DataKind.BOOKS: ("watchOrderBook",),
    DataKind.BARS: ("watchOHLCV",),
}
_HISTORIES = {DataKind.TRADES: ("fetchTrades",), DataKind.BARS: ("fetchOHLCV",)}
_ASSET_CLASSES = {"spot": AssetClass.CRYPTO, "swap": AssetClass.PERPETUAL}

_LEAST = OrderCapabilities(
    pairs={OrderType.MARKET: _AT_ONCE, OrderType.LIMIT: _GTC},
    is_fractional=True,
    can_replace=False,
)
COMMON = VenueCapabilities(
    orders={AssetClass.CRYPTO: _LEAST, AssetClass.PERPETUAL: _LEAST},
    can_cancel_all=False,
    has_unique_client_order_ids=False,
)


def capabilities_of(
    has: Mapping[str, Any], features: Mapping[str, Any], default_type: str, dialect: Dialect
) -> VenueCapabilities:
    """Return what ccxt says of one exchange.

    Parameters
    ----------
    has, features : mapping
        `exchange.has` and `exchange.features`.
    default_type : str
        `spot` or `swap`.
    """
    create = _create_features(features, default_type)
    times = {
        time
        for time in (TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK)
        if (create.get("timeInForce") or {}).get(time.value)
    } or {TimeInForce.GTC}
    pairs = {OrderType.MARKET: _AT_ONCE, OrderType.LIMIT: frozenset(times)}
    if stop_parameter(features, default_type):
        pairs |= {OrderType.STOP_MARKET: _GTC, OrderType.STOP_LIMIT: _GTC}
    orders = OrderCapabilities(
        pairs=pairs,
        is_fractional=True,
        can_post_only=bool((create.get("timeInForce") or {}).get("PO")),
        can_reduce_only=default_type == "swap",
        can_replace=dialect.can_replace,
    )
    return VenueCapabilities(
        orders={_ASSET_CLASSES[default_type]: orders},
        can_cancel_all=False,
        has_unique_client_order_ids=False,
        streams=_kinds(has, _STREAMS),
        histories=_kinds(has, _HISTORIES),
    )


def stop_parameter(features: Mapping[str, Any], default_type: str) -> str:
    """Return the name of the ccxt parameter that makes an order a stop order; empty when there is none."""
    create = _create_features(features, default_type)
    return next((name for name in ("triggerPrice", "stopLossPrice") if create.get(name)), "")


def needs_direction(features: Mapping[str, Any], default_type: str) -> bool:
    """Say whether a stop order has to tell from which side its trigger is reached."""
    return bool(_create_features(features, default_type).get("triggerDirection"))


def buys_by_cost(features: Mapping[str, Any], default_type: str) -> bool:
    """Say whether a market order to buy is measured in quote currency."""
    return bool(_create_features(features, default_type).get("marketBuyRequiresPrice"))


def _create_features(features: Mapping[str, Any], default_type: str) -> Mapping[str, Any]:
    of_type = (features or {}).get(default_type) or {}
    if default_type == "swap":
        of_type = of_type.get("linear") or {}
    create: Mapping[str, Any] = of_type.get("createOrder") or {}
    return create


def _kinds(
    has: Mapping[str, Any], table: Mapping[DataKind, tuple[str, ...]]
) -> frozenset[DataKind]:
    return frozenset(
        kind for kind, names in table.items() if any(has.get(n) is True for n in names)
    )
