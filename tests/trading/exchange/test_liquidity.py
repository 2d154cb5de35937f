from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.exchange.liquidity import Ladder, Level, Liquidity, build_ladder
from trading.identifiers import InstrumentId
from trading.instruments import Instrument
from trading.values import OrderSide

STOCK = Instrument(instrument_id=InstrumentId("AAA.XNAS"))
BUY, SELL = OrderSide.BUY, OrderSide.SELL


def sides(ladder):
    return [
        [(str(price), str(size)) for price, size in ladder.levels(side)] for side in (BUY, SELL)
    ]


def test_ladder_is_symmetric_around_the_price():
    shape = Liquidity(
        half_spread_bps=Decimal(5), levels=3, depth=Decimal(10_000), step_bps=Decimal(2)
    )
    bids, asks = sides(build_ladder(Decimal("200.00"), STOCK, shape))
    assert bids == [("199.90", "50"), ("199.86", "50"), ("199.82", "50")]
    assert asks == [("200.10", "49"), ("200.14", "49"), ("200.18", "49")]


def test_bid_and_ask_are_a_tick_apart_when_the_spread_is_below_one():
    shape = Liquidity(half_spread_bps=Decimal(0), levels=2, step_bps=Decimal(0))
    bids, asks = sides(build_ladder(Decimal("1.00"), STOCK, shape))
    assert [price for price, _ in bids] == ["1.00", "0.99"]
    assert [price for price, _ in asks] == ["1.01", "1.02"]


def test_levels_below_one_tick_are_left_out():
    shape = Liquidity(levels=10, step_bps=Decimal(1))
    bids, asks = sides(build_ladder(Decimal("0.03"), STOCK, shape))
    assert [price for price, _ in bids] == ["0.03", "0.02", "0.01"]
    assert len(asks) == 10


def test_levels_below_one_lot_are_left_out():
    ladder = build_ladder(Decimal("500.00"), STOCK, Liquidity(depth=Decimal(400)))
    assert sides(ladder) == [[], []]
    assert ladder.best(BUY) is None


def test_taking_consumes_the_best_level_first():
    ladder = Ladder(bids=[Level(Decimal(10), Decimal(5)), Level(Decimal(9), Decimal(5))])
    ladder.take(BUY, Decimal(3))
    assert ladder.best(BUY) == (10, 2)
    ladder.take(BUY, Decimal(2))
    assert ladder.best(BUY) == (9, 5)
    with pytest.raises(AssertionError, match="taken from a level"):
        ladder.take(BUY, Decimal(6))


def test_negative_parameters_are_refused():
    with pytest.raises(ValueError, match="must not be negative"):
        Liquidity(levels=-1)


@settings(deadline=None, max_examples=200)
@given(
    ticks=st.integers(1, 10**7),
    tick=st.sampled_from([Decimal("0.01"), Decimal("0.0001"), Decimal("0.25")]),
    lot=st.sampled_from([Decimal(1), Decimal("0.001"), Decimal(100)]),
    half=st.integers(0, 500),
    step=st.integers(0, 500),
    depth=st.integers(0, 10**6),
)
def test_every_level_is_on_the_grid_ordered_and_affordable(ticks, tick, lot, half, step, depth):
    instrument = Instrument(
        instrument_id=STOCK.instrument_id, tick_size=tick, lot_size=lot, min_quantity=lot
    )
    shape = Liquidity(
        half_spread_bps=Decimal(half), levels=5, depth=Decimal(depth), step_bps=Decimal(step)
    )
    ladder = build_ladder(ticks * tick, instrument, shape)
    bids, asks = (list(ladder.levels(side)) for side in (BUY, SELL))
    for price, size in bids + asks:
        assert price > 0
        assert size > 0
        assert price % tick == 0
        assert size % lot == 0
        assert depth - price * lot < price * size <= depth  # one more lot would be too many
    prices = [price for price, _ in reversed(bids)] + [price for price, _ in asks]
    assert prices == sorted(set(prices))
