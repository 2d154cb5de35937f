"""Execution reports: every ExecType, ids, times, numbers, and whatever else may come."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.venues.clock import clock_skew
from actors.venues.fix.messages import MsgType, parse_fields, repeated
from actors.venues.fix.parse import Execution, read_execution, venue_time
from actors.venues.fix.refusals import refusal
from tests.venues.fix.reports import NOW, OURS, STANDARD, fill, reading, report, wire
from trading.errors import OutcomeUnknown, VenueError, VenueRefused, VenueUnreachable
from trading.refusals import RefusalCode
from trading.values import LiquiditySide, OrderSide, OrderStatus, OrderType, TimeInForce


def read(fields, known=None, dialect=STANDARD) -> Execution:
    return read_execution(fields, reading(dialect), known, NOW)


def test_when_an_order_is_new_the_report_has_its_terms():
    status = read(report()).status
    assert (status.client_order_id, status.venue_order_id) == (OURS, "V1")
    assert (status.status, status.side, status.order_type) == (
        OrderStatus.ACCEPTED,
        OrderSide.BUY,
        OrderType.LIMIT,
    )
    assert (str(status.quantity), str(status.price), status.time_in_force) == (
        "100",
        "10.50",
        TimeInForce.DAY,
    )
    assert status.ts_event == 1_795_271_400_125_000_000


@pytest.mark.parametrize(
    ("kind", "state", "expected"),
    [
        ("0", "0", OrderStatus.ACCEPTED),
        ("4", "4", OrderStatus.CANCELED),
        ("5", "0", OrderStatus.ACCEPTED),
        ("6", "6", OrderStatus.ACCEPTED),
        ("8", "8", OrderStatus.REJECTED),
        ("C", "C", OrderStatus.EXPIRED),
        ("D", "0", OrderStatus.ACCEPTED),
        ("E", "E", OrderStatus.ACCEPTED),
        ("I", "A", OrderStatus.ACCEPTED),
        ("3", "3", OrderStatus.EXPIRED),
        ("L", "0", OrderStatus.ACCEPTED),
    ],
)
def test_each_exec_type_leaves_the_order_in_its_state(kind, state, expected):
    found = read(report(t150=kind, t39=state))
    assert found.status.status is expected
    assert found.fill is None


def test_when_an_order_that_lives_longer_is_done_for_the_day_it_still_works():
    assert read(report(t150="3", t39="3", t59="1")).status.status is OrderStatus.ACCEPTED


def test_when_an_order_is_only_received_nothing_is_said_of_it():
    assert read(report(t150="A", t39="A")).status is None


def test_when_a_trade_is_reported_the_fill_has_exact_numbers():
    found = read(fill(t12="0.35", t13="3", t851="1", t15="USD"))
    assert (str(found.fill.last_qty), str(found.fill.last_px), str(found.fill.commission)) == (
        "40",
        "10.49",
        "0.35",
    )
    assert (found.fill.trade_id, found.fill.liquidity_side) == ("X7", LiquiditySide.MAKER)
    assert found.status.status is OrderStatus.PARTIALLY_FILLED


@pytest.mark.parametrize(("kind", "expected"), [("1", "0.40"), ("2", "0.041960"), ("3", "0.01")])
def test_commission_is_per_unit_percent_or_absolute(kind, expected):
    assert read(fill(t12="0.01", t13=kind)).fill.commission == Decimal(expected)


def test_a_status_never_makes_a_fill():
    found = read(report(t150="I", t39="2", t14="100", t151="0", t32="100", t31="10.5"))
    assert found.fill is None
    assert found.status.status is OrderStatus.FILLED


def test_when_a_trade_is_taken_back_neither_fill_nor_state_is_told():
    found = read(fill(t150="H", t19="X7", t17="X8", t39="0"))
    assert (found.fill, found.status, found.ref_id) == (None, None, "X7")


def test_when_ids_are_unique_for_a_day_the_day_is_part_of_them():
    dialect = msgspec.structs.replace(
        STANDARD, ids=msgspec.structs.replace(STANDARD.ids, execution_ids="day")
    )
    assert read(fill(), dialect=dialect).fill.trade_id == "20261121-X7"
    assert read(fill(t75="20261120"), dialect=dialect).fill.trade_id == "20261120-X7"


def test_when_the_id_of_an_order_is_refused_as_a_repetition_the_order_is_not_rejected():
    known = read(report()).sent
    found = read(report(t150="8", t39="8", t103="6", t37="NONE"), known)
    assert found.status is None
    assert found.sent == known


def test_when_somebody_elses_order_is_reported_it_is_known_by_the_venues_id():
    found = read(report(t11="someone-17", t37="V" * 80))
    assert found.client_order_id == f"ext-{'V' * 60}"


def test_a_replacement_goes_on_meaning_the_same_order():
    known = read(report()).sent
    found = read(report(t150="5", t11=f"{OURS}-mb1", t41=str(OURS), t38="150"), known)
    assert found.client_order_id == OURS
    assert (found.sent.cl_ord_id, str(found.status.quantity)) == (f"{OURS}-mb1", "150")


@pytest.mark.parametrize("kind", ["6", "E", "4"])
def test_a_pending_or_done_request_does_not_rename_the_order(kind):
    known = read(report()).sent
    found = read(report(t150=kind, t39=kind, t11=f"{OURS}-mb1", t41=str(OURS), t38="150"), known)
    assert found.sent.cl_ord_id == OURS
    assert str(found.status.quantity) == "100"


@pytest.mark.parametrize(
    "bad",
    [
        report(t55=None),
        report(t54="7"),
        report(t37=None, t11="x"),
        fill(t32="0"),
        fill(t31="-1"),
        fill(t32="nan"),
        fill(t31="1e400"),
        fill(t17=None),
        fill(t17="0"),
        report(t60="yesterday"),
        report(t38="many"),
        report(t14="-5"),
        report(t60="20261121-14:30:00.12345678901"),
    ],
)
def test_what_cannot_be_true_is_unknown(bad):
    with pytest.raises(OutcomeUnknown):
        read(bad)


_TAGS = st.sampled_from(
    [
        11,
        12,
        13,
        14,
        15,
        17,
        19,
        31,
        32,
        37,
        38,
        39,
        40,
        41,
        44,
        52,
        54,
        55,
        59,
        60,
        75,
        99,
        103,
        150,
        151,
        526,
        851,
    ]
)
_VALUES = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["0", "1", "2", "8", "F", "G", "H", "I", "", "NaN", "1e9999", "-0", "20261121-00:00:60"]
    ),
    st.decimals(allow_nan=True, allow_infinity=True).map(str),
)


@settings(deadline=None, max_examples=400)
@given(st.dictionaries(_TAGS, _VALUES, max_size=12), st.booleans())
def test_whatever_comes_in_a_report_or_unknown_comes_out(changes, is_fill):
    fields = {**(fill() if is_fill else report()), **changes}
    known = read(report()).sent if is_fill else None
    try:
        found = read(fields, known)
    except OutcomeUnknown:
        return
    assert isinstance(found, Execution)
    if found.fill is not None:
        assert found.fill.last_qty > 0
        assert found.fill.last_px.is_finite()
    msgspec.json.encode(found.sent)


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=60))
def test_whatever_text_comes_in_it_is_fields_or_unknown(text):
    try:
        fields = parse_fields(text)
    except OutcomeUnknown:
        return
    assert all(isinstance(tag, int) for tag in fields)
    assert isinstance(refusal(fields, STANDARD), VenueError)


def test_repeated_tags_are_read_in_order():
    text = wire({35: "r"}) + "41=a\x01535=1\x0141=b\x01"
    assert repeated(text, 41) == ("a", "b")
    assert parse_fields(text)[41] == "a"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({35: "8", 103: "6"}, RefusalCode.DUPLICATE_CLIENT_ORDER_ID),
        ({35: "8", 103: "99", 58: "Duplicate ClOrdID 17"}, RefusalCode.DUPLICATE_CLIENT_ORDER_ID),
        ({35: "8", 103: "1"}, "UNKNOWN_SYMBOL"),
        ({35: "8"}, "ORDER_REJECTED"),
        ({35: "9", 102: "0"}, "TOO_LATE_TO_CANCEL"),
        ({35: "9", 102: "6"}, RefusalCode.DUPLICATE_CLIENT_ORDER_ID),
        ({35: "j", 380: "3"}, "NOT_OFFERED"),
        ({35: "3", 373: "5"}, "SESSION_REJECT_5"),
    ],
)
def test_each_rejection_is_refused_by_name(fields, code):
    error = refusal(fields, STANDARD)
    assert isinstance(error, VenueRefused)
    assert error.venue_code == code
    assert error.reason


@pytest.mark.parametrize(
    "fields", [{35: "j", 380: "4"}, {35: "j", 380: "0", 58: "Throttle limit exceeded"}]
)
def test_what_nobody_acted_on_was_not_sent(fields):
    assert isinstance(refusal(fields, STANDARD), VenueUnreachable)


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        ("20261121-14:30:00", 0),
        ("20261121-14:30:03", 2_500_000_000),
        ("20261121-14:29:58", -1_400_000_000),
        ("20261121-14:30:00.450", 0),
        ("20261121-14:30:00.900", 400_000_000),
    ],
)
def test_the_skew_is_what_stamp_and_travel_time_cannot_explain(stamp, expected):
    second, _ = venue_time("20261121-14:30:00")
    assert clock_skew(venue_time(stamp), second + 400_000_000, second + 500_000_000) == expected


def test_message_types_are_those_of_the_specification():
    assert MsgType("D") is MsgType.NEW_ORDER
