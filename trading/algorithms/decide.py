"""The one question to every algorithm: what is to be done now? Pure; asked as often as anything changes.

Everything that an answer rests on is a journalled fact, the market or the clock, so a decision that is made
again after a restart is the same decision.
"""

from collections.abc import Sequence

import msgspec

from trading.algorithms.exits import decide_exits
from trading.algorithms.iceberg import decide_iceberg
from trading.algorithms.parameters import Bracket, Iceberg, Oco
from trading.algorithms.parent import PARTS, ParentOrder
from trading.algorithms.plan import EndCode, Ending, Plan, cancels_of, earliest, wind_down
from trading.algorithms.slicing import decide_slice
from trading.identifiers import ClientOrderId
from trading.routing.lots import sendable
from trading.routing.quotes import VenueQuote
from trading.values import NANOS_PER_SECOND

REFUSALS_MAX = 5
"""So many children refused in a row end an execution; exits are tried for ever."""
VENUE_PAUSE_NS = 30 * NANOS_PER_SECOND
"""For so long a venue that refused a child is left out, if another one can be used."""


def decide(parent: ParentOrder, quotes: Sequence[VenueQuote], now: int, settle_ns: int) -> Plan:
    """Return what is to be done now.

    Parameters
    ----------
    quotes : sequence of VenueQuote
        One for each listing of the parent, in its order.
    now : int
        Host time (ns UTC).
    settle_ns : int
        For how long fills may come behind the news that a child has ended.
    """
    if parent.ended is not None:
        return Plan(cancels=cancels_of(parent.open_children(), "The execution has ended."))
    algorithm = parent.order.algorithm
    if isinstance(algorithm, Bracket | Oco):
        return decide_exits(parent, algorithm, quotes[0], now, settle_ns)
    ending = _ending(parent, quotes, now, settle_ns)
    if ending is not None:
        return wind_down(parent, ending, now, settle_ns)
    surplus = _surplus(parent, now, settle_ns)
    if surplus:
        return Plan(cancels=surplus)
    usable = _without_refusers(parent, quotes, now)
    if isinstance(algorithm, Iceberg):
        plan = decide_iceberg(parent, algorithm, usable, now, settle_ns)
    else:
        plan = decide_slice(parent, algorithm, usable, now, settle_ns)
    return msgspec.structs.replace(plan, wake_at=earliest(plan.wake_at, parent.order.expires_at))


def _ending(
    parent: ParentOrder, quotes: Sequence[VenueQuote], now: int, settle_ns: int
) -> Ending | None:
    order = parent.order
    if parent.filled() >= order.quantity:
        return Ending(EndCode.FILLED, "All is filled.")
    if parent.cancel_reason is not None:
        return Ending(EndCode.CANCELED, parent.cancel_reason or "It was asked for.")
    if any(child.was_taken_away for child in parent.of(PARTS)):
        return Ending(EndCode.CHILD_CANCELED, "Somebody else cancelled a resting child.")
    if 0 < order.expires_at <= now:
        return Ending(EndCode.EXPIRED, "The order has expired.")
    refused = parent.refused_in_a_row()
    if len(refused) >= REFUSALS_MAX:
        reason = f"{len(refused)} children in a row were refused. {refused[-1].reason}"
        return Ending(EndCode.REFUSED, reason)
    left = order.quantity - parent.filled()
    is_working = bool(parent.reserved(PARTS, now, settle_ns))
    price = order.limit_price
    if not is_working and not any(
        sendable(left, quote.instrument, price or quote.middle) for quote in quotes
    ):
        reason = f"{left} units are left: less than the smallest order of any venue."
        return Ending(EndCode.REMAINDER_TOO_SMALL, reason)
    if not is_working and not any(
        sendable(quote.within(left), quote.instrument, price or quote.middle) for quote in quotes
    ):
        reason = f"{left} units are left, and the accounts hold nothing more that could be sold."
        return Ending(EndCode.NOTHING_TO_SELL, reason)
    return None


def _without_refusers(
    parent: ParentOrder, quotes: Sequence[VenueQuote], now: int
) -> Sequence[VenueQuote]:
    """Name the venues that refused the last child they got a moment ago; all stay when all did."""
    last = {child.listing: child for child in parent.children.values()}
    reasons = {
        listing: f"refused a child. {child.reason}"
        for listing, child in last.items()
        if child.is_refused and now < child.ended_at + VENUE_PAUSE_NS
    }
    if not any(not quote.unavailable and quote.listing not in reasons for quote in quotes):
        return quotes
    return [
        msgspec.structs.replace(
            quote,
            unavailable=quote.unavailable or reasons[quote.listing],
            may_be_deeper=False,
        )
        if quote.listing in reasons
        else quote
        for quote in quotes
    ]


def _surplus(
    parent: ParentOrder, now: int, settle_ns: int
) -> tuple[tuple[ClientOrderId, str], ...]:
    """Cancel the youngest children when more could fill than was asked for.

    Only a child that came back after it had counted as never sent can lead to that.
    """
    over = parent.filled() + parent.reserved(PARTS, now, settle_ns) - parent.order.quantity
    chosen = []
    for child in reversed(parent.of(PARTS)):
        if over > 0 and child.is_open:
            chosen.append(child)
            over -= child.request.quantity - child.filled_qty
    return cancels_of(chosen, "More works than was asked for.")
