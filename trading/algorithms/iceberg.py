"""Iceberg: one small order rests at the limit price; the next follows when it is filled."""

from collections.abc import Sequence
from decimal import Decimal

from trading.algorithms.chance import fraction
from trading.algorithms.parameters import Iceberg
from trading.algorithms.parent import PARTS, ParentOrder
from trading.algorithms.plan import Plan, WantedChild, earliest
from trading.routing.lots import sendable, smallest_order
from trading.routing.quotes import VenueQuote
from trading.routing.resting import best_resting
from trading.routing.ticks import limit_on_grid
from trading.values import NANOS_PER_SECOND, OrderType

REFUSAL_PAUSE_NS = NANOS_PER_SECOND
"""Between a refused child and the next try."""


def decide_iceberg(
    parent: ParentOrder,
    algorithm: Iceberg,
    quotes: Sequence[VenueQuote],
    now: int,
    settle_ns: int,
) -> Plan:
    """Return the next child when nothing works and nothing is about to fill any more."""
    if parent.open_children():
        return Plan()
    settling = [child for child in parent.of(PARTS) if child.reserved(now, settle_ns)]
    if settling:
        return Plan(wake_at=earliest(*(child.settled_at(settle_ns) for child in settling)))
    refused = parent.refused_in_a_row()
    retry_at = refused[-1].ended_at + REFUSAL_PAUSE_NS if refused else 0
    if now < retry_at:
        return Plan(wake_at=retry_at)
    child = _next(parent, algorithm, quotes)
    return Plan(is_watching=True) if child is None else Plan(children=(child,))


def _next(
    parent: ParentOrder, algorithm: Iceberg, quotes: Sequence[VenueQuote]
) -> WantedChild | None:
    order, index = parent.order, len(parent.children)
    assert order.limit_price is not None, "`objections` comes first"
    left = order.quantity - parent.filled()
    shown = algorithm.display_qty * (1 - algorithm.jitter * fraction(parent.key, index))
    quote = best_resting(order.side, left, order.limit_price, quotes)
    if quote is None:
        return None
    price = limit_on_grid(order.side, order.limit_price, quote.instrument)
    return WantedChild(
        quote=quote,
        quantity=_display(shown, left, quote, price),
        step=index,
        order_type=OrderType.LIMIT,
        time_in_force=order.time_in_force,
        price=price,
    )


def _display(shown: Decimal, left: Decimal, quote: VenueQuote, price: Decimal) -> Decimal:
    """Return whole lots of what is to be shown; all that is left when too little would stay."""
    instrument = quote.instrument
    most = quote.within(left)
    least = smallest_order(instrument, price)
    part = min(max(instrument.quantity(shown), least), most)
    is_dust = not sendable(left - part, instrument, price)
    return instrument.quantity(most if is_dust else part)
