from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.identifiers import InstrumentId
from trading.instruments import Instrument
from trading.last_prices import LastPrices

NAME = InstrumentId("AAPL.XNAS")
TICK_SIZES = ("0.01", "0.25", "1", "5", "0.0005", "1E-8", "1E+1")


def listed(tick_size: str) -> Instrument:
    return Instrument(instrument_id=NAME, tick_size=Decimal(tick_size))


@pytest.mark.parametrize("tick_size", TICK_SIZES)
@given(prices=st.lists(st.floats(), max_size=8))
@settings(deadline=None, max_examples=150)
def test_price_is_the_last_good_one_as_the_instrument_rounds_it(
    tick_size: str, prices: list[float]
) -> None:
    instrument, last = listed(tick_size), LastPrices([listed(tick_size)])
    expected, bad_count = None, 0
    for price in prices:
        try:
            expected = instrument.price(price)
        except ValueError:
            bad_count += 1
        last.set(NAME, price)
    assert str(last.get(NAME)) == str(expected)  # the digits too: they are journalled
    assert last.bad_count == bad_count


@pytest.mark.parametrize("tick_size", TICK_SIZES)
@given(ticks=st.integers(1, 10**7), halves=st.integers(0, 3))
@settings(deadline=None, max_examples=150)
def test_price_near_a_tick_or_between_two_is_rounded_like_the_instrument(
    tick_size: str, ticks: int, halves: int
) -> None:
    price = float((ticks + Decimal(halves) / 2) * Decimal(tick_size))
    last = LastPrices([listed(tick_size)])
    last.set(NAME, price)
    assert str(last.get(NAME)) == str(listed(tick_size).price(price))


def test_price_that_was_looked_at_changes_with_the_next_one() -> None:
    last = LastPrices([listed("0.01")])
    seen = []
    for price in (10.0, 10.01, 0.006, 10.02):  # the third rounds up to a tick
        last.set(NAME, price)
        seen.append(last.get(NAME))
    assert seen == [Decimal(text) for text in ("10.00", "10.01", "0.01", "10.02")]


def test_unknown_instrument_is_counted_and_has_no_price() -> None:
    last = LastPrices([listed("0.01")])
    last.set(InstrumentId("KO.XNYS"), 10.0)
    assert last.bad_count == 1
    assert last.get(InstrumentId("KO.XNYS")) is None
    assert last.get(NAME) is None
