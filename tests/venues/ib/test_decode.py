"""From the wire to reports: exact numbers, and nothing but reports, None or `OutcomeUnknown` whatever comes."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.venues.ib import decode, parse
from actors.venues.ib.decoder import ExactDecoder
from actors.venues.ib.instruments import instrument_of
from actors.venues.ib.messages import Commission, ContractListing, Execution, IbContract, OpenOrder
from actors.venues.ib.wrapper import Wrapper
from tests.venues.ib import wire
from trading.errors import OutcomeUnknown
from trading.identifiers import AccountId
from trading.instruments import Instrument
from trading.values import LiquiditySide, OrderSide, OrderStatus, OrderType, TimeInForce

ACCOUNT = AccountId("ACC")
STOCK = Instrument(instrument_id="AAPL.XNAS")
CONTRACT = {
    "con_id": 265598,
    "symbol": "AAPL",
    "sec_type": "STK",
    "strike": "0",
    "exchange": "SMART",
    "currency": "USD",
    "local_symbol": "AAPL",
    "trading_class": "NMS",
}


def text(fields):
    return [wire._text(field) for field in fields]


def execution_fields(**changes):
    values = {
        **CONTRACT,
        "request_id": -1,
        "order_id": 12,
        "exec_id": "0000e0d5.0000001a.01.01",
        "time": "20261120 10:00:01 America/New_York",
        "account": "DU1",
        "execution_exchange": "ISLAND",
        "side": "BOT",
        "shares": "100",
        "price": "0.1234567890123456789",
        "perm_id": 99,
        "client_id": 7,
        "cum_qty": "100",
        "avg_price": "1",
        "order_ref": "a" * 32,
        **changes,
    }
    return text(wire.message(11, values))


def read(kind, **values):
    """Read one message with the library's decoder and return what it tells, by its name."""
    told, unreadable = {}, []
    names = ("openOrder", "completedOrder", "contractDetails")
    handlers = {name: lambda *args, name=name: told.update({name: args}) for name in names}
    decoder = ExactDecoder(Wrapper(handlers), lambda *args: unreadable.append(args))
    decoder.serverVersion = wire.SERVER_VERSION
    decoder.interpret(text(wire.message(kind, values)))
    return told, unreadable


def test_an_execution_keeps_every_digit():
    number, found = decode.execution(execution_fields())
    assert number == -1
    assert found.price == Decimal("0.1234567890123456789")
    assert found.time_ns == 1_795_186_801 * 10**9
    assert found.contract.con_id == 265598


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("20261120-15:00:01", 1_795_186_801),
        ("20261120 15:00:01 UTC", 1_795_186_801),
        ("20261120  15:00:01", 1_795_186_801),
        ("20261120 16:00:01 Europe/Berlin", 1_795_186_801),
        ("20261120 15:00:01 No/Such_Zone", 1_795_186_801),
    ],
)
def test_times_of_all_shapes_are_read(written, seconds):
    assert decode.execution(execution_fields(time=written))[1].time_ns == seconds * 10**9


@pytest.mark.parametrize(
    "change",
    [{"shares": "NaN"}, {"price": "x"}, {"exec_id": ""}, {"shares": "-1"}, {"time": "yesterday"}],
)
def test_a_broken_execution_is_unknown(change):
    with pytest.raises(OutcomeUnknown):
        decode.execution(execution_fields(**change))


def test_a_commission_that_ib_does_not_know_is_none():
    fields = text([59, 1, "e", "1.7976931348623157E308", "USD", "", "", ""])
    assert decode.commission(fields).amount is None
    assert decode.commission(text([59, 1, "e", "1.0035", "USD"])).amount == Decimal("1.0035")


