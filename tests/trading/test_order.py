"""The order state machine: every status against every event, and the rules beside the table."""

from decimal import Decimal
from fractions import Fraction
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.commands import SubmitOrder
from trading.errors import InvalidTransition
from trading.events import (
    OrderAccepted,
    OrderAmbiguous,
    OrderCanceled,
    OrderCancelRejected,
    OrderDenied,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderSubmitted,
    OrderTriggered,
    OrderUpdated,
    OrderUpdateRejected,
)
from trading.order import TRANSITIONS, Order
from trading.values import OrderSide, OrderStatus

KEY = {"client_order_id": "c1", "strategy_id": "trend", "instrument_id": "AAPL.XNAS"}
REQUEST = SubmitOrder(**KEY, account_id="DEMO", side=OrderSide.BUY, quantity=Decimal(10))


def fill(quantity, trade_id, price="50"):
    return OrderFilled(
        **KEY,
        venue_order_id="v1",
        trade_id=trade_id,
        side=OrderSide.BUY,
        last_qty=Decimal(quantity),
        last_px=Decimal(price),
        commission=Decimal(0),
    )


EVENTS = {
    "submitted": OrderSubmitted(**KEY, order=REQUEST, epoch=1),
    "ambiguous": OrderAmbiguous(**KEY, reason="time-out"),
    "accepted": OrderAccepted(**KEY, venue_order_id="v1"),
    "rejected": OrderRejected(**KEY, code="NO", reason="no"),
    "denied": OrderDenied(**KEY, code="KILL_SWITCH", reason="latched", order=REQUEST),
    "never": OrderDenied(**KEY, code="ORDER_NEVER_SENT", reason="lost"),
    "triggered": OrderTriggered(**KEY),
    "part": fill(4, "new-4"),
    "whole": fill(10, "new-10"),
    "canceled": OrderCanceled(**KEY),
    "expired": OrderExpired(**KEY),
    "updated": OrderUpdated(**KEY, quantity=Decimal(20)),
    "cancel_no": OrderCancelRejected(**KEY, code="LATE", reason="too late"),
    "update_no": OrderUpdateRejected(**KEY, code="LATE", reason="too late"),
}
BEFORE = {
    "INITIALIZED": [],
    "SUBMITTED": ["submitted"],
    "AMBIGUOUS": ["submitted", "ambiguous"],
    "ACCEPTED": ["submitted", "accepted"],
    "PARTIALLY_FILLED": ["submitted", "accepted", fill(3, "old")],
    "FILLED": ["submitted", "accepted", fill(10, "old")],
    "CANCELED": ["submitted", "accepted", fill(3, "old"), "canceled"],
    "EXPIRED": ["submitted", "accepted", "expired"],
    "REJECTED": ["submitted", "rejected"],
    "DENIED": ["denied"],
    "NEVER_SENT": ["submitted", "ambiguous", "never"],
}
# Rows: what was. Columns: what happens. A dash is illegal.
EXPECTED = """
                 submitted ambiguous accepted rejected denied never  triggered part whole canceled expired updated cancel_no update_no
INITIALIZED      SUBMITTED -         -        -        DENIED DENIED -         -    -     -        -       -       -         -
SUBMITTED        -         AMBIGUOUS ACCEPTED REJECTED -      DENIED -         PARTIALLY_FILLED FILLED CANCELED EXPIRED - SUBMITTED SUBMITTED
AMBIGUOUS        -         -         ACCEPTED REJECTED -      DENIED -         PARTIALLY_FILLED FILLED CANCELED EXPIRED - AMBIGUOUS AMBIGUOUS
ACCEPTED         -         -         -        REJECTED -      -      ACCEPTED  PARTIALLY_FILLED FILLED CANCELED EXPIRED ACCEPTED ACCEPTED ACCEPTED
PARTIALLY_FILLED -         -         -        REJECTED -      -      PARTIALLY_FILLED PARTIALLY_FILLED FILLED CANCELED EXPIRED PARTIALLY_FILLED PARTIALLY_FILLED PARTIALLY_FILLED
FILLED           -         -         -        -        -      -      -         FILLED FILLED - - PARTIALLY_FILLED - -
CANCELED         -         -         -        -        -      -      -         CANCELED FILLED - - CANCELED - -
EXPIRED          -         -         -        -        -      -      -         EXPIRED FILLED - - EXPIRED - -
REJECTED         -         -         -        -        -      -      -         REJECTED FILLED - - - - -
DENIED           -         -         -        -        -      -      -         DENIED FILLED - - - - -
NEVER_SENT       -         -         ACCEPTED -        -      -      -         PARTIALLY_FILLED FILLED - - - - -
"""


def cells():
    header, *rows = (line.split() for line in EXPECTED.strip().splitlines())
    for state, *row in rows:
        assert len(row) == len(header)
        yield from ((state, event, outcome) for event, outcome in zip(header, row, strict=True))


def order_after(*events):
    order = Order.of(EVENTS["submitted"])
    for event in events:
        order.apply(EVENTS[event] if isinstance(event, str) else event)
    return order


def snapshot(order):
    return {name: getattr(order, name) for name in Order.__slots__}


