"""The kill switch: latched, cancels first, flattens when asked, and stays until it is reset."""

from decimal import Decimal

import pytest

from trading.commands import CancelAllOrders, CancelOrder, SubmitOrder
from trading.effects import Append, CallVenue
from trading.events import KillSwitchTripped
from trading.outcomes import (
    CancelAllAcknowledged,
    JournalRecovered,
    JournalUnavailable,
    QueryFailed,
    SubmitAcknowledged,
    SubmitRefused,
)
from trading.values import OrderSide, OrderStatus, OrderType


def flattening(desk):
    return [order for order in desk.called(SubmitOrder) if order.purpose == "flatten"]


@pytest.fixture
def holding(desk, kit):
    """A desk that is long 10 AAPL and short 4 KO."""
    desk.give(kit.fill(desk.accept("1"), "a1"))
    short = desk.accept("2", instrument_id="KO.XNYS", side=OrderSide.SELL, quantity=Decimal(4))
    desk.give(kit.fill(short, "a2", Decimal(4)))
    desk.calls.clear()
    return desk


def test_a_trip_cancels_at_the_venue_before_it_touches_the_journal(desk):
    desk.accept()
    effects = desk.trip()
    assert isinstance(effects[0], CallVenue)
    assert isinstance(effects[0].body, CancelAllOrders)
    assert [type(e.event).__name__ for e in effects if isinstance(e, Append)] == [
        "KillSwitchTripped"
    ]


def test_while_latched_every_order_is_refused(desk):
    desk.trip()
    for number in range(50):
        desk.submit(str(number))
    assert desk.called(SubmitOrder) == []
    assert desk.broker.view()["refusals"] == {"KILL_SWITCH": 50}


def test_the_latch_survives_a_restart_and_is_copied_once(desk):
    desk.trip()
    desk.start()
    desk.start()
    assert desk.broker.view()["kill"]["is_latched"]
    assert sum(isinstance(event, KillSwitchTripped) for event in desk.journal) == 1


def test_a_trip_while_the_broker_was_dead_is_found_at_the_start(desk):
    desk.accept()
    desk.kill_stream.append(KillSwitchTripped(ts_event=5, actor="ann", reason="fire"))
    desk.calls.clear()
    desk.start()
    assert len(desk.called(CancelAllOrders)) == 1
    assert isinstance(desk.journal[-1], KillSwitchTripped)
    desk.submit("2")
    assert desk.denial("2") == "KILL_SWITCH"


def test_a_trip_whose_copy_alone_is_in_the_account_stream_counts_by_the_kill_stream(desk):
    desk.trip()
    desk.reset()
    desk.start()
    assert not desk.broker.view()["kill"]["is_latched"]


def test_a_reset_lets_orders_through_again_and_is_journalled(desk, kit):
    desk.accept("1")
    desk.trip()
    desk.reset()
    assert [type(event).__name__ for event in desk.journal[-2:]] == [
        "KillSwitchTripped",
        "KillSwitchReset",
    ]
    desk.submit("2")
    assert desk.status("2") == "SUBMITTED"
    calls = len(desk.called(CancelAllOrders))
    desk.wait(20_000 * kit.MS)
    assert len(desk.called(CancelAllOrders)) == calls, "an old cancel-all would hit new orders"


def test_a_reset_that_is_delivered_again_does_not_undo_a_later_trip(desk):
    desk.trip()
    desk.reset()
    old_reset = desk.kill_stream[-1]
    desk.now += 1
    desk.trip()
    desk.give(old_reset)
    assert desk.broker.view()["kill"]["is_latched"]


def test_a_cancel_all_that_fails_is_repeated_until_the_venue_confirms(desk, kit):
    desk.accept()
    desk.trip()
    for _ in range(3):
        desk.give(QueryFailed(query="CancelAllOrders", reason="hung"))
        desk.wait(1_000 * kit.MS)
    assert len(desk.called(CancelAllOrders)) == 4
    assert not desk.broker.view()["kill"]["is_done"]
    desk.give(CancelAllAcknowledged(client_order_ids=()))
    desk.wait(10_000 * kit.MS)
    assert len(desk.called(CancelAllOrders)) == 4


def test_a_venue_that_never_answers_is_asked_again_within_its_time_out(desk, kit):
    desk.accept()
    desk.trip()
    desk.wait(10_000 * kit.MS)
    assert len(desk.called(CancelAllOrders)) >= 4


def test_an_order_that_comes_to_life_while_latched_is_cancelled_at_once(desk, kit):
    order = desk.submit()
    desk.trip()
    desk.give(CancelAllAcknowledged(client_order_ids=()))
    desk.give(SubmitAcknowledged(client_order_id=order.client_order_id, venue_order_id="v1"))
    assert [sent.client_order_id for sent in desk.called(CancelOrder)] == [order.client_order_id]


def test_an_order_that_survives_the_cancel_is_cancelled_again(desk, kit):
    desk.accept()
    desk.trip()
    desk.give(CancelAllAcknowledged(client_order_ids=()))
    desk.wait(2_000 * kit.MS)
    assert len(desk.called(CancelOrder)) >= 2


