"""The gate with the limits of a desk: what is measured, how losses climb the ladder, what a restart keeps."""

from decimal import Decimal

import msgspec
import pytest

from trading.commands import CancelOrder, PermittedOrder, RequestBars, SetTradingState, SubmitOrder
from trading.data import BarsHistory
from trading.events import (
    KillSwitchTripped,
    OrderRejected,
    RiskWarned,
    StrategyHalted,
)
from trading.market_hours import MarketHours
from trading.risk.limits import RiskLimits
from trading.values import TradingState

D = Decimal
WIDE = RiskLimits(
    max_shares=D(100_000),
    max_notional_per_position=D(10**7),
    max_total_exposure=D(10**7),
    max_loss_per_trade=D(10**6),
    max_daily_loss=D(1_000),
    max_drawdown=D("0.9"),
    max_orders_per_second=10**6,
    stop_loss=None,
    trailing_stop=None,
)


@pytest.fixture
def ready(new_desk):
    def make(cash="100000", history=None, hours=None, **limits):
        settings = {} if hours is None else {"hours": hours}
        desk = new_desk(
            msgspec.structs.replace(WIDE, **limits), cash=cash, history=history, **settings
        )
        desk.prices(A=100, B=50, C=20)
        desk.slice(A=100.0)
        return desk

    return make


def of(desk, kind):
    return [event for event in desk.own if isinstance(event, kind)]


def loses(desk, price):
    """A falls to `price` and a bar closes."""
    desk.price("A", price)
    desk.slice(minutes=1, A=float(price))


# -- the ladder


def test_loss_near_its_limit_is_warned_of_once_a_day(ready):
    desk = ready(warn_at=D("0.5"))
    desk.trade("A", "BUY", 100, 100)
    loses(desk, 95.01)
    assert of(desk, RiskWarned) == []
    loses(desk, 95)
    loses(desk, 94)
    (warned,) = of(desk, RiskWarned)
    assert (warned.name, warned.used, warned.limit) == ("max_daily_loss", D(500), D(1_000))
    desk.start()
    loses(desk, 93)
    assert len(of(desk, RiskWarned)) == 1
    desk.slice(days=1, A=93.0)
    loses(desk, 88)
    assert len(of(desk, RiskWarned)) == 2


def test_flatten_waits_for_readings_in_a_row_and_closes_everything(ready):
    desk = ready(flatten_at=D("1.5"), debounce_readings=2)
    desk.trade("A", "BUY", 100, 100, strategy="one")
    desk.trade("B", "SELL", 60, 50, strategy="two")
    loses(desk, 84)
    assert desk.trading_state == ("HALTED", "RISK_DAILY_LOSS")
    loses(desk, 90)  # it was one bad reading
    loses(desk, 84)
    assert desk.trading_state == ("HALTED", "RISK_DAILY_LOSS")
    desk.sent.clear()
    loses(desk, 84)
    assert desk.trading_state == ("HALTED", "RISK_FLATTEN")
    desk.now += 1
    desk.market += 10**9
    desk.prices(A=84, B=50, C=20)
    exits = [message.order for message in desk.sent_of(PermittedOrder)]
    assert [(o.instrument_id, str(o.side), o.quantity, o.purpose) for o in exits] == [
        ("A.X", "SELL", D(100), "flatten"),
        ("B.X", "BUY", D(60), "flatten"),
    ]
    desk.prices(A=84, B=50)
    assert len(desk.sent_of(PermittedOrder)) == 2, "one exit at a time"
    assert desk.ask("C") == "RISK_FLATTEN"


def test_flattening_goes_on_after_a_restart_until_an_operator_ends_it(ready):
    desk = ready(flatten_at=D("1.2"), debounce_readings=1)
    desk.trade("A", "BUY", 100, 100)
    loses(desk, 80)
    desk.start()
    desk.sent.clear()
    desk.market += 10**9
    desk.price("A", 80)
    (exit_,) = [m.order for m in desk.sent_of(PermittedOrder)]
    assert exit_.purpose == "flatten"
    desk.submitted(exit_)
    desk.filled(exit_, 80)
    desk.handle(SetTradingState(state=TradingState.ACTIVE, actor="ann", reason="go on"))
    desk.market += 10**9
    desk.sent.clear()
    desk.price("A", 80)
    assert desk.sent_of(SubmitOrder) == desk.sent_of(CancelOrder) == []


def test_last_rung_trips_the_kill_switch_with_the_order_to_flatten(ready):
    desk = ready(kill_at=D(2), debounce_readings=2)
    desk.trade("A", "BUY", 100, 100)
    loses(desk, 79)
    assert desk.shared == []
    loses(desk, 79)
    ((stream, tripped),) = desk.shared
    assert stream == "kill:DEMO"
    assert isinstance(tripped, KillSwitchTripped)
    assert (tripped.actor, tripped.flatten) == ("risk:DEMO", True)
    assert "kill_at = 2" in tripped.reason
    desk.fact(tripped)
    loses(desk, 70)
    assert len(desk.shared) == 1, "it is latched already"


