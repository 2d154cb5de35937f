from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.book.tick_grid import TickGrid

TICK_SIZES = ["0.01", "0.1", "1", "0.25", "0.00000001", "5", "0.0005"]


@pytest.mark.parametrize("tick_size", TICK_SIZES)
@given(tick=st.integers(-(10**12), 10**12))
@settings(deadline=None, max_examples=100)
def test_price_of_a_tick_is_the_nearest_float_and_leads_back(tick_size: str, tick: int) -> None:
    grid = TickGrid(Decimal(tick_size))
    price = grid.price_of(tick)
    assert price == float(tick * Decimal(tick_size))
    assert grid.tick_of(price) == tick


def test_price_with_float_noise_goes_to_its_tick() -> None:
    grid = TickGrid(0.1)
    assert grid.tick_of(0.1 + 0.2) == 3
    assert grid.price_of(3) == 0.3


@pytest.mark.parametrize("tick_size", [Decimal("0.05"), 0.05])
def test_float_and_decimal_tick_size_make_the_same_grid(tick_size: Decimal | float) -> None:
    assert TickGrid(tick_size).price_of(7) == 0.35


@pytest.mark.parametrize("tick_size", [0, -0.01, float("nan"), float("inf"), Decimal(0)])
def test_tick_size_that_is_not_positive_is_refused(tick_size: Decimal | float) -> None:
    with pytest.raises(ValueError, match="tick size must be a positive number"):
        TickGrid(tick_size)
