"""Targets become whole lots, cash is never overspent, and no trade is made that is not worth its cost."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.allocation.rebalancing import (
    Change,
    RebalanceRules,
    equity,
    rebalance,
    turnover,
)
from trading.errors import DataError, UsageError
from trading.exchange.fees import Fees
from trading.identifiers import InstrumentId
from trading.instruments import Instrument
from trading.position import EXACT, exact_sum

A, B, C = (InstrumentId(f"{symbol}.X") for symbol in "ABC")
INSTRUMENTS = {
    A: Instrument(instrument_id=A),
    B: Instrument(instrument_id=B, lot_size=Decimal(10), min_quantity=Decimal(10)),
    C: Instrument(instrument_id=C, lot_size=Decimal("0.001"), min_quantity=Decimal("0.01")),
}
PRICES = {A: Decimal(100), B: Decimal(20), C: Decimal("1234.5")}
FREE = Fees()
EXACTLY = RebalanceRules(band=Decimal(0), slippage_bps=Decimal(0), cost_max=Decimal("0.999"))


def quantities(changes: list[Change]) -> dict[InstrumentId, Decimal]:
    return {each.instrument_id: each.quantity for each in changes}


def test_cash_is_invested_in_whole_lots() -> None:
    changes = rebalance(
        {A: 0.5, B: 0.25, C: 0.25}, {}, PRICES, Decimal(10_000), INSTRUMENTS, FREE, EXACTLY
    )
    assert quantities(changes) == {A: Decimal(50), B: Decimal(120), C: Decimal("2.025")}
    assert turnover(changes, Decimal(10_000)) == Decimal("9899.8625") / 20_000


def test_sales_come_first_and_pay_for_purchases() -> None:
    held = {A: Decimal(100)}
    changes = rebalance({A: 0.0, B: 1.0}, held, PRICES, Decimal(0), INSTRUMENTS, FREE, EXACTLY)
    assert [(each.instrument_id, each.quantity) for each in changes] == [
        (A, Decimal(-100)),
        (B, Decimal(500)),
    ]
    assert exact_sum(each.cash for each in changes) == 0


def test_short_weight_is_sold_and_change_of_side_is_one_change() -> None:
    held = {A: Decimal(10)}
    changes = rebalance({A: -0.5}, held, PRICES, Decimal(1_000), INSTRUMENTS, FREE, EXACTLY)
    assert quantities(changes) == {A: Decimal(-20)}


def test_what_is_not_named_stays_and_counts_in_the_equity() -> None:
    held = {B: Decimal(100)}
    changes = rebalance({A: 0.5}, held, PRICES, Decimal(2_000), INSTRUMENTS, FREE, EXACTLY)
    assert quantities(changes) == {A: Decimal(20)}


def test_drift_within_the_band_is_left_alone_but_an_exit_is_not() -> None:
    held = {A: Decimal(51), B: Decimal(10)}
    rules = RebalanceRules(band=Decimal("0.05"), slippage_bps=Decimal(0))
    changes = rebalance({A: 0.5, B: 0.0}, held, PRICES, Decimal(4_700), INSTRUMENTS, FREE, rules)
    assert quantities(changes) == {B: Decimal(-10)}


def test_trade_that_costs_too_much_of_its_value_is_left_out() -> None:
    fees = Fees(minimum=Decimal(15))
    rules = RebalanceRules(band=Decimal(0), slippage_bps=Decimal(0), cost_max=Decimal("0.01"))
    changes = rebalance({A: 0.1, B: 0.8}, {}, PRICES, Decimal(10_000), INSTRUMENTS, fees, rules)
    assert quantities(changes) == {B: Decimal(400)}  # A: 15 for 1,000


def test_nothing_is_traded_unless_the_gain_exceeds_the_cost() -> None:
    fees = Fees(per_share=Decimal("0.1"))

    def changes(gain: Decimal) -> list[Change]:
        return rebalance({A: 0.5}, {}, PRICES, Decimal(10_000), INSTRUMENTS, fees, EXACTLY, gain)

    assert changes(Decimal(5)) == []
    assert quantities(changes(Decimal("5.01"))) == {A: Decimal(50)}


def test_purchases_shrink_together_when_cash_does_not_reach() -> None:
    """Commission and slippage of 1 % each: 10,000 buy at most 9,804."""
    fees = Fees(taker_bps=Decimal(100))
    rules = RebalanceRules(band=Decimal(0), slippage_bps=Decimal(100), cost_max=Decimal("0.05"))
    changes = rebalance({A: 0.5, C: 0.5}, {}, PRICES, Decimal(10_000), INSTRUMENTS, fees, rules)
    spent = -exact_sum(each.cash for each in changes)
    assert Decimal(9_800) < spent <= Decimal(10_000)
    assert quantities(changes)[A] == 49
    assert changes[1].value == pytest.approx(Decimal(4_900), rel=Decimal("0.003"))


def test_cost_is_commission_plus_slippage() -> None:
    fees = Fees(per_share=Decimal("0.01"))
    rules = RebalanceRules(slippage_bps=Decimal(5))
    (change,) = rebalance({A: 0.5}, {}, PRICES, Decimal(10_000), INSTRUMENTS, fees, rules)
    assert change == Change(A, Decimal(50), Decimal(5_000), Decimal("3.00"))
    assert change.cash == Decimal(-5_003)


def test_debt_is_paid_by_sales_and_buys_nothing() -> None:
    held = {A: Decimal(100)}
    changes = rebalance({A: 0.5, B: 0.5}, held, PRICES, Decimal(-8_000), INSTRUMENTS, FREE, EXACTLY)
    assert quantities(changes) == {A: Decimal(-90), B: Decimal(50)}
    shy = RebalanceRules(band=Decimal("0.9"), slippage_bps=Decimal(0))
    held = {A: Decimal(90), C: Decimal(0)}
    assert rebalance({A: 0.9, B: 1.0}, held, PRICES, Decimal(-100), INSTRUMENTS, FREE, shy) == []


money = st.decimals(Decimal(1), Decimal(2_000), places=2)


@st.composite
def situations(draw: st.DrawFn) -> tuple[Any, ...]:
    names = [InstrumentId(f"I{index}.X") for index in range(draw(st.integers(1, 5)))]
    lots = {
        name: draw(st.sampled_from([Decimal(1), Decimal("0.01"), Decimal(25)])) for name in names
    }
    least = {name: lots[name] * draw(st.integers(0, 3)) for name in names}
    instruments = {
        name: Instrument(instrument_id=name, lot_size=lots[name], min_quantity=least[name])
        for name in names
    }
    prices = {name: draw(money) for name in names}
    held = {name: lots[name] * draw(st.integers(-40, 200)) for name in names}
    weights = {name: draw(st.floats(-0.6, 1.2)) for name in names if draw(st.booleans())}
    fees = Fees(
        per_share=draw(st.sampled_from([Decimal(0), Decimal("0.005")])),
        taker_bps=draw(st.sampled_from([Decimal(0), Decimal(30), Decimal(-2)])),
        minimum=draw(st.sampled_from([Decimal(0), Decimal(1), Decimal(40)])),
    )
    rules = RebalanceRules(
        band=draw(st.sampled_from([Decimal(0), Decimal("0.05")])),
        cost_max=draw(st.sampled_from([Decimal("0.002"), Decimal("0.05"), Decimal("0.9")])),
        slippage_bps=draw(st.sampled_from([Decimal(0), Decimal(25)])),
    )
    cash = draw(st.decimals(Decimal(-5_000), Decimal(100_000), places=2))
    return weights, held, prices, cash, instruments, fees, rules


@given(situation=situations())
@settings(deadline=None, max_examples=250)
def test_cash_is_conserved_and_never_overspent(situation: tuple[Any, ...]) -> None:
    weights, held, prices, cash, instruments, fees, rules = situation
    worth = equity(held, prices, cash)
    if worth <= 0:
        with pytest.raises(DataError, match="nothing to allocate"):
            rebalance(*situation)
        return
    changes = rebalance(*situation)
    cash_after, sold = cash, True
    for each in changes:
        name, units, price = each.instrument_id, each.quantity, prices[each.instrument_id]
        assert sold >= (units < 0), "sales come first"
        sold = units < 0
        commission = fees.commission(abs(units), price, is_maker=False)
        slippage = abs(units) * price * rules.slippage_bps / 10_000
        cash_after = cash_after - units * price - commission - slippage
        assert units % instruments[name].lot_size == 0
        assert abs(units) >= instruments[name].min_quantity
        assert commission + slippage <= rules.cost_max * abs(units) * price
        towards = Decimal(repr(weights[name])) * worth / price - held[name]
        assert units * towards > 0, "only towards the target"
        assert abs(units) <= abs(towards) + instruments[name].lot_size
    assert cash_after == exact_sum((cash, *(each.cash for each in changes)))
    assert cash_after >= min(cash, Decimal(0))
    if any(each.quantity > 0 for each in changes):
        assert cash_after >= 0
    after = dict(held)
    for each in changes:
        after[each.instrument_id] = EXACT.add(after[each.instrument_id], each.quantity)
    costs = exact_sum(each.cost for each in changes)
    assert equity(after, prices, cash_after) == EXACT.subtract(worth, costs)


@given(situation=situations())
@settings(deadline=None, max_examples=80)
def test_second_rebalancing_has_nothing_to_sell(situation: tuple[Any, ...]) -> None:
    """Without costs and a band, what was sold is on target; the equity has not changed."""
    weights, held, prices, cash, instruments, _, _ = situation
    if equity(held, prices, cash) <= 0:
        return
    changes = rebalance(weights, held, prices, cash, instruments, FREE, EXACTLY)
    after = dict(held)
    for each in changes:
        after[each.instrument_id] += each.quantity
        cash += each.cash
    again = rebalance(weights, after, prices, cash, instruments, FREE, EXACTLY)
    assert all(each.quantity > 0 for each in again)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"weights": {A: float("nan")}}, "A.X: the weight is nan"),
        ({"weights": {InstrumentId("Z.X"): 0.1}}, "Z.X is not a known instrument"),
        ({"prices": {B: Decimal(1)}}, "A.X: the price is None"),
        ({"prices": {A: Decimal("NaN")}}, "A.X: the price is NaN"),
        ({"prices": {A: Decimal(0)}}, "A.X: the price is 0"),
        ({"positions": {C: Decimal(1)}, "prices": {A: Decimal(1)}}, "C.X: the price is None"),
        ({"cash": Decimal(0)}, "equity is 0"),
        ({"positions": {A: Decimal(-1_000)}}, "equity is -99000"),
    ],
)
def test_bad_input_is_named(changed: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {
        "weights": {A: 0.5},
        "positions": {},
        "prices": PRICES,
        "cash": Decimal(1_000),
        "instruments": INSTRUMENTS,
        "fees": FREE,
    }
    with pytest.raises(DataError, match=message):
        rebalance(**{**arguments, **changed})


@pytest.mark.parametrize(
    "change",
    [
        {"band": Decimal(-1)},
        {"cost_max": Decimal(0)},
        {"cost_max": Decimal(1)},
        {"slippage_bps": Decimal(10_000)},
    ],
)
def test_unusable_rule_is_refused(change: dict[str, Decimal]) -> None:
    with pytest.raises(UsageError, match="band must be 0 or more"):
        RebalanceRules(**change)