def test_bad_reading_neither_climbs_nor_ends_anything(ready):
    desk = ready(flatten_at=D("1.5"), debounce_readings=2)
    desk.trade("A", "BUY", 100, 100)
    loses(desk, 84)
    desk.price("A", 10**9)  # a defect of the source
    desk.slice(minutes=1, A=1.0)
    assert desk.trading_state == ("HALTED", "RISK_DAILY_LOSS")
    loses(desk, 84)
    assert desk.trading_state == ("HALTED", "RISK_FLATTEN")


def test_strategy_that_lost_its_share_is_halted_until_the_next_day(ready):
    desk = ready(max_strategy_daily_loss=D(300))
    desk.trade("A", "BUY", 100, 100, strategy="one")
    desk.trade("B", "BUY", 10, 50, strategy="two")
    loses(desk, 97.01)
    assert desk.ask("C", strategy="one") == "approved"
    loses(desk, 97)
    (halt,) = of(desk, StrategyHalted)
    assert halt.strategy_id == "one"
    assert "daily_loss=300" in halt.reason
    assert desk.ask("C", strategy="one") == "RISK_STRATEGY_HALTED"
    assert desk.ask("C", strategy="two") == "approved"
    assert desk.ask("A", "SELL", 10, "one") == "approved"
    desk.start()
    desk.prices(A=97, B=50, C=20)
    assert desk.ask("C", strategy="one") == "RISK_STRATEGY_HALTED"
    desk.slice(days=1, A=97.0)
    assert of(desk, StrategyHalted)[-1].until == 0
    assert desk.ask("C", strategy="one") == "approved"
    assert len(of(desk, StrategyHalted)) == 2


# -- breakers on what the venue does


def reject(desk):
    order = desk.order("A")
    assert desk.verdict(order) == "approved"
    desk.submitted(order)
    desk.about(OrderRejected, order, code="X", reason="x")


def test_venue_that_refuses_too_many_orders_opens_the_breaker_for_its_time(ready):
    desk = ready(max_reject_rate=D("0.5"), outcome_window=4, breaker_cooldown_min=10)
    desk.trade("A", "BUY", 1, 100)
    desk.trade("A", "BUY", 1, 100)
    reject(desk)
    assert desk.trading_state == ("ACTIVE", "")
    reject(desk)
    assert desk.trading_state == ("REDUCING", "RISK_REJECT_RATE")
    desk.start()
    desk.prices(A=100)
    assert desk.ask("A") == "RISK_REJECT_RATE"
    desk.slice(minutes=10, A=100.0)
    assert desk.trading_state[0] == "ACTIVE"
    reject(desk)  # what was before the breaker does not count again
    assert desk.trading_state[0] == "ACTIVE"


def test_fills_far_from_the_price_decided_on_open_the_breaker(ready):
    desk = ready(max_slippage_bps=D(10), outcome_window=2)
    desk.trade("A", "BUY", 1, "100.09", arrival_px=D(100))
    desk.trade("A", "BUY", 1, "100.1", arrival_px=D(100))
    assert desk.trading_state == ("ACTIVE", "")  # 9.5 basis points
    desk.trade("A", "SELL", 1, "99.89", arrival_px=D(100))
    assert desk.trading_state == ("REDUCING", "RISK_SLIPPAGE")  # 10.5


# -- measures


def test_value_at_risk_is_learned_from_history_and_limits_the_next_order(ready):
    desk = ready(history="replay:prices", max_value_at_risk=D(300))
    (request,) = desk.sent_of(RequestBars)
    assert request.reply_to == "risk:DEMO"
    assert desk.ask("A") == "RISK_UNMEASURED"
    closes = [100.0 * (1.01 if row % 2 else 1.0) for row in range(request.count)]
    slices = tuple(
        desk.bars(row + 1, desk.market - (request.count - row) * 10**9, {"A": close})
        for row, close in enumerate(closes)
    )
    desk.slices = request.count
    desk.handle(BarsHistory(slices=slices, sequence=request.count))
    # one deviation of about 1 % of 100 a share, 2.33 of them: 2.3 a share
    assert desk.ask("A", quantity=120) == "approved"
    assert desk.ask("A", quantity=120) == "RISK_MAX_VALUE_AT_RISK"
    assert desk.ask("B", quantity=1) == "RISK_UNMEASURED"


