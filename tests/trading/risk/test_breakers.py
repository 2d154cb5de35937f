from decimal import Decimal

import pytest

from trading.commands import SetTradingState
from trading.events import DayOpened, TradingStateChanged
from trading.refusals import RefusalCode
from trading.risk.breakers import Counters, EquityGuard, has_recovered, next_hold, trips
from trading.risk.limits import RiskLimits
from trading.risk.standing import Hold
from trading.values import TradingState

DAY = 86_400 * 10**9
MINUTE = 60 * 10**9
ACTIVE, REDUCING, HALTED = TradingState
LIMITS = RiskLimits()
NONE = Hold()


def set_state(state, reason="test"):
    return SetTradingState(state=state, actor="ann", reason=reason)


# -- pure functions


@pytest.mark.parametrize(
    ("counters", "state", "code", "until"),
    [
        (Counters(daily_loss=Decimal(5000)), HALTED, "RISK_DAILY_LOSS", 11 * DAY),
        (Counters(drawdown=Decimal("0.1")), REDUCING, "RISK_DRAWDOWN", 0),
        (
            Counters(consecutive_losses=5),
            REDUCING,
            "RISK_CONSECUTIVE_LOSSES",
            10 * DAY + 90 * MINUTE,
        ),
        (Counters(trades_today=50), REDUCING, "RISK_MAX_TRADES_PER_DAY", 11 * DAY),
        (Counters(bad_readings=3), HALTED, "RISK_EQUITY_INVALID", 0),
    ],
)
def test_each_breaker_trips_at_its_limit(counters, state, code, until):
    (hold,) = trips(LIMITS, counters, 10 * DAY + 30 * MINUTE, 11 * DAY)
    assert (hold.state, hold.code, hold.until) == (state, code, until)


def test_nothing_trips_just_below_the_limits():
    counters = Counters(
        daily_loss=Decimal("4999.99"),
        drawdown=Decimal("0.0999"),
        consecutive_losses=4,
        trades_today=49,
        bad_readings=2,
    )
    assert trips(LIMITS, counters, 0, DAY) == []


def test_cooldown_of_the_trade_breaker_reaches_into_the_next_day():
    (hold,) = trips(
        LIMITS, Counters(trades_today=50), 10 * DAY + 23 * 60 * MINUTE + 30 * MINUTE, 11 * DAY
    )
    assert hold.until == 11 * DAY + 30 * MINUTE


def test_stricter_state_replaces_a_milder_one_and_never_the_other_way():
    mild, strict = Hold(REDUCING, "RISK_DRAWDOWN"), Hold(HALTED, "RISK_DAILY_LOSS", "", 5)
    assert next_hold(mild, NONE, [strict], 1, has_recovered=False) == strict
    assert next_hold(strict, NONE, [mild], 1, has_recovered=False) is None
    assert next_hold(strict, NONE, [strict], 1, has_recovered=False) is None


def test_state_that_ends_gives_way_to_the_operator_to_what_is_tripped_or_to_active():
    ended = Hold(HALTED, "RISK_DAILY_LOSS", "", 5)
    operator, tripped = Hold(REDUCING, "OPERATOR"), Hold(REDUCING, "RISK_DRAWDOWN")
    assert next_hold(ended, NONE, [], 4, has_recovered=False) is None
    assert next_hold(ended, NONE, [], 5, has_recovered=False).state is ACTIVE
    assert next_hold(ended, operator, [], 5, has_recovered=False) == operator
    assert next_hold(ended, NONE, [tripped], 5, has_recovered=False) == tripped


def test_drawdown_ends_when_recovered_and_an_active_state_stays():
    hold = Hold(REDUCING, "RISK_DRAWDOWN")
    over = next_hold(hold, NONE, [], 1, has_recovered=True)
    assert over.state is ACTIVE
    assert next_hold(over, NONE, [], 2, has_recovered=True) is None
    assert not has_recovered(LIMITS, Counters(drawdown=Decimal("0.05")))
    assert has_recovered(LIMITS, Counters(drawdown=Decimal("0.0499")))
    assert not has_recovered(LIMITS, Counters())


