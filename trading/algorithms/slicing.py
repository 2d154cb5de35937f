"""TWAP and VWAP: at each slice, what is due and not yet filled or working."""

from collections.abc import Sequence
from decimal import Decimal

from trading.algorithms.parameters import Sliced, SliceStyle
from trading.algorithms.parent import PARTS, ParentOrder
from trading.algorithms.plan import (
    EndCode,
    Ending,
    Plan,
    WantedChild,
    cancels_of,
    earliest,
    wind_down,
)
from trading.algorithms.schedule import Schedule
from trading.routing.lots import sendable
from trading.routing.quotes import VenueQuote
from trading.routing.resting import best_resting
from trading.routing.router import route_all, unseen
from trading.routing.ticks import limit_on_grid
from trading.values import ZERO, OrderType, TimeInForce


def decide_slice(
    parent: ParentOrder,
    algorithm: Sliced,
    quotes: Sequence[VenueQuote],
    now: int,
    settle_ns: int,
) -> Plan:
    """Return what the slice that has begun last calls for; a slice sends at most once."""
    schedule = Schedule(algorithm, parent.key, parent.started_at)
    step = schedule.step_at(now)
    if step < 0:
        return Plan(wake_at=schedule.starts_at(0))
    if step >= schedule.count and not algorithm.must_complete:
        over = Ending(EndCode.WINDOW_OVER, "The window is over.")
        return wind_down(parent, over, now, settle_ns)
    wake_at = schedule.starts_at(step + 1)
    older = [child for child in parent.of(PARTS) if child.step < step]
    cancels = cancels_of(older, "The next slice has begun.")
    if any(child.step >= step for child in parent.of(PARTS)):
        return Plan(cancels=cancels, wake_at=wake_at)
    settling = [child for child in older if child.reserved(now, settle_ns)]
    if settling and algorithm.style is SliceStyle.REST:
        first = earliest(*(child.settled_at(settle_ns) for child in settling if not child.is_open))
        return Plan(cancels=cancels, wake_at=earliest(wake_at, first))
    done = parent.filled() + parent.reserved(PARTS, now, settle_ns)
    wanted = schedule.wanted(step, parent.order.quantity, done)
    wanted = _with_remainder(wanted, parent.order.quantity - done, quotes)
    children = _children(parent, algorithm, wanted, quotes, step) if wanted else ()
    if children and algorithm.style is SliceStyle.TAKE:
        books = unseen(parent.order.side, wanted, quotes, parent.order.limit_price)
        if books:
            return Plan(cancels=cancels, wake_at=wake_at, books=books)
    is_watching = bool(wanted) and not children
    return Plan(children=children, cancels=cancels, wake_at=wake_at, is_watching=is_watching)


def _with_remainder(wanted: Decimal, left: Decimal, quotes: Sequence[VenueQuote]) -> Decimal:
    """Round down to lots; 0 when no venue takes so little, all when too little would stay for another order."""
    finest = min((quote.instrument for quote in quotes), key=lambda each: each.lot_size)
    whole = finest.quantity(wanted)
    if not _is_enough(whole, quotes):
        return ZERO
    return whole if _is_enough(left - whole, quotes) else finest.quantity(left)


def _is_enough(quantity: Decimal, quotes: Sequence[VenueQuote]) -> bool:
    return any(sendable(quantity, quote.instrument, quote.middle) for quote in quotes)


def _children(
    parent: ParentOrder,
    algorithm: Sliced,
    wanted: Decimal,
    quotes: Sequence[VenueQuote],
    step: int,
) -> tuple[WantedChild, ...]:
    if algorithm.style is SliceStyle.TAKE:
        return _taking(parent, wanted, quotes, step)
    return _resting(parent, wanted, quotes, step)


def _taking(
    parent: ParentOrder, wanted: Decimal, quotes: Sequence[VenueQuote], step: int
) -> tuple[WantedChild, ...]:
    side, limit = parent.order.side, parent.order.limit_price
    by_listing = {quote.listing: quote for quote in quotes}
    children = []
    for part in route_all(side, wanted, quotes, limit).parts:
        quote = by_listing[part.listing]
        price = None if limit is None else limit_on_grid(side, limit, quote.instrument)
        children.append(
            WantedChild(
                quote=quote,
                quantity=part.quantity,
                step=step,
                order_type=OrderType.MARKET if price is None else OrderType.LIMIT,
                time_in_force=TimeInForce.DAY if price is None else TimeInForce.IOC,
                price=price,
            )
        )
    return tuple(children)


def _resting(
    parent: ParentOrder, wanted: Decimal, quotes: Sequence[VenueQuote], step: int
) -> tuple[WantedChild, ...]:
    """One order at the best price of its own side, no worse than the parent's limit."""
    order = parent.order
    prices = [price for q in quotes if not q.unavailable and (price := q.best(order.side))]
    if not prices:
        return ()
    price = max(prices, key=lambda each: order.side.sign * each)
    if order.limit_price is not None:
        price = min(price, order.limit_price, key=lambda each: order.side.sign * each)
    quote = best_resting(order.side, wanted, price, quotes)
    if quote is None:
        return ()
    child = WantedChild(
        quote=quote,
        quantity=sendable(quote.within(wanted), quote.instrument, price),
        step=step,
        order_type=OrderType.LIMIT,
        time_in_force=order.time_in_force,
        price=limit_on_grid(order.side, price, quote.instrument),
    )
    return (child,) if child.quantity > ZERO else ()
