"""Every check by hand: one order, one situation, the numbers in the comment."""

from decimal import Decimal

import msgspec
import pytest

from trading.commands import ReplaceOrder, SubmitOrder
from trading.instruments import Instrument
from trading.refusals import RefusalCode
from trading.risk.breakers import Counters
from trading.risk.checks import ALL_CHECKS, check, check_replace
from trading.risk.limits import RiskLimits, SymbolLimits
from trading.risk.situation import Situation
from trading.risk.standing import Hold
from trading.risk.verdicts import Approved, Denied
from trading.values import OrderSide, OrderType, TradingState

NOW = 1_700_000_000_000_000_000
SECOND = 1_000_000_000
INSTRUMENT = Instrument(instrument_id="A.X", tick_size=Decimal("0.05"), lot_size=Decimal(10))
ORDER = SubmitOrder(
    client_order_id="1" * 32,
    account_id="DEMO",
    strategy_id="one",
    instrument_id="A.X",
    side=OrderSide.BUY,
    quantity=Decimal(50),
)
CALM = Situation(
    instrument=INSTRUMENT,
    quote_at=NOW,
    price=Decimal(100),
    position_after=Decimal(50),
    strategy_position_after=Decimal(50),
)
LIMITS = RiskLimits()
EXIT = msgspec.structs.replace(ORDER, purpose="stop_loss")


def code(order=ORDER, situation=CALM, limits=LIMITS, **changes):
    situation = msgspec.structs.replace(situation, **changes)
    verdict = check(order, situation, limits, NOW)
    return verdict.code if isinstance(verdict, Denied) else None


def but(order=ORDER, **changes):
    return msgspec.structs.replace(order, **changes)


def limited(**changes):
    return msgspec.structs.replace(LIMITS, **changes)


def test_sound_order_in_a_calm_situation_is_approved():
    assert check(ORDER, CALM, LIMITS, NOW) == Approved(ORDER)


def test_unknown_instrument_is_denied():
    assert code(instrument=None) is RefusalCode.RISK_UNKNOWN_INSTRUMENT


def test_unknown_strategy_is_denied():
    assert code(is_ours=False) is RefusalCode.RISK_UNKNOWN_STRATEGY


@pytest.mark.parametrize(
    "quantity", ["0", "-10", "5", "15", "10.5", "NaN", "sNaN", "Infinity", "1E+40", "1E-400"]
)
def test_quantity_that_is_no_whole_lot_is_denied(quantity):
    assert code(but(quantity=Decimal(quantity))) is RefusalCode.RISK_BAD_QUANTITY


def test_quantity_below_the_least_is_denied():
    instrument = msgspec.structs.replace(INSTRUMENT, min_quantity=Decimal(60))
    assert code(instrument=instrument) is RefusalCode.RISK_BAD_QUANTITY
    assert code(but(quantity=Decimal(60)), instrument=instrument) is None


PRICE = Decimal("100.05")
PRICES_OF = {
    OrderType.MARKET: {},
    OrderType.LIMIT: {"price": PRICE},
    OrderType.STOP_MARKET: {"trigger_price": PRICE},
    OrderType.STOP_LIMIT: {"price": PRICE, "trigger_price": PRICE},
    OrderType.TRAILING_STOP_MARKET: {"trailing_offset": PRICE},
}


@pytest.mark.parametrize("order_type", OrderType)
def test_each_order_type_needs_its_own_prices_and_no_other(order_type):
    prices = PRICES_OF[order_type]
    assert code(but(order_type=order_type, **prices)) is None
    for name in prices:
        for bad in (None, Decimal("100.01"), Decimal(0), Decimal(-1), Decimal("NaN")):
            order = (
                but(order_type=order_type, **prices)
                if name not in prices
                else but(order_type=order_type, **{**prices, name: bad})
            )
            assert code(order) is RefusalCode.RISK_BAD_PRICE, (order_type, name, bad)
    for name in {"price", "trigger_price", "trailing_offset"} - set(prices):
        expected = RefusalCode.RISK_BAD_PRICE
        if (order_type, name) == (OrderType.TRAILING_STOP_MARKET, "trigger_price"):
            expected = None  # a price from which the trailing begins
        assert code(but(order_type=order_type, **prices, **{name: PRICE})) is expected


def test_order_after_its_expiry_is_denied():
    assert code(but(expires_at=NOW)) is RefusalCode.RISK_ORDER_STALE
    assert code(but(expires_at=NOW + 1)) is None
    assert code(but(expires_at=0)) is None


