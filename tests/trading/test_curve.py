"""Capital that moves in or out is neither profit nor loss."""

from decimal import Decimal

import pytest

from trading.curve import Curve

DAY = 86_400 * 10**9


def curve(start, *points):
    one = Curve(Decimal(start))
    for day, (value, capital) in enumerate(points):
        one.add(day * DAY, Decimal(value), None if capital is None else Decimal(capital))
    return one


def test_a_withdrawal_is_no_drawdown_and_no_return():
    moved = curve(100, (110, 100), (60, 50), (66, 50), (60, 50))
    assert moved.max_drawdown == pytest.approx(6 / 66)
    still = curve(100, (110, None), (110, None), (121, None), (110, None))
    assert moved.sharpe() == pytest.approx(still.sharpe())


def test_a_deposit_hides_no_loss():
    assert curve(100, (100, 100), (150, 200)).max_drawdown == pytest.approx(0.25)


def test_it_starts_at_the_first_value_when_that_stands_on_other_capital():
    opened = curve(100, (5000, 6000), (4500, 6000))
    assert opened.max_drawdown == pytest.approx(0.1)
    assert opened.drawdown(Decimal(5000)) == 0
