"""A deposit is no profit and a withdrawal no loss; what an account held before us counts as exposure."""

from decimal import Decimal

import pytest

from trading.commands import PermittedOrder
from trading.events import AccountOpened, CashAdjusted, DayOpened
from trading.risk.limits import RiskLimits


def move(desk, amount):
    desk.fact(CashAdjusted(account_id="DEMO", amount=Decimal(amount), reason="moved"))


def counters(desk):
    return desk.gate.state.counters()


@pytest.mark.parametrize("amount", ["60000", "-60000", "500000"])
def test_moved_cash_changes_neither_the_day_nor_the_drawdown(desk, amount):
    desk.slice(days=1, A=100.0)
    move(desk, amount)
    desk.slice(minutes=1, A=100.0)

    assert counters(desk).daily_loss == 0
    assert counters(desk).drawdown == 0
    assert counters(desk).bad_readings == 0
    assert desk.gate.view()["equity"] == 100_000 + Decimal(amount)
    assert desk.trading_state == ("ACTIVE", "")


def test_a_loss_after_a_deposit_is_measured_on_all_of_it(desk):
    desk.slice(days=1, A=100.0)
    desk.trade("A", "BUY", 10, 100)
    move(desk, "100000")
    desk.prices(A=50)
    desk.slice(minutes=1, A=50.0)

    assert counters(desk).daily_loss == 500
    assert counters(desk).drawdown == 1 - Decimal(199_500) / Decimal(200_000)
    assert desk.gate.view()["day_equity"] == 200_000


def test_the_counters_are_the_same_after_a_restart_whatever_was_written_first(desk):
    desk.slice(days=1, A=100.0)
    desk.trade("A", "BUY", 100, 100)
    move(desk, "-40000")
    desk.prices(A=95)
    desk.slice(minutes=1, A=95.0)
    move(desk, "1000")
    desk.prices(A=90)
    desk.slice(minutes=1, A=90.0)
    before, view = counters(desk), desk.gate.view()

    desk.start()
    desk.prices(A=90)
    desk.slice(minutes=1, A=90.0)

    assert counters(desk).daily_loss == before.daily_loss == 1000
    assert counters(desk).drawdown == before.drawdown
    assert desk.gate.view()["day_equity"] == view["day_equity"] == 61_000


def test_journalled_readings_are_without_the_moved_cash(desk):
    desk.slice(days=1, A=100.0)
    move(desk, "5000")
    desk.slice(days=1, A=100.0)

    readings = [event for event in desk.own if isinstance(event, DayOpened)]
    assert {event.equity for event in readings} == {Decimal(100_000)}


def test_all_of_the_peak_moved_out_is_no_division_by_zero(desk):
    desk.slice(days=1, A=100.0)
    move(desk, "-100000")

    assert counters(desk).drawdown == 0


def opened(desk, cash, *positions):
    desk.fact(
        AccountOpened(
            account_id="DEMO",
            cash=Decimal(cash),
            positions=tuple((f"{key}.X", Decimal(n), Decimal(px)) for key, n, px in positions),
        )
    )


@pytest.fixture
def empty(new_desk):
    def make(**limits):
        made = new_desk(limits=RiskLimits(**limits))
        made.prices(A=100, B=50)
        return made

    return make


def test_what_was_held_before_us_counts_as_exposure(empty):
    desk = empty(max_total_exposure=Decimal(10_000))
    opened(desk, "5000", ("A", "90", "80"))

    assert desk.ask("B", "BUY", 30) == "RISK_MAX_EXPOSURE"
    assert desk.ask("B", "BUY", 20) == "approved"
    assert desk.gate.state.holdings.account.cash == 5000


def test_equity_begins_with_what_the_account_holds(empty):
    desk = empty()
    opened(desk, "5000", ("A", "10", "80"))
    desk.slice(days=1, A=100.0)

    assert desk.gate.view()["equity"] == 6000
    assert counters(desk).daily_loss == 0


def test_something_held_that_is_not_traded_here_does_not_stop_trading(empty):
    desk = empty()
    opened(desk, "5000", ("Z", "3", "0"), ("Y", "2", "10"))

    assert desk.ask("B", "BUY", 1) == "approved"
    assert desk.gate.state.holdings.reservations.account.gross == 20 + 50


def test_something_traded_here_without_any_price_stops_new_exposure(empty):
    desk = empty()
    opened(desk, "5000", ("D", "3", "0"))
    assert desk.ask("B", "BUY", 1) == "DATA_STALE"

    desk.prices(D=10)

    assert desk.ask("B", "BUY", 1) == "approved"


def test_the_stops_of_risk_leave_positions_alone_that_are_nobodys_strategy(empty):
    desk = empty(stop_loss=Decimal("0.1"))
    opened(desk, "5000", ("A", "10", "100"))
    desk.prices(A=50)

    assert desk.sent_of(PermittedOrder) == []
    assert desk.own == []