def test_kill_switch_denies_even_a_reducing_exit():
    latched = {"kill_reason": "ann: test", "reduces_account": True}
    assert code(EXIT, **latched) is RefusalCode.KILL_SWITCH


def test_reducing_state_passes_only_what_reduces():
    hold = Hold(TradingState.REDUCING, "RISK_DRAWDOWN", "x")
    assert code(hold=hold) is RefusalCode.RISK_DRAWDOWN
    assert code(hold=hold, reduces_account=True) is None


def test_halted_state_passes_only_protective_exits_that_reduce():
    hold = Hold(TradingState.HALTED, "RISK_DAILY_LOSS", "x")
    assert code(hold=hold) is RefusalCode.RISK_DAILY_LOSS
    assert code(hold=hold, reduces_account=True) is RefusalCode.RISK_DAILY_LOSS
    assert code(EXIT, hold=hold) is RefusalCode.RISK_DAILY_LOSS
    assert code(EXIT, hold=hold, reduces_account=True) is None
    assert code(but(purpose="flatten"), hold=hold, reduces_account=True) is None


def test_operator_states_are_denied_by_their_own_codes():
    assert code(hold=Hold(TradingState.HALTED, "OPERATOR")) is RefusalCode.RISK_HALTED
    assert code(hold=Hold(TradingState.REDUCING, "OPERATOR")) is RefusalCode.RISK_REDUCING


def test_data_is_stale_above_the_age_and_when_there_is_none():
    assert code(quote_at=NOW - 5 * SECOND) is None
    assert code(quote_at=NOW - 5 * SECOND - 1) is RefusalCode.DATA_STALE
    assert code(quote_at=None) is RefusalCode.DATA_STALE


def test_protective_exit_that_reduces_passes_stale_data_and_the_throttle():
    assert code(EXIT, quote_at=None, price=None, tokens=0.0, reduces_account=True) is None
    assert code(quote_at=None, reduces_account=True) is RefusalCode.DATA_STALE
    assert code(tokens=0.0, reduces_account=True) is RefusalCode.RISK_ORDER_RATE


def test_data_from_the_future_is_clock_skew():
    assert code(quote_at=NOW + SECOND) is None
    assert code(quote_at=NOW + SECOND + 1) is RefusalCode.CLOCK_SKEW


def test_reduce_only_must_reduce_the_strategy():
    assert code(but(reduce_only=True)) is RefusalCode.RISK_REDUCE_ONLY
    assert code(but(reduce_only=True), reduces_strategy=True) is None


def test_empty_throttle_denies():
    assert code(tokens=0.99) is RefusalCode.RISK_ORDER_RATE
    assert code(tokens=1.0) is None


def test_quantity_above_max_shares_is_denied():
    cheap = {"price": Decimal("0.05"), "position_after": Decimal(10)}
    assert code(but(quantity=Decimal(1000)), **cheap) is None
    assert code(but(quantity=Decimal(1010)), **cheap) is RefusalCode.RISK_MAX_SHARES


def test_symbol_override_of_shares_and_notional_rules():
    tight = limited(symbols={"A.X": SymbolLimits(max_shares=Decimal(40))})
    assert code(limits=tight) is RefusalCode.RISK_MAX_SHARES
    tight = limited(symbols={"A.X": SymbolLimits(max_notional=Decimal(4999))})
    assert code(limits=tight) is RefusalCode.RISK_MAX_NOTIONAL


def test_loss_at_stop_above_the_limit_is_denied():
    # 250 * 100 * 0.02 = 500 passes, 260 * 100 * 0.02 = 520 does not
    small = {"position_after": Decimal(10)}
    assert code(but(quantity=Decimal(250)), **small) is None
    assert code(but(quantity=Decimal(260)), **small) is RefusalCode.RISK_MAX_LOSS_PER_TRADE
    assert code(but(quantity=Decimal(260)), limits=limited(stop_loss=None), **small) is None


def test_position_value_above_the_limit_is_denied():
    assert code(position_after=Decimal(100)) is None  # 100 * 100 = 10,000
    assert code(position_after=Decimal(101)) is RefusalCode.RISK_MAX_NOTIONAL


def test_gross_exposure_above_the_limit_is_denied():
    assert code(gross_elsewhere=Decimal(45_000)) is None  # + 50 * 100 = 50,000
    assert code(gross_elsewhere=Decimal("45000.01")) is RefusalCode.RISK_MAX_EXPOSURE


def test_exposure_that_cannot_be_known_is_denied():
    assert code(unpriced_count=1) is RefusalCode.DATA_STALE
    assert code(unpriced_count=1, reduces_account=True) is None