def test_without_flatten_positions_are_left_alone(holding, kit):
    holding.trip()
    holding.give(CancelAllAcknowledged(client_order_ids=()))
    holding.wait(5_000 * kit.MS)
    assert flattening(holding) == []
    assert holding.broker.view()["kill"]["is_done"]


def test_flatten_waits_for_the_cancels_then_closes_each_position_at_market(holding, kit):
    holding.trip(flatten=True)
    holding.wait(1_500 * kit.MS)
    assert flattening(holding) == []
    holding.give(CancelAllAcknowledged(client_order_ids=()))
    orders = {
        (order.instrument_id, order.side, order.quantity, order.order_type)
        for order in flattening(holding)
    }
    assert orders == {
        ("AAPL.XNAS", OrderSide.SELL, Decimal(10), OrderType.MARKET),
        ("KO.XNYS", OrderSide.BUY, Decimal(4), OrderType.MARKET),
    }
    assert {order.strategy_id for order in flattening(holding)} == {"KILL"}


def test_a_flattening_order_is_journalled_before_it_is_sent(holding):
    holding.trip(flatten=True)
    effects = holding.give(CancelAllAcknowledged(client_order_ids=()))
    kinds = [type(e).__name__ for e in effects if isinstance(e, Append | CallVenue)]
    assert kinds == ["Append", "CallVenue", "Append", "CallVenue"]


def test_flattening_goes_on_until_the_account_is_flat(holding, kit):
    holding.trip(flatten=True)
    holding.give(CancelAllAcknowledged(client_order_ids=()))
    first, second = flattening(holding)
    refusal = SubmitRefused(client_order_id=first.client_order_id, code="CLOSED", reason="night")
    holding.give(refusal)
    holding.give(kit.fill(second, "t9", second.quantity))
    holding.wait(2_000 * kit.MS)
    (again,) = [o for o in flattening(holding) if o not in (first, second)]
    assert again.instrument_id == first.instrument_id
    assert again.client_order_id != first.client_order_id
    holding.give(kit.fill(again, "t10", again.quantity))
    holding.wait(10_000 * kit.MS)
    assert len(flattening(holding)) == 3
    view = holding.broker.view()["kill"]
    assert (view["is_done"], view["flattened"]) == (True, 2)


def test_a_late_fill_is_flattened_too(holding, kit):
    order = holding.submit("3")
    holding.trip(flatten=True)
    holding.give(CancelAllAcknowledged(client_order_ids=()))
    for closing in flattening(holding):
        holding.give(kit.fill(closing, f"k{closing.instrument_id}", closing.quantity))
    holding.give(kit.fill(order, "late", Decimal(3)))
    holding.wait(2_000 * kit.MS)
    assert flattening(holding)[-1].quantity == 3


def test_a_restart_in_the_middle_of_flattening_closes_no_position_twice(holding, kit, play):
    venue = kit.PaperVenue()
    venue.fills = [kit.fill(kit.order("1"), "a1")]
    short = kit.order("2", instrument_id="KO.XNYS", side=OrderSide.SELL, quantity=Decimal(4))
    venue.fills.append(kit.fill(short, "a2", Decimal(4)))
    holding.trip(flatten=True)
    effects = holding.give(CancelAllAcknowledged(client_order_ids=()), keep=2)
    assert len(effects) > 2
    holding.start()
    for _ in range(100):
        play(holding, venue)
        holding.wait(100 * kit.MS)
    positions = holding.broker._state.record.account.positions().values()
    assert all(position.is_flat for position in positions)
    assert len(venue.submissions) == len(set(venue.submissions)) == 2
    assert holding.broker.view()["kill"]["is_done"]


def test_nothing_is_flattened_on_numbers_that_the_venue_disputes(holding, kit):
    holding.reconcile(kit.mass_status())
    assert not holding.broker.view()["is_ready"]
    holding.trip(flatten=True)
    holding.give(CancelAllAcknowledged(client_order_ids=()))
    assert flattening(holding) == []


def test_without_a_journal_the_switch_still_latches_and_cancels(desk, kit):
    desk.accept()
    desk.give(JournalUnavailable(stream=desk.broker.stream, reason="disk full"))
    effects = desk.trip()
    assert len(desk.called(CancelAllOrders)) == 1
    assert not any(isinstance(effect, Append) for effect in effects)
    desk.give(JournalRecovered(stream=desk.broker.stream))
    assert any(isinstance(event, KillSwitchTripped) for event in desk.journal)
    desk.submit("2")
    assert desk.denial("2") == "KILL_SWITCH"


def test_an_error_behind_the_latch_does_not_open_it(desk, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("broken")

    monkeypatch.setattr(desk.broker._cancellation, "everything", fail)
    with pytest.raises(RuntimeError):
        desk.trip()
    desk.submit()
    assert desk.denial() == "KILL_SWITCH"


def test_the_view_counts_what_was_cancelled(desk, kit):
    order = desk.accept()
    desk.trip()
    desk.give(CancelAllAcknowledged(client_order_ids=(order.client_order_id,)))
    desk.give(kit.status(order, OrderStatus.CANCELED))
    view = desk.broker.view()["kill"]
    assert (view["canceled"], view["is_done"], view["actor"]) == (1, True, "ann")
