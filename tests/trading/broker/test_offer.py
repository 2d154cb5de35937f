"""What the venue does not take never leaves, and says why."""

from decimal import Decimal

import pytest

from trading.capabilities import OrderCapabilities, VenueCapabilities
from trading.commands import PermittedReplace, ReplaceOrder, SubmitOrder
from trading.events import OrderDenied, OrderUpdateRejected
from trading.instruments import Instrument
from trading.risk.permits import sign
from trading.values import AssetClass, OrderType, TimeInForce

APPLE = "AAPL.XNAS"
ONLY_LIMITS = VenueCapabilities(
    orders={
        AssetClass.EQUITY: OrderCapabilities(
            pairs={
                OrderType.LIMIT: frozenset({TimeInForce.DAY}),
                OrderType.MARKET: frozenset({TimeInForce.IOC}),
            },
            can_replace=False,
        )
    }
)


@pytest.fixture
def limited(kit):
    instruments = {APPLE: Instrument(instrument_id=APPLE)}
    return kit.Desk(capabilities=ONLY_LIMITS, instruments=instruments).trade()


def test_an_order_that_the_venue_does_not_take_is_denied_with_the_sentence(limited):
    limited.submit(time_in_force=TimeInForce.FOK)

    (denied,) = [event for event in limited.journal if isinstance(event, OrderDenied)]
    assert denied.code == "VENUE_UNSUPPORTED"
    assert denied.reason == "the venue takes no LIMIT orders for EQUITY with FOK"
    assert limited.facts() == ["OrderDenied"]
    assert limited.calls == []


def test_an_order_that_it_takes_leaves(limited):
    order = limited.submit()

    assert limited.called(SubmitOrder) == [order]


def test_an_order_in_something_that_the_table_does_not_know_is_left_to_the_venue(limited):
    order = limited.submit(instrument_id="KO.XNYS", time_in_force=TimeInForce.FOK)

    assert limited.called(SubmitOrder) == [order]


def test_without_a_table_the_venue_decides(desk):
    order = desk.submit(time_in_force=TimeInForce.FOK)

    assert desk.called(SubmitOrder) == [order]


def test_a_change_that_the_venue_does_not_make_is_rejected_and_the_order_works_on(limited):
    order = limited.accept()
    replace = ReplaceOrder(
        client_order_id=order.client_order_id, account_id="DEMO", price=Decimal(51)
    )

    limited.give(
        PermittedReplace(replace=replace, permit=sign(replace, b"shared secret", 7, limited.now))
    )

    assert limited.called(ReplaceOrder) == []
    (rejected,) = [event for event in limited.journal if isinstance(event, OrderUpdateRejected)]
    assert rejected.code == "VENUE_UNSUPPORTED"
    assert limited.status() == "ACCEPTED"


def test_the_kill_switch_closes_with_what_the_venue_takes(limited, kit):
    order = limited.accept()
    limited.give(kit.fill(order))
    limited.trip(flatten=True)
    limited.give(kit.PaperVenue().answer(limited.calls[-1])[0])

    (closing,) = limited.called(SubmitOrder)[1:]

    assert (closing.order_type, closing.time_in_force) == (OrderType.MARKET, TimeInForce.IOC)


def test_less_than_a_lot_is_not_closed_again_and_again(kit):
    coin = Instrument(instrument_id=APPLE, lot_size=Decimal("0.01"), min_quantity=Decimal("0.02"))
    desk = kit.Desk(instruments={APPLE: coin}).trade()
    order = desk.accept(quantity=Decimal("0.01"))
    desk.give(kit.fill(order, quantity=Decimal("0.01")))

    desk.trip(flatten=True)
    desk.give(kit.PaperVenue().answer(desk.calls[-1])[0])

    assert desk.called(SubmitOrder) == [order]
    assert desk.broker.view()["kill"]["is_done"]