def test_strategy_exposure_above_its_limit_is_denied():
    tight = limited(max_strategy_exposure={"one": Decimal(6000)})
    assert code(limits=tight, strategy_gross_elsewhere=Decimal(1000)) is None
    over = {"limits": tight, "strategy_gross_elsewhere": Decimal(1001)}
    assert code(**over) is RefusalCode.RISK_MAX_STRATEGY_EXPOSURE
    assert code(reduces_strategy=True, **over) is None
    assert code(but(strategy_id="two"), **over) is None


def test_one_position_too_many_is_denied():
    assert code(positions_elsewhere=4) is None
    assert code(positions_elsewhere=5) is RefusalCode.RISK_MAX_POSITIONS


def test_daily_loss_at_the_limit_is_denied():
    assert code(counters=Counters(daily_loss=Decimal("4999.99"))) is None
    assert code(counters=Counters(daily_loss=Decimal(5000))) is RefusalCode.RISK_DAILY_LOSS


def test_drawdown_at_the_limit_is_denied():
    assert code(counters=Counters(drawdown=Decimal("0.0999"))) is None
    assert code(counters=Counters(drawdown=Decimal("0.10"))) is RefusalCode.RISK_DRAWDOWN


def test_fifth_loss_in_a_row_is_denied():
    assert code(counters=Counters(consecutive_losses=4)) is None
    five = Counters(consecutive_losses=5)
    assert code(counters=five) is RefusalCode.RISK_CONSECUTIVE_LOSSES


def test_trades_of_the_day_count_working_orders():
    counters = Counters(trades_today=40)
    assert code(counters=counters, unfilled_count=9) is None
    assert code(counters=counters, unfilled_count=10) is RefusalCode.RISK_MAX_TRADES_PER_DAY


def test_reducing_order_passes_every_limit_and_breaker():
    huge = but(quantity=Decimal(5000))
    worst = Counters(
        daily_loss=Decimal(9999),
        drawdown=Decimal("0.9"),
        consecutive_losses=99,
        trades_today=99,
        bad_readings=9,
    )
    assert code(huge, counters=worst, reduces_account=True, position_after=Decimal(5000)) is None


def test_refusal_says_the_numbers():
    verdict = check(ORDER, msgspec.structs.replace(CALM, position_after=Decimal(101)), LIMITS, NOW)
    assert isinstance(verdict, Denied)
    assert verdict.reason.endswith("position_value=10100 max_notional=10000")


def test_replacement_passes_the_same_checks_and_permits_only_itself():
    replace = ReplaceOrder(client_order_id="1" * 32, account_id="DEMO", quantity=Decimal(60))
    amended = but(quantity=Decimal(60))
    assert check_replace(replace, amended, CALM, LIMITS, NOW) == Approved(replace)
    stale = msgspec.structs.replace(CALM, quote_at=None)
    assert isinstance(check_replace(replace, amended, stale, LIMITS, NOW), Denied)


def test_every_check_can_refuse():
    """No check is asked in vain: each one alone refuses something."""
    bad = msgspec.structs.replace(
        CALM,
        is_ours=False,
        kill_reason="x",
        hold=Hold(TradingState.HALTED),
        quote_at=None,
        tokens=0.0,
        position_after=Decimal(10**6),
        strategy_position_after=Decimal(10**6),
        positions_elsewhere=9,
        counters=Counters(
            daily_loss=Decimal(9999),
            drawdown=Decimal("0.9"),
            consecutive_losses=99,
            trades_today=99,
        ),
        strategy_halt="x",
        is_market_open=False,
        working_count=9,
        equity=Decimal(1),
        opposite_px=Decimal(9),
        short_after=Decimal(1),
        net_after=Decimal(10),
        groups_after=(("currency:USD", Decimal(9)),),
        correlated_after=2.0,
        deviation_after=2.0,
    )
    order = but(
        quantity=Decimal(1001),
        price=Decimal(1),
        expires_at=1,
        reduce_only=True,
        side=OrderSide.SELL,
    )
    one = Decimal(1)
    limits = limited(
        max_strategy_exposure={"one": one},
        restricted=(ORDER.instrument_id,),
        must_be_open=True,
        require_locate=True,
        max_order_value=one,
        price_collar=Decimal("0.1"),
        max_open_orders=1,
        max_concentration=one,
        max_gross_leverage=one,
        max_net_leverage=one,
        max_group_exposure={"currency:USD": one},
        max_correlated_exposure=one,
        max_value_at_risk=one,
    )
    for one in ALL_CHECKS:
        assert isinstance(one(order, bad, limits, NOW), Denied), one.__name__
