"""A real account begins with what the venue says of it, once, and counts nothing twice."""

from decimal import Decimal

import msgspec
import pytest

from trading.commands import AnnounceRisk, QueryMassStatus, RiskAcknowledged
from trading.events import AccountOpened, OrderFilled
from trading.instruments import Instrument
from trading.outcomes import MassStatusReceived, VenueConnected
from trading.reports import AccountReport, MassStatus, PositionReport
from trading.values import OrderSide, OrderStatus

APPLE, FUTURE = "AAPL.XNAS", "ESZ6.XCME"


def answer(cash="5000.25", held=(), fills=(), open_orders=(), **fields):
    values = {
        "ts_event": 900,
        "account_id": "DEMO",
        "open_orders": tuple(open_orders),
        "fills": tuple(fills),
        "positions": tuple(
            PositionReport(
                account_id="DEMO",
                instrument_id=key,
                quantity=Decimal(quantity),
                avg_px=Decimal(price),
            )
            for key, quantity, price in held
        ),
        "account": AccountReport(account_id="DEMO", cash=Decimal(cash)),
    }
    return MassStatusReceived(mass_status=MassStatus(**{**values, **fields}))


@pytest.fixture
def real(kit):
    desk = kit.Desk(opens_account=True)
    desk.start()
    desk.give(AnnounceRisk(risk_epoch=7, reply_to=kit.RISK))
    desk.give(VenueConnected())
    return desk


def opened(desk):
    return [event for event in desk.journal if isinstance(event, AccountOpened)]


def account(desk):
    return desk.broker._state.record.account


def test_the_first_answer_opens_the_account_and_it_is_ready(real):
    real.give(answer(held=[(APPLE, "7", "150.5"), ("KO.XNYS", "0", "60")]))

    (event,) = opened(real)
    assert event.cash == Decimal("5000.25")
    assert event.positions == ((APPLE, Decimal(7), Decimal("150.5")),)
    assert real.broker.view()["is_ready"]
    assert account(real).cash == Decimal("5000.25")
    assert account(real).strategy_position("EXTERNAL", APPLE).quantity == 7


def test_it_is_opened_once_also_over_a_restart(real, kit):
    real.give(answer(held=[(APPLE, "7", "150")]))
    before = real.broker.state_hash()
    real.start()
    real.give(VenueConnected())
    real.give(answer(held=[(APPLE, "7", "150")]))

    assert len(opened(real)) == 1
    assert real.broker.state_hash() == before
    assert real.broker.view()["is_ready"]


def test_afterwards_a_difference_is_a_mismatch_as_ever(real):
    real.give(answer())
    real.reconcile(answer(held=[(APPLE, "1", "1")]).mass_status)

    assert not real.broker.view()["is_ready"]
    assert [m["subject"] for m in real.broker.view()["mismatches"]] == [APPLE]


def test_fills_of_the_past_are_part_of_it_and_never_applied(real, kit):
    old = kit.fill(kit.order("9"), "t1", ts_event=100)
    newest = kit.fill(kit.order("9"), "t2", ts_event=200)
    real.give(answer(fills=[old, newest]))
    for again in (old, newest, kit.fill(kit.order("9"), "t0", ts_event=50)):
        real.give(again)
    real.reconcile(answer(fills=[old, newest]).mass_status)

    assert real.broker.view()["is_ready"]
    assert not [event for event in real.journal if isinstance(event, OrderFilled)]
    assert opened(real)[0].trade_ids == ("t2",)


def test_a_fill_of_the_same_moment_that_was_not_listed_counts(real, kit):
    real.give(answer(fills=[kit.fill(kit.order("9"), "t2", ts_event=200)]))
    real.give(kit.fill(kit.order("9"), "t3", Decimal(2), ts_event=200))

    assert account(real).position(APPLE).quantity == 2


def test_of_an_order_that_had_filled_in_part_only_the_rest_counts(real, kit):
    order = kit.order("9", quantity=Decimal(10))
    half = kit.status(order, OrderStatus.PARTIALLY_FILLED, filled_qty=Decimal(4))
    first = kit.fill(order, "t1", Decimal(4), ts_event=100)
    real.give(answer(held=[(APPLE, "4", "50")], fills=[first], open_orders=[half]))
    known = real.order("9")
    assert (known.quantity, known.leaves_qty, known.status) == (6, 6, OrderStatus.ACCEPTED)

    real.give(kit.fill(order, "t2", Decimal(6), ts_event=300))
    done = kit.status(order, OrderStatus.FILLED, filled_qty=Decimal(10))
    real.give(done)

    assert real.status("9") == "FILLED"
    assert account(real).position(APPLE).quantity == 10
    assert real.order("9").filled_qty == 6


