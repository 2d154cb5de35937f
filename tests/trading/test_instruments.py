from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.identifiers import InstrumentId
from trading.instruments import Instrument

A = InstrumentId("A.X")
STOCK = Instrument(instrument_id=A)
COARSE = Instrument(instrument_id=A, tick_size=Decimal("0.25"), lot_size=Decimal(100))
NO_GRID = "too large for a grid|not a finite number"
COIN = Instrument(instrument_id=A, tick_size=Decimal("0.5"), lot_size=Decimal("0.00001"))

steps = st.sampled_from([Decimal(s) for s in ("0.00001", "0.01", "0.25", "0.5", "1", "7", "100")])
values = st.floats(0.0, 1e12, allow_nan=False)


@pytest.mark.parametrize(
    ("instrument", "value", "expected"),
    [
        (STOCK, 10.004, "10.00"),
        (STOCK, 10.005, "10.00"),
        (STOCK, 10.015, "10.02"),
        (STOCK, 10.0051, "10.01"),
        (STOCK, Decimal("10.006"), "10.01"),
        (STOCK, 0.1 + 0.2, "0.30"),
        (COARSE, 10.12, "10.00"),
        (COARSE, 10.13, "10.25"),
        (COARSE, 10.125, "10.00"),
        (COARSE, 10.375, "10.50"),
        (COIN, 61_234.3, "61234.5"),
    ],
)
def test_price_is_the_nearest_tick(
    instrument: Instrument, value: float | Decimal, expected: str
) -> None:
    assert str(instrument.price(value)) == expected


@pytest.mark.parametrize(
    ("instrument", "value", "expected"),
    [
        (STOCK, 9.999, "9"),
        (STOCK, 0.5, "0"),
        (STOCK, 0.0, "0"),
        (COARSE, 399.9, "300"),
        (COARSE, Decimal(99), "0"),
        (COIN, 0.123456789, "0.12345"),
        (COIN, Decimal("0.00003"), "0.00003"),
    ],
)
def test_quantity_is_rounded_down_to_whole_lots(
    instrument: Instrument, value: float | Decimal, expected: str
) -> None:
    assert instrument.quantity(value) == Decimal(expected)


@settings(deadline=None)
@given(value=values, tick=steps)
def test_price_is_on_the_grid_and_at_most_half_a_tick_away(value: float, tick: Decimal) -> None:
    instrument = Instrument(instrument_id=A, tick_size=tick)
    if Fraction(repr(value)) <= Fraction(tick) / 2:
        with pytest.raises(ValueError, match=r"A\.X: price must be positive"):
            instrument.price(value)
        return
    price = instrument.price(value)
    assert price > 0
    assert price % tick == 0
    assert abs(Fraction(price) - Fraction(repr(value))) <= Fraction(tick) / 2
    assert instrument.price(price) == price


@settings(deadline=None)
@given(value=values, lot=steps)
def test_quantity_is_on_the_grid_and_less_than_a_lot_below(value: float, lot: Decimal) -> None:
    instrument = Instrument(instrument_id=A, lot_size=lot)
    quantity = instrument.quantity(value)
    assert quantity % lot == 0
    assert 0 <= Fraction(repr(value)) - Fraction(quantity) < Fraction(lot)
    assert instrument.quantity(quantity) == quantity


@settings(deadline=None)
@given(low=values, high=values)
def test_rounding_keeps_the_order_of_values(low: float, high: float) -> None:
    low, high = sorted((low + 1.0, high + 1.0))
    assert STOCK.price(low) <= STOCK.price(high)
    assert STOCK.quantity(low) <= STOCK.quantity(high)


@settings(deadline=None)
@given(value=st.floats() | st.decimals())
def test_any_number_gives_a_grid_value_or_a_value_error(value: float | Decimal) -> None:
    for convert in (STOCK.price, STOCK.quantity):
        try:
            assert convert(value) >= 0
        except ValueError:
            continue


@pytest.mark.parametrize(
    "value", [1e308, -1e308, Decimal("1E+1000000"), float("nan"), float("inf"), Decimal("sNaN")]
)
def test_number_that_no_grid_holds_is_a_value_error(value: float | Decimal) -> None:
    with pytest.raises(ValueError, match=NO_GRID):
        STOCK.price(value)
    with pytest.raises(ValueError, match=NO_GRID):
        STOCK.quantity(value)


@pytest.mark.parametrize("value", [0.0, -5.0, 0.004])
def test_price_that_is_not_positive_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r"A\.X: price must be positive"):
        STOCK.price(value)


def test_negative_quantity_is_refused() -> None:
    with pytest.raises(ValueError, match=r"A\.X: quantity must not be negative, got -1\.0"):
        STOCK.quantity(-1.0)


def test_numpy_number_is_taken_like_a_float() -> None:
    assert STOCK.price(np.float64(10.5)) == Decimal("10.50")
    assert STOCK.quantity(np.float64(10.5)) == Decimal(10)


@pytest.mark.parametrize(
    "sizes",
    [
        {"tick_size": Decimal(0)},
        {"tick_size": Decimal("-0.01")},
        {"lot_size": Decimal(0)},
        {"min_quantity": Decimal(-1)},
    ],
)
def test_instrument_without_a_grid_cannot_be_made(sizes: dict[str, Decimal]) -> None:
    with pytest.raises(ValueError, match=r"A\.X: tick and lot must be positive"):
        Instrument(instrument_id=A, **sizes)  # type: ignore[arg-type]