def test_racing_orders_reserve_what_a_group_may_hold(ready):
    desk = ready(max_group_exposure={"sector:even": D(3_000)})
    assert desk.ask("A", quantity=20) == "approved"
    assert desk.ask("C", quantity=60) == "RISK_MAX_GROUP_EXPOSURE"  # A and C are even
    assert desk.ask("C", quantity=50) == "approved"
    assert desk.ask("B", quantity=100) == "approved"
    assert desk.ask("A", quantity=1) == "RISK_MAX_GROUP_EXPOSURE"


# -- limits that people change


def test_changed_limit_holds_at_once_and_after_a_restart(ready):
    desk = ready()
    assert desk.ask("A", quantity=50) == "approved"
    desk.change_limit("max_order_value", "4999")
    assert desk.ask("A", quantity=50) == "RISK_MAX_ORDER_VALUE"
    desk.start()
    desk.prices(A=100)
    assert desk.ask("A", quantity=50) == "RISK_MAX_ORDER_VALUE"
    assert desk.gate.view()["limit_changes"]["made"] == {
        "max_order_value": {"value": "4999", "actor": "ann", "reason": "why"}
    }
    desk.change_limit("max_order_value", "")
    assert desk.ask("A", quantity=50) == "approved"


def test_change_that_makes_no_sense_is_counted_and_changes_nothing(ready):
    desk = ready()
    before = desk.gate.state.limits
    desk.change_limit("max_total_exposure", "-1")
    desk.change_limit("no_such_limit", "1")
    assert desk.gate.state.limits == before
    assert desk.gate.view()["limit_changes"] == {"made": {}, "refused": 2}


def test_lowered_daily_loss_halts_at_once(ready):
    desk = ready()
    desk.trade("A", "BUY", 100, 100)
    loses(desk, 95)
    assert desk.trading_state == ("ACTIVE", "")
    desk.change_limit("max_daily_loss", "400")
    assert desk.trading_state == ("HALTED", "RISK_DAILY_LOSS")


# -- exits and days


def test_profit_is_taken_at_its_distance(ready):
    desk = ready(take_profit=D("0.10"))
    desk.trade("A", "BUY", 10, 100)
    desk.trade("B", "SELL", 10, 50, strategy="two")
    desk.sent.clear()
    desk.prices(A=109.99, B=45.01)
    assert desk.sent_of(PermittedOrder) == []
    desk.prices(A=110, B=45)
    exits = [message.order for message in desk.sent_of(PermittedOrder)]
    assert [(o.instrument_id, str(o.side), o.purpose) for o in exits] == [
        ("A.X", "SELL", "take_profit"),
        ("B.X", "BUY", "take_profit"),
    ]


def test_trailing_stop_is_armed_again_after_a_restart_from_the_bars_since_the_entry(ready):
    desk = ready(history="replay:prices", trailing_stop=D("0.05"), trailing_activation=D("0.1"))
    desk.trade("A", "BUY", 10, 100)
    entered = desk.market
    desk.start()
    assert len(desk.sent_of(RequestBars)) == 1
    before, after = entered - 10**9, entered + 10**9
    moments = [(before, 500.0), (entered, 100.0), (after, 120.0)]
    slices = tuple(desk.bars(i + 1, ts, {"A": px}) for i, (ts, px) in enumerate(moments))
    desk.handle(BarsHistory(slices=slices, sequence=3))
    (stop,) = desk.gate.view()["stops"]
    assert (stop["best_px"], stop["trailing_stop"]) == (120.0, pytest.approx(114.0))
    desk.sent.clear()
    desk.price("A", 113)
    (exit_,) = [message.order for message in desk.sent_of(PermittedOrder)]
    assert exit_.purpose == "trailing_stop"


def test_days_are_those_of_the_sessions(ready):
    day, hour = 86_400 * 10**9, 3_600 * 10**9
    # Sessions from 22:00 to 21:00 of the next day, around the desk's clock (day 100, midnight).
    hours = MarketHours(
        opens=tuple((99 + n) * day + 22 * hour for n in range(5)),
        closes=tuple((100 + n) * day + 21 * hour for n in range(5)),
    )
    desk = ready(hours=hours, must_be_open=True)
    desk.trade("A", "BUY", 100, 100)
    desk.price("A", 89)
    desk.slice(minutes=60 * 20, A=89.0)
    assert desk.trading_state == ("HALTED", "RISK_DAILY_LOSS")
    desk.slice(minutes=60, A=89.0)  # 21:00, the last moment of the day
    assert desk.trading_state[0] == "HALTED"
    desk.slice(minutes=30, A=89.0)
    assert desk.trading_state[0] == "ACTIVE"
    desk.prices(A=89)
    assert desk.ask("A", quantity=1) == "RISK_MARKET_CLOSED"
    desk.slice(minutes=30, A=89.0)
    assert desk.ask("A", quantity=1) == "approved"
