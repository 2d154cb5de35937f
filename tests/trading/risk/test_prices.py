from decimal import Decimal

import pytest

from trading.data import BookTop
from trading.instruments import Instrument
from trading.risk.prices import Prices

NAN, INFINITE = float("nan"), float("inf")


def top(bid_px, ask_px, instrument_id="A.X", ts_init=5):
    return BookTop(
        ts_init=ts_init,
        instrument_id=instrument_id,
        bid_px=bid_px,
        ask_px=ask_px,
        bid_size=1.0,
        ask_size=1.0,
        microprice=0.0,
        imbalance=0.0,
    )


@pytest.fixture
def prices():
    return Prices({"A.X": Instrument(instrument_id="A.X", tick_size=Decimal("0.05"))})


@pytest.mark.parametrize("bad", [NAN, INFINITE, -INFINITE, 0.0, -1.0, 0.04, 1e13, 1e308])
def test_unusable_side_changes_nothing_and_is_counted(prices, bad):
    assert prices.update(top(99.9, 100.1))
    assert not prices.update(top(bad, 100.1, ts_init=6))
    assert not prices.update(top(99.9, bad, ts_init=6))
    assert (prices.exposure_px("A.X"), prices.middle_px("A.X")) == (Decimal("100.10"), 100)
    assert (prices.seen_at("A.X"), prices.bad_count) == (5, 2)


def test_unknown_instrument_is_no_usable_quote(prices):
    assert not prices.update(top(1.0, 1.0, instrument_id="Z.X"))


def test_new_quote_replaces_price_and_time(prices):
    prices.update(top(99.9, 100.1))
    assert prices.exposure_px("A.X") == Decimal("100.10")
    prices.update(top(99.9, 100.18, ts_init=7))
    assert prices.exposure_px("A.X") == Decimal("100.20")  # to the tick
    assert prices.seen_at("A.X") == 7


def test_crossed_quote_counts_at_its_higher_side(prices):
    prices.update(top(101.0, 100.0))
    assert prices.exposure_px("A.X") == 101


def test_last_fill_counts_until_there_is_a_quote(prices):
    assert prices.exposure_px("A.X") is None
    prices.note_fill("A.X", Decimal(80))
    assert (prices.exposure_px("A.X"), prices.middle_px("A.X")) == (80, None)
    prices.update(top(99.9, 100.0))
    assert prices.exposure_px("A.X") == 100
