"""What a venue does not offer is named, and what it offers passes."""

from decimal import Decimal

import msgspec
import pytest

from trading.capabilities import (
    OrderCapabilities,
    VenueCapabilities,
    unsupported,
    unsupported_list,
    unsupported_replace,
)
from trading.commands import SubmitOrder, SubmitOrderList
from trading.instruments import Instrument
from trading.values import AssetClass, OrderListKind, OrderSide, OrderType, TimeInForce

STOCK = Instrument(instrument_id="AAPL.XNAS")
COIN = Instrument(instrument_id="BTC/USD.ALPACA", asset_class=AssetClass.CRYPTO)
CAPABILITIES = VenueCapabilities(
    orders={
        AssetClass.EQUITY: OrderCapabilities(
            pairs={
                OrderType.MARKET: frozenset({TimeInForce.DAY}),
                OrderType.LIMIT: frozenset({TimeInForce.DAY, TimeInForce.OPG}),
            },
            order_lists=frozenset({OrderListKind.OTO}),
            extended_hours=frozenset({OrderType.LIMIT}),
            can_replace=False,
        ),
        AssetClass.CRYPTO: OrderCapabilities(
            pairs={OrderType.MARKET: frozenset({TimeInForce.GTC})},
            is_fractional=True,
            can_post_only=True,
        ),
    }
)
ORDER = SubmitOrder(
    client_order_id="c" * 32,
    account_id="A",
    strategy_id="s",
    instrument_id="AAPL.XNAS",
    side=OrderSide.BUY,
    quantity=Decimal(1),
)


def but(**changes):
    return msgspec.structs.replace(ORDER, **changes)


LIMIT = but(order_type=OrderType.LIMIT, price=Decimal(1))


@pytest.mark.parametrize(
    ("order", "instrument"),
    [
        (ORDER, STOCK),
        (LIMIT, STOCK),
        (but(order_type=OrderType.LIMIT, time_in_force=TimeInForce.OPG), STOCK),
        (but(order_type=OrderType.LIMIT, extended_hours=True), STOCK),
        (but(quantity=Decimal("0.5"), time_in_force=TimeInForce.GTC), COIN),
        (but(post_only=True, time_in_force=TimeInForce.GTC), COIN),
    ],
)
def test_what_the_table_names_passes(order, instrument):
    assert unsupported(order, instrument, CAPABILITIES) is None


@pytest.mark.parametrize(
    ("order", "instrument", "words"),
    [
        (ORDER, Instrument(instrument_id="X.Y", asset_class=AssetClass.OPTION), "OPTION"),
        (but(order_type=OrderType.STOP_MARKET), STOCK, "STOP_MARKET orders for EQUITY"),
        (but(time_in_force=TimeInForce.IOC), STOCK, "MARKET orders for EQUITY with IOC"),
        (but(extended_hours=True), STOCK, "extended hours"),
        (but(post_only=True), STOCK, "post-only"),
        (but(quantity=Decimal("1.5")), STOCK, "fractions"),
    ],
)
def test_what_it_does_not_name_is_refused_by_name(order, instrument, words):
    assert words in unsupported(order, instrument, CAPABILITIES)


def chain(kind, *orders):
    return SubmitOrderList(kind=kind, account_id="A", orders=orders)


def test_a_list_needs_its_kind_and_each_of_its_orders():
    assert unsupported_list(chain(OrderListKind.OTO, ORDER, LIMIT), STOCK, CAPABILITIES) is None
    bracket = chain(OrderListKind.BRACKET, ORDER, LIMIT, LIMIT)
    assert "BRACKET" in unsupported_list(bracket, STOCK, CAPABILITIES)
    late = chain(OrderListKind.OTO, ORDER, but(order_type=OrderType.STOP_MARKET))
    assert "STOP_MARKET" in unsupported_list(late, STOCK, CAPABILITIES)
    stranger = Instrument(instrument_id="X.Y", asset_class=AssetClass.OPTION)
    assert "OPTION" in unsupported_list(
        chain(OrderListKind.OTO, ORDER, LIMIT), stranger, CAPABILITIES
    )


def test_a_venue_that_changes_no_orders_says_so():
    assert "cancel" in unsupported_replace(STOCK, CAPABILITIES)
    assert unsupported_replace(COIN, CAPABILITIES) is None
