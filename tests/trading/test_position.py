"""Average cost, by hand and against fractions."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.position import Position, average_price, exact_sum
from trading.values import OrderSide

BUY, SELL = OrderSide.BUY, OrderSide.SELL


def position_after(*fills):
    position = Position()
    profits = [
        position.apply_fill(side, Decimal(quantity), Decimal(price), Decimal(0))
        for side, quantity, price in fills
    ]
    return position, profits


def test_a_new_position_is_flat():
    position = Position()
    assert (position.is_flat, position.avg_px, position.unrealized_pnl(Decimal(5))) == (True, 0, 0)


def test_buying_more_averages_the_price():
    position, profits = position_after((BUY, "10", "100"), (BUY, "30", "104"))
    assert (position.quantity, position.avg_px, profits) == (40, 103, [0, 0])


def test_selling_a_part_realises_against_the_average():
    position, profits = position_after((BUY, "10", "100"), (BUY, "10", "110"), (SELL, "5", "120"))
    assert (position.quantity, position.avg_px, profits[-1]) == (15, 105, 75)


def test_a_short_position_earns_when_the_price_falls():
    position, profits = position_after((SELL, "10", "100"), (BUY, "4", "90"))
    assert (position.quantity, position.avg_px, profits[-1]) == (-6, 100, 40)
    assert position.unrealized_pnl(Decimal(95)) == 30


@pytest.mark.parametrize("side", [BUY, SELL])
def test_a_flip_closes_all_and_opens_the_rest_at_the_new_price(side):
    position, profits = position_after((side, "10", "100"), (side.opposite, "25", "110"))
    assert profits[-1] == 100 * side.sign
    assert (position.quantity, position.avg_px) == (-15 * side.sign, 110)


def test_closing_the_whole_leaves_no_dust():
    position, _ = position_after(
        (BUY, "3", "0.1"), (BUY, "4", "0.2"), (SELL, "2", "1"), (SELL, "5", "1")
    )
    assert (position.quantity, position.cost) == (0, 0)
    assert position.realized_pnl == Decimal(7) - Decimal("1.1")


def test_the_commission_is_no_part_of_the_profit():
    position = Position()
    position.apply_fill(BUY, Decimal(1), Decimal(10), Decimal("0.35"))
    assert position.apply_fill(SELL, Decimal(1), Decimal(12), Decimal("0.35")) == 2
    assert position.commissions == Decimal("0.70")


def test_sums_of_many_digits_are_exact():
    large, small = Decimal(123456789012345678901234567890), Decimal("1e-18")
    assert exact_sum([large, small, large.copy_negate()]) == small
    position = Position()
    position.apply_fill(BUY, Decimal("1234567890.123456789"), Decimal("98765.123456789012"), small)
    assert Fraction(position.cost) == Fraction("1234567890.123456789") * Fraction(
        "98765.123456789012"
    )


def test_the_average_of_nothing_is_zero():
    assert average_price(Decimal(5), Decimal(0)) == 0


fills = st.lists(
    st.tuples(
        st.sampled_from([BUY, SELL]),
        st.decimals("0.001", "1000", places=3),
        st.decimals("0.01", "5000", places=2),
        st.decimals("-1", "1", places=4),
    ),
    max_size=40,
)


@settings(deadline=None, max_examples=200)
@given(fills, st.decimals("0.01", "5000", places=2))
def test_no_money_appears_or_vanishes(fills, price):
    position = Position()
    flow = held = paid = Fraction(0)
    realized = Fraction(0)
    for side, quantity, at, commission in fills:
        realized += Fraction(position.apply_fill(side, quantity, at, commission))
        held += side.sign * Fraction(quantity)
        flow -= side.sign * Fraction(quantity) * Fraction(at)
        paid += Fraction(commission)
    assert Fraction(position.quantity) == held
    assert Fraction(position.commissions) == paid
    assert Fraction(position.realized_pnl) == realized
    total = Fraction(position.realized_pnl) + Fraction(position.unrealized_pnl(price))
    assert total == flow + held * Fraction(price)
    assert held != 0 or position.cost == 0


@settings(deadline=None, max_examples=200)
@given(fills)
def test_the_average_price_follows_a_computation_in_fractions(fills):
    position = Position()
    held = cost = Fraction(0)
    for side, quantity, at, _ in fills:
        position.apply_fill(side, quantity, at, Decimal(0))
        signed = side.sign * Fraction(quantity)
        if held * signed >= 0:
            cost += signed * Fraction(at)
        elif abs(signed) <= abs(held):
            cost += signed * cost / held
        else:
            cost = (held + signed) * Fraction(at)
        held += signed
        assert abs(Fraction(position.cost) - cost) <= Fraction(1, 10**9)
        assert (position.quantity == 0) == (held == 0)
