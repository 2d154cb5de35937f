"""Reports in any order, any number of times, fold to one state."""

from decimal import Decimal
from itertools import permutations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.commands import QueryMassStatus
from trading.outcomes import MassStatusReceived, SubmitAcknowledged
from trading.values import OrderSide, OrderStatus


def test_a_repeated_fill_is_applied_once(desk, kit):
    order = desk.accept()
    for _ in range(3):
        desk.give(kit.fill(order, "t1", Decimal(4)))
    assert desk.facts().count("OrderFilled") == 1
    assert desk.order().filled_qty == 4


def test_a_fill_carries_what_caused_the_order(desk, kit):
    order = desk.accept(correlation_id="feed:paper/9", purpose="stop_loss")
    desk.give(kit.fill(order))
    fact = desk.journal[-1]
    assert (fact.correlation_id, fact.purpose) == ("feed:paper/9", "stop_loss")
    assert (fact.ts_event, fact.ts_init) == (700, desk.now)


def test_late_and_excess_fills_are_counted_and_shown(desk, kit):
    order = desk.accept()
    desk.give(kit.status(order, OrderStatus.CANCELED))
    desk.give(kit.fill(order, "t1", Decimal(4)))
    desk.give(kit.fill(order, "t2", Decimal(9)))
    view = desk.broker.view()
    assert view["late_fills"] == 2
    assert view["overfilled"] == [order.client_order_id]
    assert desk.broker._state.record.account.position("AAPL.XNAS").quantity == 13


def test_a_fill_of_an_order_that_we_refused_moves_the_position_all_the_same(desk, kit):
    desk.give(kit.order())
    desk.give(kit.fill(kit.order(), "t1", Decimal(4)))
    assert (desk.status(), desk.order().late_fill_count) == ("DENIED", 1)
    assert desk.broker._state.record.account.position("AAPL.XNAS").quantity == 4


def test_an_unknown_order_is_adopted_as_external(desk, kit):
    desk.give(kit.fill(kit.order("x"), "t1", Decimal(4)))
    desk.give(kit.status(kit.order("x"), OrderStatus.PARTIALLY_FILLED, filled_qty=Decimal(4)))
    order = desk.order("x")
    assert (order.strategy_id, order.quantity, order.status) == ("EXTERNAL", 10, "PARTIALLY_FILLED")


def test_a_status_that_counts_more_fills_than_came_asks_for_them_and_invents_none(desk, kit):
    order = desk.accept()
    desk.give(kit.status(order, OrderStatus.FILLED, filled_qty=Decimal(10)))
    assert desk.order().filled_qty == 0
    desk.wait(200 * kit.MS)
    assert len(desk.called(QueryMassStatus)) == 1
    desk.give(MassStatusReceived(mass_status=kit.mass_status([], [kit.fill(order)])))
    assert desk.status() == "FILLED"


def test_a_fill_right_behind_its_status_spares_the_question(desk, kit):
    order = desk.accept()
    desk.give(kit.status(order, OrderStatus.FILLED, filled_qty=Decimal(10)))
    desk.give(kit.fill(order))
    desk.wait(1_000 * kit.MS)
    assert desk.called(QueryMassStatus) == []


def test_fills_that_stay_away_are_asked_for_again(desk, kit):
    order = desk.accept()
    desk.give(kit.status(order, OrderStatus.PARTIALLY_FILLED, filled_qty=Decimal(4)))
    desk.wait(200 * kit.MS)
    desk.give(MassStatusReceived(mass_status=kit.mass_status([kit.status(order)])))
    desk.wait(400 * kit.MS)
    assert len(desk.called(QueryMassStatus)) == 2


def test_a_report_of_another_account_or_side_changes_nothing(desk, kit):
    order = desk.accept()
    before = desk.broker.state_hash()
    desk.give(msgspec.structs.replace(kit.fill(order), account_id="OTHER"))
    desk.give(msgspec.structs.replace(kit.fill(order), side=OrderSide.SELL))
    desk.give(msgspec.structs.replace(kit.fill(order), last_qty=Decimal("NaN")))
    assert desk.broker.state_hash() == before
    assert desk.broker.view()["contradicting_reports"] == 2


def test_an_old_report_does_not_undo_a_replacement(desk, kit):
    order = desk.accept()
    desk.give(kit.status(order, quantity=Decimal(15), venue_seq=5))
    desk.give(kit.status(order, quantity=Decimal(10), venue_seq=4))
    assert desk.order().quantity == 15


def history(kit, order, other):
    """What a venue says of two orders, in the order in which it happened."""
    part = OrderStatus.PARTIALLY_FILLED
    said = [
        SubmitAcknowledged(
            client_order_id=order.client_order_id, venue_order_id=f"v-{order.client_order_id}"
        ),
        kit.status(order),
        kit.fill(order, "t1", Decimal(3)),
        kit.status(order, part, filled_qty=Decimal(3)),
        kit.status(order, part, quantity=Decimal(12), filled_qty=Decimal(3)),
        kit.fill(order, "t2", Decimal(4), Decimal("50.25")),
        kit.status(order, OrderStatus.CANCELED, quantity=Decimal(12), filled_qty=Decimal(7)),
        kit.status(other),
        kit.fill(other, "t3", Decimal(6), Decimal(51)),
        kit.fill(other, "t4", Decimal(4), Decimal(52)),
        kit.status(other, OrderStatus.FILLED, filled_qty=Decimal(10)),
    ]
    return [
        report
        if isinstance(report, SubmitAcknowledged)
        else msgspec.structs.replace(report, venue_seq=number)
        for number, report in enumerate(said, start=1)
    ]


def fold(kit, reports):
    desk = kit.Desk().trade()
    desk.submit("1")
    desk.submit("2", side=OrderSide.SELL)
    for report in reports:
        desk.give(report)
    return desk


def test_every_order_of_four_words_about_one_order_ends_alike(kit):
    words = history(kit, kit.order("1"), kit.order("2", side=OrderSide.SELL))[2:7:2]
    words.append(history(kit, kit.order("1"), kit.order("2", side=OrderSide.SELL))[5])
    hashes = {fold(kit, line).broker.state_hash() for line in permutations(words)}
    assert len(hashes) == 1


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_a_history_shuffled_and_repeated_folds_to_the_same_hash(kit, data):
    words = history(kit, kit.order("1"), kit.order("2", side=OrderSide.SELL))
    in_order = fold(kit, words)
    extra = data.draw(st.lists(st.sampled_from(words), max_size=8))
    shuffled = data.draw(st.permutations(words + extra))
    desk = fold(kit, shuffled)
    assert desk.broker.state_hash() == in_order.broker.state_hash()
    desk.start()
    assert desk.broker.state_hash() == in_order.broker.state_hash()


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_an_unknown_order_folds_to_the_same_hash_in_any_order(kit, data):
    words = history(kit, kit.order("1"), kit.order("2"))[1:]
    ours = [word for word in words if word.client_order_id == kit.key("1")]

    def fold_external(reports):
        desk = kit.Desk().trade()
        for report in reports:
            desk.give(report)
        return desk.broker.state_hash()

    assert fold_external(data.draw(st.permutations(ours))) == fold_external(ours)
