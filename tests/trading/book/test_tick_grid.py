from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.book.tick_grid import TickGrid, price_on_grid, sure_tick
from trading.identifiers import InstrumentId
from trading.instruments import Instrument

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


@pytest.mark.parametrize("tick_size", TICK_SIZES)
@given(price=st.floats(min_value=1e-9, max_value=1e12))
@settings(deadline=None, max_examples=200)
def test_sure_tick_is_that_of_exact_rounding(tick_size: str, price: float) -> None:
    tick = sure_tick(price, float(tick_size))
    exact = (Decimal(repr(price)) / Decimal(tick_size)).quantize(Decimal(1), ROUND_HALF_EVEN)
    assert tick is None or tick == exact


@pytest.mark.parametrize("price", [0.005, 1.115, 1e12, float("nan"), float("inf")])
def test_sure_tick_is_none_where_a_float_cannot_tell(price: float) -> None:
    assert sure_tick(price, 0.01) is None


@pytest.mark.parametrize("tick_size", TICK_SIZES)
@given(price=st.one_of(st.floats(), st.floats(1e-3, 1e6)))
@settings(deadline=None, max_examples=200)
def test_price_on_grid_is_that_of_the_instrument(tick_size: str, price: float) -> None:
    instrument = Instrument(instrument_id=InstrumentId("AAPL.XNAS"), tick_size=Decimal(tick_size))
    try:
        expected = str(instrument.price(price))
    except ValueError:
        with pytest.raises(ValueError, match=r"AAPL|finite|large"):
            price_on_grid(price, instrument, float(tick_size))
        return
    assert str(price_on_grid(price, instrument, float(tick_size))) == expected
