"""Split one marketable order over venues so that it costs least, fees included.

The cost of one venue is convex in the quantity: prices get worse level by level, and a minimum fee only makes
the first units cheaper. So for a given set of venues, each with its smallest order, taking the cheapest unit
next is optimal; the router tries every set. That is exact when all venues have the same lot; with
different lots the result is feasible and never worse than the best single venue.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import combinations

import msgspec

from trading.algorithms.parameters import Listing
from trading.routing.lots import rounded_up, smallest_order
from trading.routing.quotes import VenueQuote
from trading.values import ZERO, OrderSide

VENUES_MAX = 8
"""Venues that are combined; of more, those with the best prices after fees."""


class RoutedPart(msgspec.Struct, frozen=True):
    """What one venue gets.

    Attributes
    ----------
    worst_px : Decimal
        Price of the last level that it is expected to reach.
    cost : Decimal
        Money that it takes, fees included; negative is what a sale brings.
    """

    listing: Listing
    quantity: Decimal
    worst_px: Decimal
    cost: Decimal


class Routing(msgspec.Struct, frozen=True):
    """Where an order goes.

    Attributes
    ----------
    unrouted : Decimal
        What no venue shows at an acceptable price, or what is too little for an order.
    left_out : tuple of (Listing, str)
        Venues that were not used, each with the reason.
    """

    parts: tuple[RoutedPart, ...]
    unrouted: Decimal
    left_out: tuple[tuple[Listing, str], ...] = ()

    @property
    def cost(self) -> Decimal:
        return sum((part.cost for part in self.parts), ZERO)


class _Step(msgspec.Struct, frozen=True, order=True):
    """Units of one venue at one price; `unit_cost` is signed: a sale brings, so it is negative."""

    unit_cost: Decimal
    venue: int
    price: Decimal
    quantity: Decimal


class _Offer(msgspec.Struct, frozen=True):
    """All that one venue can do for the order."""

    quote: VenueQuote
    steps: tuple[_Step, ...]
    least: Decimal


def route(
    side: OrderSide,
    quantity: Decimal,
    quotes: Sequence[VenueQuote],
    limit_price: Decimal | None = None,
) -> Routing:
    """Return the allocation that fills most of the order, and of those the cheapest.

    Parameters
    ----------
    quantity : Decimal
        Units (> 0).
    limit_price : Decimal or None
        No level beyond it is used; fees come on top.
    """
    left_out: list[tuple[Listing, str]] = []
    offers: list[_Offer] = []
    for index, quote in enumerate(quotes):
        offer = _offer(quote, index, side, quantity, limit_price)
        if isinstance(offer, str):
            left_out.append((quote.listing, offer))
        else:
            offers.append(offer)
    offers.sort(key=lambda offer: offer.steps[0])
    left_out += [(o.quote.listing, "more venues than are combined") for o in offers[VENUES_MAX:]]
    best: tuple[RoutedPart, ...] = ()
    for used in _sets(offers[:VENUES_MAX]):
        parts = _allocate(side, quantity, used)
        if _rank(parts) < _rank(best):
            best = parts
    filled = sum((part.quantity for part in best), ZERO)
    return Routing(best, quantity - filled, tuple(left_out))


def route_all(
    side: OrderSide,
    quantity: Decimal,
    quotes: Sequence[VenueQuote],
    limit_price: Decimal | None = None,
) -> Routing:
    """Return `route`, and send what the books do not show to the venues with the best prices.

    More is usually behind what is shown, and what is not comes back.
    """
    routing = route(side, quantity, quotes, limit_price)
    parts = {part.listing: part for part in routing.parts}
    unrouted = routing.unrouted
    for quote, price in _by_price(side, quotes, limit_price):
        there = parts.get(quote.listing)
        had = ZERO if there is None else there.quantity
        room = quote.within(had + unrouted) - had
        more = quote.instrument.quantity(max(room, ZERO))
        if not more or had + more < smallest_order(quote.instrument, price):
            continue
        worst = price if there is None else there.worst_px
        cost = _cost(side, quote, [(worst, had + more)])
        parts[quote.listing] = RoutedPart(quote.listing, had + more, worst, cost)
        unrouted -= more
    return Routing(tuple(parts.values()), unrouted, routing.left_out)


def unseen(
    side: OrderSide,
    quantity: Decimal,
    quotes: Sequence[VenueQuote],
    limit_price: Decimal | None = None,
) -> tuple[Listing, ...]:
    """Return the venues whose books `route` should see deeper than their tops; none when nothing depends on it.

    A top that holds the whole quantity says all there is to know, and so does one beyond the limit. With
    only one venue in question there is nothing to choose.
    """
    able = [quote for quote in quotes if _is_able(side, quote, limit_price)]
    if len(able) < 2:
        return ()
    return tuple(
        quote.listing
        for quote in able
        if quote.may_be_deeper
        and (quote.unavailable or _shown(side, quote) < quote.within(quantity))
    )


def _is_able(side: OrderSide, quote: VenueQuote, limit_price: Decimal | None) -> bool:
    if quote.unavailable:
        return quote.may_be_deeper
    price = quote.best(side.opposite)
    return price is not None and _accepts(side, limit_price, price)


def _shown(side: OrderSide, quote: VenueQuote) -> Decimal:
    return sum((size for _, size in quote.side(side.opposite)), ZERO)


def _by_price(
    side: OrderSide, quotes: Sequence[VenueQuote], limit_price: Decimal | None
) -> list[tuple[VenueQuote, Decimal]]:
    """Return the usable venues with their best prices, cheapest after fees first."""
    usable = [
        (quote, price)
        for quote in quotes
        if not quote.unavailable
        and (price := quote.best(side.opposite)) is not None
        and _accepts(side, limit_price, price)
    ]
    return sorted(usable, key=lambda pair: side.sign * pair[1] + pair[0].fees.taking(pair[1]))


def _offer(
    quote: VenueQuote, index: int, side: OrderSide, quantity: Decimal, limit_price: Decimal | None
) -> _Offer | str:
    """Return what the venue can do, or why it is left out."""
    if quote.unavailable:
        return quote.unavailable
    levels = [each for each in quote.side(side.opposite) if _accepts(side, limit_price, each[0])]
    if not levels:
        return "nothing at an acceptable price"
    cap = quote.within(quantity)
    if cap <= 0:
        return "nothing is left to trade there"
    steps = tuple(_steps(quote, index, side, levels, cap))
    least = _least(quote, steps)
    shown = sum((step.quantity for step in steps), ZERO)
    if least is None or shown < least or cap < least:
        return "less than its smallest order"
    return _Offer(quote, steps, least)


def _accepts(side: OrderSide, limit_price: Decimal | None, price: Decimal) -> bool:
    if limit_price is None:
        return True
    return price <= limit_price if side is OrderSide.BUY else price >= limit_price


def _steps(
    quote: VenueQuote,
    index: int,
    side: OrderSide,
    levels: Sequence[tuple[Decimal, Decimal]],
    cap: Decimal,
) -> Iterator[_Step]:
    """Yield units by price after fees, cheapest first; the minimum fee is paid whatever is taken."""
    lot, paid = quote.instrument.lot_size, max(quote.fees.minimum, ZERO)
    left = quote.instrument.quantity(cap)
    for price, size in levels:
        fee, signed = quote.fees.taking(price), side.sign * price
        units = min(quote.instrument.quantity(size), left)
        left -= units
        if not units and not left:
            return
        if fee <= 0:
            if units:
                yield _Step(signed if paid else signed + fee, index, price, units)
            continue
        free = min(units, paid // (fee * lot) * lot)
        if free:
            yield _Step(signed, index, price, free)
            paid, units = paid - free * fee, units - free
        if units and paid:
            yield _Step(signed + fee - paid / lot, index, price, lot)
            paid, units = ZERO, units - lot
        if units:
            yield _Step(signed + fee, index, price, units)


def _least(quote: VenueQuote, steps: Sequence[_Step]) -> Decimal | None:
    """Return the smallest order at these prices; None when all of them are worth too little."""
    instrument, value, units = quote.instrument, ZERO, ZERO
    for step in steps:
        missing = instrument.min_notional - value
        if step.quantity * step.price >= missing:
            units += rounded_up(max(missing, ZERO) / step.price, instrument)
            return max(units, smallest_order(instrument, None))
        value += step.quantity * step.price
        units += step.quantity
    return None


def _sets(offers: Sequence[_Offer]) -> Iterator[Sequence[_Offer]]:
    for count in range(1, len(offers) + 1):
        yield from combinations(offers, count)


def _allocate(side: OrderSide, quantity: Decimal, used: Sequence[_Offer]) -> tuple[RoutedPart, ...]:
    """Give each venue its smallest order, then the cheapest units to whoever offers them."""
    needed = sum((offer.least for offer in used), ZERO)
    if needed > quantity:
        return ()
    left = quantity - needed
    taken: dict[int, list[_Step]] = {}
    others: list[_Step] = []
    for offer in used:
        venue = offer.steps[0].venue
        first, rest = _cut(offer.steps, offer.least)
        taken[venue] = first
        others += rest
    for step in sorted(others, key=lambda step: step.unit_cost):
        if not left:
            break
        lots = _quote_of(used, step.venue).instrument.quantity(min(step.quantity, left))
        if lots:
            taken[step.venue].append(msgspec.structs.replace(step, quantity=lots))
            left -= lots
    return tuple(_part(side, _quote_of(used, venue), steps) for venue, steps in taken.items())


def _quote_of(used: Sequence[_Offer], venue: int) -> VenueQuote:
    return next(offer.quote for offer in used if offer.steps[0].venue == venue)


def _cut(steps: Sequence[_Step], units: Decimal) -> tuple[list[_Step], list[_Step]]:
    """Split the steps into the first `units` and what follows."""
    first: list[_Step] = []
    rest: list[_Step] = []
    for step in steps:
        inside = min(step.quantity, units)
        units -= inside
        if inside:
            first.append(msgspec.structs.replace(step, quantity=inside))
        if inside < step.quantity:
            rest.append(msgspec.structs.replace(step, quantity=step.quantity - inside))
    return first, rest


def _part(side: OrderSide, quote: VenueQuote, steps: Sequence[_Step]) -> RoutedPart:
    quantity = sum((step.quantity for step in steps), ZERO)
    cost = _cost(side, quote, [(step.price, step.quantity) for step in steps])
    worst = max(steps, key=lambda step: side.sign * step.price).price
    return RoutedPart(quote.listing, quantity, worst, cost)


def _cost(side: OrderSide, quote: VenueQuote, fills: Sequence[tuple[Decimal, Decimal]]) -> Decimal:
    """Return the money that these fills take, with the fee of one order."""
    value = sum((price * units for price, units in fills), ZERO)
    fee = sum((quote.fees.taking(price) * units for price, units in fills), ZERO)
    return side.sign * value + (max(fee, quote.fees.minimum) if quote.fees.minimum > 0 else fee)


def _rank(parts: tuple[RoutedPart, ...]) -> tuple[Decimal, Decimal, int]:
    """Most filled first, then cheapest, then fewest orders."""
    filled = sum((part.quantity for part in parts), ZERO)
    return -filled, sum((part.cost for part in parts), ZERO), len(parts)