def test_an_open_order_is_read_exactly():
    values = {
        **CONTRACT,
        "order_id": 12,
        "action": "BUY",
        "quantity": "0.1000000000000000001",
        "order_type": "LMT",
        "limit_price": "101.05",
        "tif": "GTC",
        "account": "DU1",
        "order_ref": "a" * 32,
        "client_id": 7,
        "perm_id": 99,
        "status": "Submitted",
        "compete_against_best_offset": "Infinity",
    }
    told, unreadable = read(5, **values)
    assert not unreadable
    _, contract, order, state = told["openOrder"]
    found = decode.open_order(contract, order, state)
    assert found.quantity == Decimal("0.1000000000000000001")
    assert found.limit_price == Decimal("101.05")
    assert (found.perm_id, found.client_id, found.order_id) == (99, 7, 12)
    assert (found.status, found.tif, found.order_ref) == ("Submitted", "GTC", "a" * 32)
    assert found.trail_stop_price is None


def test_a_completed_order_is_read():
    values = {
        **CONTRACT,
        "action": "SELL",
        "quantity": "10",
        "order_type": "MKT",
        "account": "DU1",
        "perm_id": 99,
        "status": "Cancelled",
        "filled": "4",
        "completed_status": "Cancelled by Trader",
    }
    told, unreadable = read(101, **values)
    assert not unreadable
    found = decode.open_order(*told["completedOrder"])
    assert (found.filled, found.reason, found.order_id) == (4, "Cancelled by Trader", 0)


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_whatever_is_cut_or_changed_in_a_message_nothing_breaks(data):
    kind = data.draw(st.sampled_from([5, 101, 10]))
    fields = text(wire.message(kind, CONTRACT))
    for _ in range(data.draw(st.integers(1, 4))):
        index = data.draw(st.integers(1, len(fields) - 1))
        fields[index] = data.draw(st.text(max_size=12))
    fields = fields[: data.draw(st.integers(1, len(fields)))]
    unreadable, told = [], []
    names = ("openOrder", "completedOrder", "contractDetails")
    handlers = dict.fromkeys(names, lambda *args: told.append(args))
    decoder = ExactDecoder(Wrapper(handlers), lambda *args: unreadable.append(args))
    decoder.serverVersion = wire.SERVER_VERSION
    decoder.interpret(fields)
    assert len(unreadable) + len(told) == 1


_numbers = st.one_of(
    st.sampled_from(["", "0", "1", "-1", "NaN", "Infinity", "1e400", "1.7976931348623157E308"]),
    st.decimals(allow_nan=True).map(str),
    st.text(max_size=8),
)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.one_of(_numbers, st.text(max_size=10)), max_size=40))
def test_reading_random_fields_gives_a_struct_or_unknown(fields):
    for reading in (decode.status_update, decode.execution, decode.commission, decode.holding):
        try:
            reading(fields)
        except OutcomeUnknown:
            continue


_decimals = st.one_of(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=4, min_value=-(10**9), max_value=10**9
    )
)


@settings(deadline=None, max_examples=300)
@given(
    status=st.one_of(st.sampled_from(["Submitted", "Filled", "Inactive", "Cancelled"]), st.text()),
    kind=st.one_of(st.sampled_from(["MKT", "LMT", "STP", "TRAIL", "PEG MID"]), st.text()),
    action=st.one_of(st.sampled_from(["BUY", "SELL"]), st.text(max_size=5)),
    tif=st.text(max_size=4),
    reference=st.text(max_size=80),
    numbers=st.tuples(_decimals, _decimals, _decimals),
    perm_id=st.integers(-5, 2**40),
)
def test_any_order_becomes_a_report_or_none_or_unknown(
    status, kind, action, tif, reference, numbers, perm_id
):
    quantity, price, filled = numbers
    found = OpenOrder(
        contract=IbContract(),
        perm_id=perm_id,
        action=action,
        quantity=quantity,
        order_type=kind,
        limit_price=price,
        tif=tif,
        order_ref=reference,
        status=status,
    )
    try:
        report = parse.order_report(found, STOCK, ACCOUNT, filled=filled, now=1)
    except OutcomeUnknown:
        return
    if report is not None:
        assert report.client_order_id
        assert report.quantity > 0


