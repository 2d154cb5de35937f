"""What is wrong with a parent order, as one sentence: checked once, before the desk takes it."""

from collections.abc import Mapping
from decimal import Decimal

from trading.algorithms.parameters import (
    Algorithm,
    Bracket,
    ChildRole,
    Iceberg,
    Listing,
    Oco,
    Twap,
    Vwap,
    WithExits,
    slice_count,
)
from trading.commands import ExecuteOrder
from trading.instruments import Instrument
from trading.routing.lots import sendable
from trading.values import OrderSide, TimeInForce

SLICES_MAX = 1_000
LISTINGS_MAX = 32


def objection(
    order: ExecuteOrder, instruments: Mapping[Listing, Instrument], now: int
) -> str | None:
    """Return what about the order cannot be worked; None when it can.

    Parameters
    ----------
    instruments : mapping of Listing to Instrument
        What the desk can trade, and where.
    """
    try:
        return (
            _about_listings(order, instruments)
            or _about_numbers(order, instruments, now)
            or _about_algorithm(order, order.algorithm)
            or _about_prices(order, instruments)
        )
    except (ValueError, ArithmeticError):
        return "a quantity or a price has more digits than the grid of the instrument can hold"


def _about_listings(order: ExecuteOrder, known: Mapping[Listing, Instrument]) -> str | None:
    if not order.client_order_id or not order.strategy_id:
        return "client_order_id and strategy_id must not be empty"
    if not order.listings or len(order.listings) > LISTINGS_MAX:
        return f"listings must name 1 to {LISTINGS_MAX} places, got {len(order.listings)}"
    if len(set(order.listings)) < len(order.listings):
        return "listings must not repeat a place"
    for one in order.listings:
        if one not in known:
            return (
                f"this desk does not trade {one.instrument_id} at {one.venue} with {one.account_id}"
            )
    currencies = {known[one].currency for one in order.listings}
    if len(currencies) > 1:
        return f"listings must share one quote currency, got {', '.join(sorted(currencies))}"
    if isinstance(order.algorithm, Bracket | Oco) and len(order.listings) > 1:
        return "a bracket or an OCO works at one listing"
    return None


def _about_numbers(
    order: ExecuteOrder, known: Mapping[Listing, Instrument], now: int
) -> str | None:
    if not _is_positive(order.quantity):
        return f"quantity must be a positive number, got {order.quantity}"
    if order.limit_price is not None and not _is_positive(order.limit_price):
        return f"limit_price must be a positive number, got {order.limit_price}"
    instruments = [known[one] for one in order.listings]
    if not any(sendable(order.quantity, each, order.limit_price) for each in instruments):
        return f"quantity {order.quantity} is less than the smallest order of every listing"
    if not any(order.quantity % each.lot_size == 0 for each in instruments):
        return f"quantity {order.quantity} is not a whole number of lots at any listing"
    if order.expires_at < 0 or 0 < order.expires_at <= now:
        return "expires_at has passed"
    if order.time_in_force not in (TimeInForce.DAY, TimeInForce.GTC):
        return f"time_in_force must be DAY or GTC, got {order.time_in_force}"
    return None


def _about_algorithm(order: ExecuteOrder, algorithm: Algorithm) -> str | None:
    match algorithm:
        case Twap() | Vwap():
            return _about_slices(algorithm)
        case Iceberg():
            if order.limit_price is None:
                return "an iceberg needs limit_price"
            if not _is_positive(algorithm.display_qty):
                return f"display_qty must be a positive number, got {algorithm.display_qty}"
            return _about_part("jitter", algorithm.jitter, is_open_above=True)
        case Bracket() | Oco():
            return _about_exits(order, algorithm)


def _about_slices(algorithm: Twap | Vwap) -> str | None:
    count = slice_count(algorithm)
    if not 1 <= count <= SLICES_MAX:
        return f"there must be 1 to {SLICES_MAX} slices, got {count}"
    if algorithm.window_ns < count:
        return f"window_ns is too short for {count} slices"
    if isinstance(algorithm, Vwap):
        if not all(volume.is_finite() and volume >= 0 for volume in algorithm.volumes):
            return "volumes must be numbers of at least 0"
        if not any(algorithm.volumes):
            return "volumes must not all be 0"
        cap = algorithm.participation
        if cap is not None and not (cap.is_finite() and 0 < cap <= 1):
            return f"participation must be above 0 and at most 1, got {cap}"
    return _about_part("jitter", algorithm.jitter)


def _about_part(name: str, part: Decimal, *, is_open_above: bool = False) -> str | None:
    if part.is_finite() and 0 <= part <= 1 and not (is_open_above and part == 1):
        return None
    return f"{name} must be from 0 to 1{' (exclusive)' if is_open_above else ''}, got {part}"


def _about_exits(order: ExecuteOrder, algorithm: WithExits) -> str | None:
    prices = (algorithm.take_profit_px, algorithm.stop_loss_px, algorithm.stop_limit_px)
    if not all(price is None or _is_positive(price) for price in prices):
        return "take_profit_px, stop_loss_px and stop_limit_px must be positive numbers"
    if algorithm.rests is ChildRole.PART:
        return "rests must be STOP_LOSS or TAKE_PROFIT"
    exit_side = order.side.opposite if isinstance(algorithm, Bracket) else order.side
    sells = exit_side is OrderSide.SELL
    if (algorithm.take_profit_px > algorithm.stop_loss_px) is not sells:
        where = "above" if sells else "below"
        return f"take_profit_px must be {where} stop_loss_px for exits that {exit_side}"
    limit = order.limit_price
    if isinstance(algorithm, Bracket) and limit is not None:
        low, high = sorted((algorithm.take_profit_px, algorithm.stop_loss_px))
        if not low < limit < high:
            return f"limit_price {limit} must be between the exits, {low} and {high}"
    return None


def _about_prices(order: ExecuteOrder, known: Mapping[Listing, Instrument]) -> str | None:
    """The exits of a bracket go to the venue as they are; a limit is rounded to each venue's ticks."""
    algorithm = order.algorithm
    if not isinstance(algorithm, Bracket | Oco):
        return None
    tick = known[order.listings[0]].tick_size
    for name in ("take_profit_px", "stop_loss_px", "stop_limit_px"):
        price = getattr(algorithm, name)
        if price is not None and price % tick:
            return f"{name} {price} is not a multiple of the tick {tick}"
    return None


def _is_positive(number: Decimal) -> bool:
    return number.is_finite() and 0 < number < Decimal(10) ** 12