@pytest.mark.parametrize("bad", ["NaN", "0", "-5", "Infinity", "1000", "49999", "200001"])
def test_single_bad_reading_is_ignored_and_counted(bad):
    guard = EquityGuard()
    assert guard.accept(Decimal(100_000), None) == 100_000
    assert guard.accept(Decimal(bad), None) is None
    assert (guard.last, guard.bad_in_a_row, guard.bad_count) == (100_000, 1, 1)
    assert guard.accept(Decimal(99_000), None) == 99_000
    assert (guard.bad_in_a_row, guard.bad_count) == (0, 1)


def test_first_reading_after_a_restart_is_measured_by_the_journalled_one():
    guard = EquityGuard()
    assert guard.accept(Decimal(100), Decimal(100_000)) is None
    guard.restart()
    assert guard.accept(Decimal("NaN"), Decimal(100_000)) is None
    assert guard.accept(Decimal(100), Decimal(100_000)) == 100


# -- through the gate


def marks(desk):
    days = [event for event in desk.own if isinstance(event, DayOpened)]
    return [(mark.day, mark.equity, mark.peak_equity) for mark in days]


def test_day_begins_with_the_last_reading_before_it(desk):
    desk.slice()
    desk.trade("A", "BUY", 50, 100)
    desk.price("A", 110)
    desk.slice(minutes=60)
    desk.slice(days=1)
    assert marks(desk) == [
        (100, 100_000, 100_000),
        (100, 100_500, 100_500),  # moved by more than 5,000 / 20
        (101, 100_500, 100_500),
    ]
    assert desk.gate.state.standing.day_equity == 100_500


def test_reading_is_journalled_when_it_moved_by_a_twentieth_of_the_daily_loss(loser):
    for price in ("100.25", "100.30", "100.40", 95):  # 22.50, 27, 36 and -450 from 10,000
        loser.price("A", price)
        loser.slice(minutes=1)
    assert marks(loser) == [
        (100, 10_000, 10_000),
        (100, 10_027, 10_027),
        (100, 9_550, 10_027),
    ]
    assert loser.gate.state.standing.day_equity == 10_000


@pytest.fixture
def loser(new_desk, limits_with):
    """Ten thousand, daily loss 500, stops off; 90 of A bought at 100."""
    desk = new_desk(
        limits_with(
            stop_loss=None,
            trailing_stop=None,
            max_daily_loss=Decimal(500),
            max_drawdown=Decimal("0.10"),
        ),
        cash="10000",
    )
    desk.prices(A=100, B=50)
    desk.slice()
    desk.trade("A", "BUY", 90, 100)
    return desk


def test_daily_loss_halts_until_the_next_day(loser):
    loser.price("A", 94)  # loss 540
    assert loser.ask("B", quantity=1) == "approved"
    loser.slice(minutes=1)
    assert loser.trading_state == ("HALTED", "RISK_DAILY_LOSS")
    assert loser.ask("B", quantity=1) == RefusalCode.RISK_DAILY_LOSS
    assert loser.ask("A", "SELL", 1) == RefusalCode.RISK_DAILY_LOSS
    assert loser.ask("A", "SELL", 1, purpose="flatten") == "approved"
    loser.slice(days=1)
    assert loser.trading_state == ("ACTIVE", "RISK_DAILY_LOSS")
    assert loser.ask("B", quantity=1) == "approved"


def test_daily_loss_survives_a_restart(loser):
    loser.price("A", 96)  # loss 360
    loser.slice(minutes=1)
    loser.start()
    loser.prices(A=94, B=50)  # 180 more
    loser.slice(minutes=1)
    assert loser.trading_state == ("HALTED", "RISK_DAILY_LOSS")
    loser.start()
    loser.prices(A=100, B=50)
    assert loser.ask("B", quantity=1) == RefusalCode.RISK_DAILY_LOSS


def test_restart_between_two_days_changes_neither_loss_nor_base(loser):
    loser.price("A", 96)
    loser.slice(days=1)  # equity 9,640
    loser.start()
    loser.prices(A=91, B=50)  # 9,190: 450 less than the close before
    loser.slice(days=1)
    assert loser.trading_state == ("ACTIVE", "")
    loser.start()
    loser.prices(A=85, B=50)  # 540 less
    loser.slice(days=1)
    assert loser.trading_state == ("HALTED", "RISK_DAILY_LOSS")