@settings(deadline=None, max_examples=200)
@given(
    side=st.one_of(st.sampled_from(["BOT", "SLD"]), st.text(max_size=4)),
    shares=_decimals.filter(lambda number: number > 0),
    price=_decimals,
    amount=st.none() | _decimals,
    currency=st.sampled_from(["USD", "EUR", ""]),
)
def test_any_execution_becomes_a_report_or_unknown(side, shares, price, amount, currency):
    found = Execution(
        contract=IbContract(),
        exec_id="a.b.c.01",
        time_ns=5,
        account="DU1",
        side=side,
        shares=shares,
        price=price,
        perm_id=1,
        client_id=7,
        order_id=1,
    )
    cost = Commission(exec_id="a.b.c.01", amount=amount, currency=currency)
    try:
        report = parse.fill_report(found, cost, STOCK, ACCOUNT, 1)
    except OutcomeUnknown:
        assert side not in ("BOT", "SLD")
        return
    assert report.commission == ((amount or 0) if currency == "USD" else 0)
    assert report.client_order_id == "ext-1"
    assert report.liquidity_side is LiquiditySide.TAKER


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["CashBalance", "NetLiquidation", "x"]),
            _numbers,
            st.sampled_from(["USD", "EUR", "BASE", ""]),
        )
    )
)
def test_any_account_values_become_a_report_or_unknown(rows):
    try:
        report = parse.account_report(rows, ACCOUNT, 1)
    except OutcomeUnknown:
        return
    assert report.cash.is_finite()


@pytest.mark.parametrize(
    ("status", "filled", "expected"),
    [
        ("PendingSubmit", 0, OrderStatus.ACCEPTED),
        ("PreSubmitted", 0, OrderStatus.ACCEPTED),
        ("Submitted", 3, OrderStatus.PARTIALLY_FILLED),
        ("PendingCancel", 0, OrderStatus.ACCEPTED),
        ("Filled", 10, OrderStatus.FILLED),
        ("Cancelled", 3, OrderStatus.CANCELED),
        ("ApiCancelled", 0, OrderStatus.CANCELED),
        ("Inactive", 0, OrderStatus.REJECTED),
        ("ValidationError", 0, None),
        ("", 0, None),
    ],
)
def test_each_state_of_tws_has_one_meaning(status, filled, expected):
    assert parse.order_status(status, Decimal(filled)) is expected


@pytest.mark.parametrize(
    ("kind", "tif", "expected"),
    [
        ("MOC", "DAY", (OrderType.MARKET, TimeInForce.CLS)),
        ("LOC", "DAY", (OrderType.LIMIT, TimeInForce.CLS)),
        ("MKT", "OPG", (OrderType.MARKET, TimeInForce.OPG)),
        ("TRAIL LIMIT", "GTC", (OrderType.TRAILING_STOP_MARKET, TimeInForce.GTC)),
        ("REL", "GTD", (OrderType.LIMIT, TimeInForce.GTC)),
    ],
)
def test_orders_of_kinds_that_we_do_not_send_are_shown_as_the_nearest(kind, tif, expected):
    found = OpenOrder(
        contract=IbContract(),
        perm_id=1,
        action="SELL",
        quantity=Decimal(5),
        order_type=kind,
        limit_price=Decimal(9),
        tif=tif,
        status="Submitted",
    )
    report = parse.order_report(found, STOCK, ACCOUNT, filled=Decimal(0), now=1)
    assert (report.order_type, report.time_in_force) == expected
    assert report.side is OrderSide.SELL


def test_the_average_price_of_a_contract_is_that_of_a_unit():
    contract = IbContract(sec_type="OPT", multiplier="100", local_symbol="X", exchange="SMART")
    instrument = instrument_of(ContractListing(contract=contract))
    holding = decode.holding(text([71, 1, 5, "DU1", *range(11), "3", "251.05", ""]))[1]
    report = parse.position_report(holding, instrument, ACCOUNT, 1)
    assert (report.quantity, report.avg_px) == (Decimal(300), Decimal("2.5105"))
