"""What a venue can do, as a table: what is not in it is emulated or refused by name, before it is sent."""

from collections.abc import Mapping

import msgspec

from trading.commands import SubmitOrder, SubmitOrderList
from trading.instruments import Instrument
from trading.values import AssetClass, DataKind, OrderListKind, OrderType, TimeInForce


class OrderCapabilities(msgspec.Struct, frozen=True, kw_only=True):
    """Orders that a venue takes for one asset class.

    Attributes
    ----------
    pairs : mapping of OrderType to the TimeInForce that go with it
    order_lists : frozenset of OrderListKind
        Taken as one request that the venue itself watches over.
    extended_hours : frozenset of OrderType
        May trade outside of the regular session.
    is_fractional : bool
        Quantities may be less than one unit.
    """

    pairs: Mapping[OrderType, frozenset[TimeInForce]]
    order_lists: frozenset[OrderListKind] = frozenset()
    extended_hours: frozenset[OrderType] = frozenset()
    is_fractional: bool = False
    can_post_only: bool = False
    can_reduce_only: bool = False
    can_replace: bool = True


class VenueCapabilities(msgspec.Struct, frozen=True, kw_only=True):
    """One venue as a table.

    Attributes
    ----------
    orders : mapping of AssetClass to OrderCapabilities
    can_cancel_all : bool
        In one request; without it the adapter cancels order by order.
    has_unique_client_order_ids : bool
        The venue itself refuses an id that it has seen.
    replays_missed : bool
        After a disconnect the venue tells what was missed (FIX); without it the adapter asks.
    streams, histories : frozenset of DataKind
        Market data that the venue streams, and that it answers for the past.
    """

    orders: Mapping[AssetClass, OrderCapabilities]
    can_cancel_all: bool = True
    has_unique_client_order_ids: bool = True
    replays_missed: bool = False
    streams: frozenset[DataKind] = frozenset()
    histories: frozenset[DataKind] = frozenset()


def unsupported(
    order: SubmitOrder, instrument: Instrument, capabilities: VenueCapabilities
) -> str | None:
    """Return what about `order` the venue does not offer, as one sentence; None when it takes all of it."""
    kind = instrument.asset_class
    offered = capabilities.orders.get(kind)
    if offered is None:
        return f"the venue does not trade {kind}"
    times = offered.pairs.get(order.order_type, frozenset())
    if not times:
        return f"the venue takes no {order.order_type} orders for {kind}"
    if order.time_in_force not in times:
        return f"the venue takes no {order.order_type} orders for {kind} with {order.time_in_force}"
    if order.extended_hours and order.order_type not in offered.extended_hours:
        return f"the venue takes no {order.order_type} orders for {kind} in extended hours"
    if order.post_only and not offered.can_post_only:
        return f"the venue takes no post-only orders for {kind}"
    if order.quantity % 1 and not offered.is_fractional:
        return f"the venue takes no fractions of {kind}"
    return None


def unsupported_replace(instrument: Instrument, capabilities: VenueCapabilities) -> str | None:
    """Return why no working order in `instrument` can be changed at the venue; None when it can."""
    kind = instrument.asset_class
    offered = capabilities.orders.get(kind)
    if offered is not None and offered.can_replace:
        return None
    return f"the venue changes no working orders for {kind}; cancel the order and send a new one"


def unsupported_list(
    order_list: SubmitOrderList, instrument: Instrument, capabilities: VenueCapabilities
) -> str | None:
    """Return what about a list the venue does not offer; None when it takes all of it."""
    offered = capabilities.orders.get(instrument.asset_class)
    if offered is None or order_list.kind not in offered.order_lists:
        return f"the venue takes no {order_list.kind} lists for {instrument.asset_class}"
    reasons = (unsupported(order, instrument, capabilities) for order in order_list.orders)
    return next((reason for reason in reasons if reason is not None), None)
