"""What each answer of the exchange means to the caller of the paper venue."""

from decimal import Decimal

import pytest

from trading.commands import (
    CancelAllOrders,
    CancelOrder,
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
    SubmitAcknowledged,
    SubmitListAcknowledged,
    SubmitListNotSent,
    SubmitListOutcomeUnknown,
    SubmitListRefused,
    SubmitNotSent,
    SubmitOutcomeUnknown,
    SubmitRefused,
)
from trading.reports import (
    AccountReport,
    FillReport,
    MassStatus,
    OrderStatusReport,
    PositionReport,
)
from trading.values import OrderListKind, OrderSide, OrderStatus, OrderType, TimeInForce

SECRET = bytes(range(32))
KEY, ACCOUNT, APPLE = "c" * 32, "DEMO", "AAPL.XNAS"
SUBMIT = SubmitOrder(
    correlation_id="feed:paper/1",
    client_order_id=KEY,
    account_id=ACCOUNT,
    strategy_id="momentum",
    instrument_id=APPLE,
    side=OrderSide.BUY,
    quantity=Decimal(10),
)
PAIR = SubmitOrderList(kind=OrderListKind.OTO, account_id=ACCOUNT, orders=(SUBMIT, SUBMIT))
CANCEL = CancelOrder(client_order_id=KEY, account_id=ACCOUNT)
REPLACE = ReplaceOrder(client_order_id=KEY, account_id=ACCOUNT, quantity=Decimal(5))
CANCEL_ALL = CancelAllOrders(account_id=ACCOUNT)
REPORT = OrderStatusReport(
    account_id=ACCOUNT,
    client_order_id=KEY,
    venue_order_id="V1",
    instrument_id=APPLE,
    side=OrderSide.BUY,
    order_type=OrderType.MARKET,
    time_in_force=TimeInForce.DAY,
    status=OrderStatus.ACCEPTED,
    quantity=Decimal(10),
    filled_qty=Decimal(0),
)


def fill(venue_seq, account_id=ACCOUNT):
    return FillReport(
        account_id=account_id,
        client_order_id=KEY,
        venue_order_id="V1",
        trade_id=f"T{venue_seq}",
        instrument_id=APPLE,
        side=OrderSide.BUY,
        last_qty=Decimal(1),
        last_px=Decimal("10.50"),
        commission=Decimal(0),
        venue_seq=venue_seq,
    )


STATUS = MassStatus(
    account_id=ACCOUNT,
    open_orders=(REPORT,),
    fills=(fill(1),),
    positions=(
        PositionReport(
            account_id=ACCOUNT, instrument_id=APPLE, quantity=Decimal(1), avg_px=Decimal("10.50")
        ),
    ),
    account=AccountReport(account_id=ACCOUNT, cash=Decimal(100)),
)


def saying(*messages):
    return lambda request: list(messages)