@pytest.mark.parametrize(("state", "event", "outcome"), list(cells()))
def test_each_event_in_each_status_leads_where_the_table_says(state, event, outcome):
    order = order_after(*BEFORE[state])
    assert order.status == ("DENIED" if state == "NEVER_SENT" else state)
    before = snapshot(order)
    if outcome != "-":
        order.apply(EVENTS[event])
        assert order.status == outcome
        return
    with pytest.raises(InvalidTransition) as caught:
        order.apply(EVENTS[event])
    assert caught.value.story == before["story"]
    assert snapshot(order) == before


def test_the_table_names_every_status_and_the_cells_cover_every_event():
    def leaves(cls):
        below = cls.__subclasses__()
        return {cls} if not below else {leaf for sub in below for leaf in leaves(sub)}

    assert set(TRANSITIONS) == set(OrderStatus)
    assert {type(event) for event in EVENTS.values()} == leaves(OrderEvent)
    assert len(list(cells())) == len(EVENTS) * len(BEFORE)


def test_an_illegal_event_tells_the_story_of_the_order():
    order = order_after("submitted", "accepted", "canceled")
    with pytest.raises(InvalidTransition, match="OrderSubmitted > OrderAccepted > OrderCanceled"):
        order.apply(EVENTS["rejected"])


def test_a_fact_about_another_order_is_refused():
    with pytest.raises(AssertionError):
        Order("c2", "trend", "AAPL.XNAS").apply(EVENTS["submitted"])


def test_a_fill_before_the_acknowledgement_fills():
    order = order_after("submitted", "part")
    assert (order.status, order.filled_qty, order.leaves_qty) == ("PARTIALLY_FILLED", 4, 6)
    assert order.venue_order_id == "v1"


def test_a_fill_after_the_cancel_counts_and_shows_as_late():
    order = order_after("submitted", "accepted", "canceled", "part")
    assert (order.status, order.filled_qty, order.late_fill_count) == ("CANCELED", 4, 1)
    assert order.leaves_qty == 0


def test_a_repeated_fill_changes_nothing():
    order = order_after("submitted", "accepted", "part")
    before = snapshot(order)
    order.apply(EVENTS["part"])
    assert snapshot(order) == before


def test_too_many_fills_show_as_overfilled():
    order = order_after("submitted", "accepted", "whole", "part")
    assert order.is_overfilled
    assert (order.status, order.filled_qty, order.leaves_qty) == ("FILLED", 14, 0)


def test_an_order_never_sent_that_the_venue_fills_comes_back_without_a_stain():
    order = order_after(*BEFORE["NEVER_SENT"], "part")
    assert (order.code, order.late_fill_count, order.is_open) == ("", 0, True)


def test_a_larger_quantity_behind_the_fills_opens_the_order_again():
    order = order_after("submitted", "accepted", "whole", "updated")
    assert (order.status, order.quantity, order.leaves_qty) == ("PARTIALLY_FILLED", 20, 10)
    order.apply(EVENTS["canceled"])
    assert order.status == "CANCELED"


def test_the_average_price_is_the_cost_by_the_quantity():
    order = order_after("submitted", fill(3, "a", "10"), fill(4, "b", "10.5"))
    assert order.cost == 72
    assert order.avg_px == Decimal(72) / 7


def test_a_pending_cancel_is_shown_and_goes_with_the_answer():
    order = order_after("submitted", "accepted")
    order.pending = OrderStatus.PENDING_CANCEL
    assert (order.shown_status, order.status) == ("PENDING_CANCEL", "ACCEPTED")
    order.apply(EVENTS["cancel_no"])
    assert order.shown_status == "ACCEPTED"


def test_a_copy_lives_its_own_life():
    order = order_after("submitted", "accepted")
    twin = order.copy()
    twin.apply(EVENTS["whole"])
    assert (order.status, order.filled_qty, twin.status) == ("ACCEPTED", 0, "FILLED")


def test_fills_and_their_cancel_end_alike_in_every_order():
    facts = ["canceled", fill(3, "a"), fill(4, "b", "51"), fill(2, "c", "49.5")]
    ends = set()
    for line in permutations(facts):
        order = order_after("submitted", "accepted", *line)
        ends.add((order.status, order.filled_qty, order.cost, order.trade_ids))
    assert len(ends) == 1


@settings(deadline=None, max_examples=200)
@given(st.lists(st.one_of(st.sampled_from(sorted(EVENTS)), st.integers(1, 9)), max_size=25))
def test_whatever_happens_quantities_stay_true(steps):
    order = Order.of(EVENTS["submitted"])
    fills = {}
    for number, step in enumerate(steps):
        event = EVENTS[step] if isinstance(step, str) else fill(step, f"t{number}", f"{step}.25")
        before = snapshot(order)
        try:
            order.apply(event)
        except InvalidTransition:
            assert snapshot(order) == before
            continue
        if isinstance(event, OrderFilled):
            fills[event.trade_id] = (Fraction(event.last_qty), Fraction(event.last_px))
    assert order.trade_ids == set(fills)
    assert Fraction(order.filled_qty) == sum(quantity for quantity, _ in fills.values())
    assert Fraction(order.cost) == sum(quantity * price for quantity, price in fills.values())
    assert (order.status == "FILLED") == (order.filled_qty >= order.quantity > 0)
    assert order.is_overfilled == (order.filled_qty > order.quantity)
