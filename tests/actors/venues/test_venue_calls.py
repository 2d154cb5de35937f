"""Every body against everything that a port may do: exactly one outcome, and never a false refusal."""

import asyncio
from decimal import Decimal

import msgspec
import pytest

from actors.venue_calls import call_venue, not_sent, outcome_unknown, refused
from trading.commands import (
    CancelAllOrders,
    CancelOrder,
    QueryMassStatus,
    QueryOrder,
    ReplaceOrder,
    SubmitOrder,
    SubmitOrderList,
)
from trading.errors import OutcomeUnknown, VenueRefused, VenueUnreachable
from trading.outcomes import (
    CancelAcknowledged,
    CancelAllAcknowledged,
    CancelOutcomeUnknown,
    CancelRefused,
    MassStatusReceived,
    OrderQueried,
    QueryFailed,
    ReplaceAcknowledged,
    ReplaceOutcomeUnknown,
    ReplaceRefused,
    SubmitAcknowledged,
    SubmitListAcknowledged,
    SubmitListNotSent,
    SubmitListOutcomeUnknown,
    SubmitListRefused,
    SubmitNotSent,
    SubmitOutcomeUnknown,
    SubmitRefused,
)
from trading.reports import AccountReport, MassStatus, OrderStatusReport
from trading.values import OrderListKind, OrderSide, OrderStatus, OrderType, TimeInForce

NOW = 1_700_000_000_000_000_000
STAMPS = {
    "ts_event": 5,
    "ts_init": NOW,
    "correlation_id": "feed:paper/1",
    "causation_id": "cause",
}
KEY, ACCOUNT = "c" * 32, "DEMO"
ABOUT = {"ts_event": 5, "correlation_id": "feed:paper/1", "causation_id": "cause"}

SUBMIT = SubmitOrder(
    **ABOUT,
    client_order_id=KEY,
    account_id=ACCOUNT,
    strategy_id="momentum",
    instrument_id="AAPL.XNAS",
    side=OrderSide.BUY,
    quantity=Decimal(10),
)
LEG = msgspec.structs.replace(SUBMIT, client_order_id="d" * 32, parent_order_id=KEY)
LIST = SubmitOrderList(**ABOUT, kind=OrderListKind.OTO, account_id=ACCOUNT, orders=(SUBMIT, LEG))
CANCEL = CancelOrder(**ABOUT, client_order_id=KEY, account_id=ACCOUNT)
REPLACE = ReplaceOrder(**ABOUT, client_order_id=KEY, account_id=ACCOUNT, quantity=Decimal(5))
CANCEL_ALL = CancelAllOrders(**ABOUT, account_id=ACCOUNT)
QUERY = QueryOrder(**ABOUT, client_order_id=KEY, account_id=ACCOUNT)
MASS = QueryMassStatus(**ABOUT, account_id=ACCOUNT, since=7)

REPORT = OrderStatusReport(
    account_id=ACCOUNT,
    client_order_id=KEY,
    venue_order_id="V1",
    instrument_id="AAPL.XNAS",
    side=OrderSide.BUY,
    order_type=OrderType.MARKET,
    time_in_force=TimeInForce.DAY,
    status=OrderStatus.ACCEPTED,
    quantity=Decimal(10),
    filled_qty=Decimal(0),
)
STATUS = MassStatus(
    account_id=ACCOUNT,
    open_orders=(REPORT,),
    fills=(),
    positions=(),
    account=AccountReport(account_id=ACCOUNT, cash=Decimal(100)),
)

BODIES = [SUBMIT, LIST, CANCEL, REPLACE, CANCEL_ALL, QUERY, MASS]
of_each_body = pytest.mark.parametrize("body", BODIES, ids=lambda body: type(body).__name__)


def key(cls, **fields):
    return cls(**STAMPS, client_order_id=KEY, **fields)


def listed(cls, **fields):
    return cls(**STAMPS, client_order_ids=(KEY, "d" * 32), **fields)


def failed(query, reason):
    return QueryFailed(**STAMPS, query=query, reason=reason)


