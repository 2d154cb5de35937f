"""Ids of orders and of requests about them: legal, unique, and readable by a process that remembers nothing."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.venues.fix.dialect import IdRules
from actors.venues.fix.known_orders import KnownOrders
from actors.venues.fix.order_ids import RisingNumbers, foreign_id, order_id, ours_of, request_id
from actors.venues.fix.parse import read_execution
from tests.venues.fix.reports import NOW, OURS, STANDARD, fill, reading, report
from trading.identifiers import ClientOrderId

LONG = IdRules()
SHORT = IdRules(length_max=20, echo_tag=526)


@settings(deadline=None)
@given(st.binary(min_size=16, max_size=16), st.integers(0, 4_000_000_000_000))
def test_every_request_about_an_order_leads_back_to_it(raw, number):
    ours = ClientOrderId(raw.hex())
    request = request_id(ours, number, LONG)
    assert order_id(ours, LONG) == ours
    assert len(request) <= 64
    for fields in ({11: request, 41: ours}, {11: "their-own", 41: request}, {11: ours}):
        assert ours_of(fields, LONG) == ours


@settings(deadline=None)
@given(st.sets(st.integers(0, 4_000_000_000_000), min_size=2, max_size=20))
def test_where_ids_are_short_they_are_distinct_and_the_echo_tells_the_order(numbers):
    ids = {request_id(OURS, number, SHORT) for number in numbers} | {order_id(OURS, SHORT)}
    assert len(ids) == len(numbers) + 1
    assert all(len(each) <= 20 for each in ids)
    assert order_id(OURS, SHORT) == order_id(OURS, SHORT)
    assert ours_of({11: min(ids), 526: OURS}, SHORT) == OURS
    assert ours_of({11: min(ids)}, SHORT) is None


def test_what_others_write_is_not_ours():
    for text in ("", "abc", OURS + "x", OURS.upper(), OURS + "-", "ext-1"):
        assert ours_of({11: text}, LONG) is None


def test_the_request_about_somebody_elses_order_is_legal_too():
    request = request_id(foreign_id("V" * 80), 1_795_000_000_000, LONG)
    assert len(request) <= 64


def test_numbers_rise_even_when_asked_within_a_millisecond():
    numbers = RisingNumbers()
    found = [numbers.next() for _ in range(1_000)]
    assert found == sorted(set(found))
    assert RisingNumbers().next() > 1_700_000_000_000


# -- the fold


def taken(known: KnownOrders, fields) -> bool:
    return known.add(read_execution(fields, reading(), known.find(fields), NOW))


def test_a_resend_by_the_application_changes_nothing():
    known = KnownOrders(STANDARD)
    replaced = report(t150="5", t11=f"{OURS}-1", t41=OURS, t17="E2", t38="150")
    assert taken(known, report())
    assert taken(known, replaced)
    assert not taken(known, report())
    assert not taken(known, replaced)
    assert known.orders[OURS].cl_ord_id == f"{OURS}-1"
    assert known.orders[OURS].quantity == "150"


def test_an_execution_is_kept_once_however_often_it_comes():
    known = KnownOrders(STANDARD)
    assert [taken(known, fill()) for _ in range(3)] == [True, False, False]
    assert [each.trade_id for each in known.fills_since(0)] == ["X7"]
    assert known.fills_since(2_000_000_000_000_000_000) == ()


def test_a_corrected_execution_is_never_counted_besides_the_first():
    known = KnownOrders(STANDARD)
    taken(known, fill())
    taken(known, fill(t150="G", t17="X8", t19="X7", t31="10.40"))
    taken(known, fill(t150="G", t17="X9", t19="X8", t31="10.30"))
    assert [(each.trade_id, str(each.last_px)) for each in known.fills_since(0)] == [
        ("X7", "10.30")
    ]


def test_an_execution_that_was_taken_back_is_not_told_any_more():
    known = KnownOrders(STANDARD)
    taken(known, fill())
    taken(known, fill(t150="G", t17="X8", t19="X7", t31="10.40"))
    taken(known, fill(t150="H", t17="X9", t19="X8"))
    assert known.fills_since(0) == ()
    assert not taken(known, fill())


def test_a_closed_order_is_not_among_the_open_ones():
    known = KnownOrders(STANDARD)
    taken(known, report())
    assert [each.client_order_id for each in known.open_orders()] == [OURS]
    taken(known, report(t150="4", t39="4", t17="E3", t11=f"{OURS}-1", t41=OURS))
    assert known.open_orders() == []


@pytest.mark.parametrize("kind", ["0", "4", "I"])
def test_where_ids_are_short_an_order_is_found_by_any_of_its_ids(kind):
    dialect = msgspec.structs.replace(STANDARD, ids=SHORT)
    known = KnownOrders(dialect)
    first = report(t11=order_id(OURS, SHORT), t526=OURS)
    known.add(read_execution(first, reading(dialect), None, NOW))
    assert known.find({11: order_id(OURS, SHORT), 150: kind}).client_order_id == OURS
    assert known.find({11: "?", 41: order_id(OURS, SHORT)}).client_order_id == OURS