def test_what_is_heard_before_is_not_taken_and_a_fill_makes_it_ask_again(real, kit):
    order = kit.order("9")
    real.give(kit.status(order))
    real.give(kit.fill(order, "t1", Decimal(1), ts_event=100))
    real.give(answer())
    assert real.journal == []
    assert not real.broker.view()["is_ready"]

    real.wait(1_000 * kit.MS)
    real.give(
        answer("4950", [(APPLE, "1", "50")], [kit.fill(order, "t1", Decimal(1), ts_event=100)])
    )

    assert account(real).position(APPLE).quantity == 1
    assert real.broker.view()["is_ready"]


def test_the_risk_manager_hears_of_it_only_when_the_account_is_open(real, kit):
    assert [send for send in real.sent if isinstance(send.message, RiskAcknowledged)][1:] == []
    real.sent.clear()
    real.give(answer())

    (send,) = real.sent
    assert send.message == RiskAcknowledged(
        ts_init=real.now, risk_epoch=7, account_seq=len(real.journal)
    )


def test_a_margined_position_is_known_as_such(kit):
    future = Instrument(instrument_id=FUTURE, is_margined=True)
    desk = kit.Desk(opens_account=True, instruments={FUTURE: future})
    desk.start()
    desk.give(VenueConnected())
    desk.give(answer(held=[(FUTURE, "2", "4000"), (APPLE, "1", "NaN")]))

    (event,) = opened(desk)
    assert event.margined == (FUTURE,)
    assert event.positions[1] == (APPLE, Decimal(1), Decimal(0))
    assert account(desk).capital == Decimal("5000.25")
    assert account(desk).equity({FUTURE: Decimal(4010)}) == Decimal("5020.25")


def test_an_answer_without_numbers_opens_nothing(real):
    real.give(answer("NaN"))

    assert opened(real) == []
    assert not real.broker.view()["is_ready"]
    assert real.broker.view()["contradictions"]


def test_what_the_venue_cannot_tell_is_not_compared_and_the_view_says_so(real, kit):
    real.give(answer(positions=None, account=None))

    (event,) = opened(real)
    assert (event.cash, event.positions) == (Decimal(100_000), ())
    view = real.broker.view()
    assert view["is_ready"]
    assert view["uncompared"] == ["positions", "cash"]

    order = real.accept("1")
    real.give(kit.fill(order, "t1", Decimal(10), ts_event=1_000))
    real.reconcile(answer(positions=None, account=None).mass_status)
    assert real.broker.view()["is_ready"]


def test_a_journal_with_fills_of_its_own_is_never_opened(kit):
    desk = kit.Desk().trade()
    order = desk.accept()
    fill = kit.fill(order)
    desk.give(fill)
    later = kit.Desk(opens_account=True)
    later.journal = desk.journal
    later.start()
    later.give(VenueConnected())
    later.give(MassStatusReceived(mass_status=kit.mass_status([], [fill])))

    assert opened(later) == []
    assert later.broker.view()["is_ready"]


def test_without_the_setting_it_is_compared_with_the_cash_of_the_configuration(kit):
    desk = kit.Desk()
    desk.start()
    desk.give(VenueConnected())
    desk.give(answer())

    assert opened(desk) == []
    assert not desk.broker.view()["is_ready"]
    assert len(desk.called(QueryMassStatus)) == 1


def test_short_positions_are_opened_too(real):
    real.give(answer(held=[(APPLE, "-3", "100")]))

    assert account(real).position(APPLE).quantity == -3
    assert account(real).capital == Decimal("5000.25") - 300
    assert account(real).equity({APPLE: Decimal(90)}) == Decimal("5000.25") - 270


def test_a_side_that_differs_is_still_a_contradiction(real, kit):
    real.give(answer())
    order = real.accept("1")
    wrong = msgspec.structs.replace(kit.fill(order, ts_event=1_000), side=OrderSide.SELL)
    real.give(wrong)

    assert real.broker.view()["contradicting_reports"] == 1