ANSWERS = {
    SubmitOrder: ("V1", key(SubmitAcknowledged, venue_order_id="V1")),
    SubmitOrderList: (("V1", "V2"), listed(SubmitListAcknowledged, venue_order_ids=("V1", "V2"))),
    CancelOrder: (None, key(CancelAcknowledged)),
    ReplaceOrder: (REPORT, ReplaceAcknowledged(**STAMPS, report=REPORT)),
    CancelAllOrders: ((KEY,), CancelAllAcknowledged(**STAMPS, client_order_ids=(KEY,))),
    QueryOrder: (REPORT, key(OrderQueried, report=REPORT)),
    QueryMassStatus: (STATUS, MassStatusReceived(**STAMPS, mass_status=STATUS)),
}
REFUSALS = {
    SubmitOrder: key(SubmitRefused, code="CODE", reason="why"),
    SubmitOrderList: listed(SubmitListRefused, code="CODE", reason="why"),
    CancelOrder: key(CancelRefused, code="CODE", reason="why"),
    ReplaceOrder: key(ReplaceRefused, code="CODE", reason="why"),
    CancelAllOrders: failed("CancelAllOrders", "CODE: why"),
    QueryOrder: failed("QueryOrder", "CODE: why"),
    QueryMassStatus: failed("QueryMassStatus", "CODE: why"),
}
UNKNOWNS = {
    SubmitOrder: lambda why: key(SubmitOutcomeUnknown, reason=why),
    SubmitOrderList: lambda why: listed(SubmitListOutcomeUnknown, reason=why),
    CancelOrder: lambda why: key(CancelOutcomeUnknown, reason=why),
    ReplaceOrder: lambda why: key(ReplaceOutcomeUnknown, reason=why),
    CancelAllOrders: lambda why: failed("CancelAllOrders", why),
    QueryOrder: lambda why: failed("QueryOrder", why),
    QueryMassStatus: lambda why: failed("QueryMassStatus", why),
}
NOT_SENT = {
    **UNKNOWNS,
    SubmitOrder: lambda why: key(SubmitNotSent, reason=why),
    SubmitOrderList: lambda why: listed(SubmitListNotSent, reason=why),
}


class Port:
    """A venue whose every call does the same."""

    def __init__(self, act):
        self.act = act
        self.calls = []

    def __getattr__(self, name):
        async def call(*arguments):
            self.calls.append((name, arguments))
            return await self.act()

        return call


def raising(error):
    async def act():
        raise error

    return act


def perform(port, body, timeout_s=5.0):
    return asyncio.run(call_venue(port, body, timeout_s, lambda: NOW))


@of_each_body
def test_answer_becomes_its_outcome(body):
    value, expected = ANSWERS[type(body)]

    async def answer():
        return value

    assert perform(Port(answer), body) == expected


def test_each_body_calls_its_own_method_with_its_own_arguments():
    made = []
    for body in BODIES:
        port = Port(raising(OutcomeUnknown("")))
        perform(port, body)
        made += port.calls

    assert made == [
        ("submit", (SUBMIT,)),
        ("submit_list", (LIST,)),
        ("cancel", (CANCEL,)),
        ("replace", (REPLACE,)),
        ("cancel_all", (CANCEL_ALL,)),
        ("order_status", (ACCOUNT, KEY)),
        ("mass_status", (ACCOUNT, 7)),
    ]


def test_list_answered_with_too_few_ids_is_unknown():
    async def answer():
        return ("V1",)

    outcome = perform(Port(answer), LIST)

    assert outcome == UNKNOWNS[SubmitOrderList]("the adapter answered with 1 ids for 2 orders")


def test_order_that_the_venue_does_not_know_is_an_answer():
    async def unknown():
        return None

    assert perform(Port(unknown), QUERY) == key(OrderQueried, report=None)


@of_each_body
def test_refusal_becomes_a_refusal(body):
    assert perform(Port(raising(VenueRefused("CODE", "why"))), body) == REFUSALS[type(body)]


@of_each_body
def test_unreachable_venue_means_not_sent(body):
    outcome = perform(Port(raising(VenueUnreachable("down"))), body)

    assert outcome == NOT_SENT[type(body)]("down")


@of_each_body
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OutcomeUnknown("reset"), "reset"),
        (ConnectionResetError("peer"), "ConnectionResetError: peer"),
        (OSError("wire"), "OSError: wire"),
        (ValueError("half an answer"), "ValueError: half an answer"),
        (KeyError("id"), "KeyError: 'id'"),
        (asyncio.CancelledError(), "the adapter gave the call up"),
        (TimeoutError(), "no answer within 5 s"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_anything_else_is_unknown_and_never_a_refusal(body, error, reason):
    assert perform(Port(raising(error)), body) == UNKNOWNS[type(body)](reason)


@of_each_body
def test_silence_ends_as_unknown_when_the_time_is_over(body):
    async def silence():
        await asyncio.Event().wait()

    outcome = perform(Port(silence), body, timeout_s=0.001)

    assert outcome == UNKNOWNS[type(body)]("no answer within 0.001 s")


def test_cancelled_task_is_cancelled_and_has_no_outcome():
    async def run():
        asked = asyncio.Event()

        async def silence():
            asked.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(call_venue(Port(silence), SUBMIT, 5.0, lambda: NOW))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())


@of_each_body
def test_outcomes_can_be_made_without_a_call(body):
    assert refused(body, "CODE", "why", NOW) == REFUSALS[type(body)]
    assert not_sent(body, "why", NOW) == NOT_SENT[type(body)]("why")
    assert outcome_unknown(body, "why", NOW) == UNKNOWNS[type(body)]("why")