def test_drawdown_over_days_reduces_and_recovers(loser):
    for price in (96, 92, 88):  # equity 9,640 9,280 8,920; never 500 a day
        loser.price("A", price)
        loser.slice(days=1)
    assert loser.trading_state == ("REDUCING", "RISK_DRAWDOWN")
    assert loser.ask("B", quantity=1) == RefusalCode.RISK_DRAWDOWN
    assert loser.ask("A", "SELL", 1) == "approved"
    loser.start()
    assert loser.gate.view()["peak_equity"] == 10_000
    for price in (92, 95):  # drawdown 7.2 %, 4.5 %
        assert loser.trading_state == ("REDUCING", "RISK_DRAWDOWN")
        loser.price("A", price)
        loser.slice(days=1)
    assert loser.trading_state == ("ACTIVE", "RISK_DRAWDOWN")


def test_operator_who_resumes_restarts_the_peak(loser):
    for price in (96, 92, 88):
        loser.price("A", price)
        loser.slice(days=1)
    loser.handle(set_state(ACTIVE))
    assert loser.trading_state == ("ACTIVE", "OPERATOR")
    loser.slice(days=1)
    assert loser.trading_state == ("ACTIVE", "OPERATOR")
    assert loser.gate.view()["peak_equity"] == 8_920


def test_operator_state_comes_back_after_a_breaker(loser):
    loser.handle(set_state(REDUCING))
    loser.price("A", 94)
    loser.slice(minutes=1)
    assert loser.trading_state == ("HALTED", "RISK_DAILY_LOSS")
    loser.start()
    loser.price("A", 94)
    loser.slice(days=1)
    assert loser.trading_state == ("REDUCING", "OPERATOR")


def test_operator_cannot_wish_a_loss_away(loser):
    loser.price("A", 94)
    loser.slice(minutes=1)
    loser.handle(set_state(ACTIVE))
    assert loser.trading_state == ("HALTED", "RISK_DAILY_LOSS")


def test_repeated_operator_command_is_applied_once(desk):
    assert len(desk.handle(set_state(HALTED))) == 1
    assert desk.handle(set_state(HALTED)) == []
    change = desk.own[-1]
    assert (change.code, change.reason) == ("OPERATOR", "ann: test")


def lose(desk, times, profit=-1):
    for _ in range(times):
        desk.trade("A", "BUY", 1, 100)
        desk.trade("A", "SELL", 1, 100 + profit)


def test_five_losses_in_a_row_open_the_breaker_for_an_hour_of_market_time(desk):
    desk.slice()
    lose(desk, 4)
    assert desk.trading_state == ("ACTIVE", "")
    lose(desk, 1)
    assert desk.trading_state == ("REDUCING", "RISK_CONSECUTIVE_LOSSES")
    assert desk.own[-1].until == desk.market + 60 * MINUTE
    assert desk.ask(quantity=1) == RefusalCode.RISK_CONSECUTIVE_LOSSES
    desk.slice(minutes=59)
    assert desk.ask(quantity=1) == RefusalCode.RISK_CONSECUTIVE_LOSSES
    desk.slice(minutes=1)
    assert desk.trading_state == ("ACTIVE", "RISK_CONSECUTIVE_LOSSES")
    desk.slice(minutes=1)
    lose(desk, 4)
    assert desk.trading_state == ("ACTIVE", "RISK_CONSECUTIVE_LOSSES")
    lose(desk, 1)
    assert desk.trading_state == ("REDUCING", "RISK_CONSECUTIVE_LOSSES")


def test_win_or_scratch_ends_the_run_of_losses(desk):
    lose(desk, 4)
    lose(desk, 1, profit=0)
    lose(desk, 4)
    assert desk.trading_state == ("ACTIVE", "")


def test_partial_fills_of_one_exit_are_one_loss(desk):
    desk.trade("A", "BUY", 10, 100)
    order = desk.order("A", "SELL", 10)
    desk.handle(order)
    desk.submitted(order)
    for _ in range(9):
        desk.filled(order, 99, quantity=1)
    assert desk.gate.state.counters().consecutive_losses == 0
    desk.canceled(order)
    assert desk.gate.state.counters().consecutive_losses == 1