@pytest.mark.parametrize(
    ("answer", "ask", "expected"),
    [
        (
            SubmitAcknowledged(client_order_id=KEY, venue_order_id="V1"),
            lambda venue: venue.submit(SUBMIT),
            "V1",
        ),
        (
            SubmitListAcknowledged(client_order_ids=(KEY, "d"), venue_order_ids=("V1", "V2")),
            lambda venue: venue.submit_list(PAIR),
            ("V1", "V2"),
        ),
        (CancelAcknowledged(client_order_id=KEY), lambda venue: venue.cancel(CANCEL), None),
        (ReplaceAcknowledged(report=REPORT), lambda venue: venue.replace(REPLACE), REPORT),
        (
            CancelAllAcknowledged(client_order_ids=(KEY,)),
            lambda venue: venue.cancel_all(CANCEL_ALL),
            (KEY,),
        ),
        (
            OrderQueried(client_order_id=KEY, report=REPORT),
            lambda venue: venue.order_status(ACCOUNT, KEY),
            REPORT,
        ),
        (
            OrderQueried(client_order_id=KEY, report=None),
            lambda venue: venue.order_status(ACCOUNT, KEY),
            None,
        ),
        (
            MassStatusReceived(mass_status=STATUS),
            lambda venue: venue.mass_status(ACCOUNT, 0),
            STATUS,
        ),
        (
            MassStatusReceived(mass_status=STATUS),
            lambda venue: venue.open_orders(ACCOUNT),
            STATUS.open_orders,
        ),
        (
            MassStatusReceived(mass_status=STATUS),
            lambda venue: venue.executions_since(ACCOUNT, 5),
            STATUS.fills,
        ),
        (
            MassStatusReceived(mass_status=STATUS),
            lambda venue: venue.positions(ACCOUNT),
            STATUS.positions,
        ),
        (
            MassStatusReceived(mass_status=STATUS),
            lambda venue: venue.account(ACCOUNT),
            STATUS.account,
        ),
    ],
)
def test_answer_of_the_exchange_is_the_result(start_exchange, session, answer, ask, expected):
    exchange = start_exchange(saying(answer))

    assert session(exchange, lambda venue, _: ask(venue)) == expected


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (SubmitRefused(client_order_id=KEY, code="NO_FUNDS", reason="poor"), VenueRefused),
        (SubmitNotSent(client_order_id=KEY, reason="busy"), VenueUnreachable),
        (SubmitOutcomeUnknown(client_order_id=KEY, reason="504"), OutcomeUnknown),
        (CancelAcknowledged(client_order_id=KEY), OutcomeUnknown),
        (STATUS, OutcomeUnknown),
        (b"half an ans", OutcomeUnknown),
    ],
)
def test_answer_that_is_no_acknowledgement_raises_what_it_says(
    start_exchange, session, answer, error
):
    async def submit(venue, _):
        with pytest.raises(error) as raised:
            await venue.submit(SUBMIT)
        return raised.value

    assert type(session(start_exchange(saying(answer)), submit)) is error


@pytest.mark.parametrize(
    ("answer", "error", "ask"),
    [
        (
            CancelRefused(client_order_id=KEY, code="UNKNOWN", reason="?"),
            VenueRefused,
            lambda venue: venue.cancel(CANCEL),
        ),
        (
            SubmitListRefused(client_order_ids=(KEY,), code="BAD_LIST", reason="?"),
            VenueRefused,
            lambda venue: venue.submit_list(PAIR),
        ),
        (
            SubmitListNotSent(client_order_ids=(KEY,), reason="?"),
            VenueUnreachable,
            lambda venue: venue.submit_list(PAIR),
        ),
        (
            SubmitListOutcomeUnknown(client_order_ids=(KEY,), reason="?"),
            OutcomeUnknown,
            lambda venue: venue.submit_list(PAIR),
        ),
        (
            CancelOutcomeUnknown(client_order_id=KEY, reason="?"),
            OutcomeUnknown,
            lambda venue: venue.cancel(CANCEL),
        ),
        (
            QueryFailed(query="QueryOrder", reason="?"),
            OutcomeUnknown,
            lambda venue: venue.order_status(ACCOUNT, KEY),
        ),
        (
            QueryFailed(query="QueryMassStatus", reason="?"),
            OutcomeUnknown,
            lambda venue: venue.mass_status(ACCOUNT, 0),
        ),
        (
            QueryFailed(query="CancelAllOrders", reason="?"),
            OutcomeUnknown,
            lambda venue: venue.cancel_all(CANCEL_ALL),
        ),
        (
            QueryFailed(query="ReplaceOrder", reason="?"),
            OutcomeUnknown,
            lambda venue: venue.replace(REPLACE),
        ),
    ],
)
def test_failure_of_the_other_calls_raises_what_it_says(
    start_exchange, session, answer, error, ask
):
    async def work(venue, _):
        with pytest.raises(error):
            await ask(venue)

    session(start_exchange(saying(answer)), work)