def test_loss_that_ends_by_a_cancel_opens_the_breaker_too(desk):
    lose(desk, 4)
    desk.trade("A", "BUY", 2, 100)
    order = desk.order("A", "SELL", 2)
    desk.handle(order)
    desk.submitted(order)
    desk.filled(order, 99, quantity=1)
    assert desk.trading_state == ("ACTIVE", "")
    desk.canceled(order)
    assert desk.trading_state == ("REDUCING", "RISK_CONSECUTIVE_LOSSES")


def test_run_of_losses_survives_a_restart(desk):
    lose(desk, 4)
    desk.start()
    desk.price("A", 100)
    assert desk.gate.state.counters().consecutive_losses == 4
    lose(desk, 1)
    assert desk.trading_state == ("REDUCING", "RISK_CONSECUTIVE_LOSSES")


def test_breaker_that_a_crash_kept_from_the_journal_trips_after_the_restart(desk):
    lose(desk, 5)
    desk.own.clear()
    desk.start()
    assert desk.trading_state == ("REDUCING", "RISK_CONSECUTIVE_LOSSES")


def test_operator_who_resumes_forgives_the_losses(desk):
    desk.slice()
    lose(desk, 5)
    desk.handle(set_state(ACTIVE))
    assert desk.trading_state == ("ACTIVE", "OPERATOR")
    assert desk.gate.state.counters().consecutive_losses == 0


def test_trades_of_a_day_are_used_up_and_come_back_the_next_day(new_desk, limits_with):
    desk = new_desk(limits_with(max_trades_per_day=4))
    desk.price("A", 10)
    desk.slice()
    lose(desk, 1, profit=1)
    working = desk.order(quantity=1)
    assert [desk.verdict(working), desk.ask(quantity=1)] == ["approved", "approved"]
    assert desk.ask(quantity=1) == RefusalCode.RISK_MAX_TRADES_PER_DAY  # 2 done, 2 working
    desk.canceled(working)
    desk.trade("A", "BUY", 1, 10)
    assert desk.trading_state == ("ACTIVE", "")
    desk.start()  # what was in flight is void: one trade is left
    desk.price("A", 10)
    desk.trade("A", "BUY", 1, 10)
    assert desk.trading_state == ("REDUCING", "RISK_MAX_TRADES_PER_DAY")
    desk.start()
    desk.price("A", 10)
    assert desk.ask(quantity=1) == RefusalCode.RISK_MAX_TRADES_PER_DAY
    desk.slice(days=1)
    assert desk.ask(quantity=1) == "approved"


def test_one_bad_equity_reading_does_nothing_and_three_halt(new_desk, limits_with):
    desk = new_desk(limits_with(stop_loss=None, trailing_stop=None), cash="10000")
    desk.prices(A=100, B=50)
    desk.slice()
    desk.trade("A", "BUY", 90, 100)
    for _ in range(2):
        desk.price("A", 1)  # equity 1,090: not believed
        desk.slice(minutes=1)
    desk.price("A", 100)
    desk.slice(minutes=1)
    assert desk.trading_state == ("ACTIVE", "")
    assert desk.gate.view()["bad_equity_readings"] == 2
    desk.price("A", 1)
    for _ in range(3):
        desk.slice(minutes=1)
    assert desk.trading_state == ("HALTED", "RISK_EQUITY_INVALID")
    desk.start()
    desk.prices(A=100, B=50)
    desk.slice(minutes=1)
    assert desk.ask("B", quantity=1) == RefusalCode.RISK_EQUITY_INVALID
    desk.handle(set_state(ACTIVE))
    desk.slice(minutes=1)
    assert desk.ask("B", quantity=1) == "approved"


def test_price_that_is_no_number_does_not_switch_the_daily_loss_off(loser):
    loser.price("A", 94)
    loser.price("A", float("nan"))
    loser.slice(minutes=1)
    assert loser.trading_state == ("HALTED", "RISK_DAILY_LOSS")


def test_slice_before_the_gate_is_ready_only_moves_the_clock(new_desk):
    desk = new_desk()
    desk.start(acknowledged=False)
    desk.slice()
    assert desk.own == []
    assert desk.gate.state.market_time == desk.market


def test_breaker_facts_carry_market_time(desk):
    desk.slice()
    lose(desk, 5)
    change = next(event for event in desk.own if isinstance(event, TradingStateChanged))
    assert change.ts_event == desk.market
    assert change.ts_init == desk.now
