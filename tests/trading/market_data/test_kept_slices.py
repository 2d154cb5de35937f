"""The slices that are kept: the newest, whole, and unchanged once they are there."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.data import Bar
from trading.identifiers import InstrumentId
from trading.market_data.kept_slices import KeptSlices

KEYS = tuple(InstrumentId(f"{name}.X") for name in "ABC")
INTERVAL = 60


def bar(key, number, price=1.0):
    return Bar(
        ts_event=number * INTERVAL,
        instrument_id=key,
        open=price,
        high=price,
        low=price,
        close=price,
    )


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.tuples(st.sampled_from(KEYS), st.integers(1, 30), st.integers(1, 9))),
    st.integers(1, 12),
    st.integers(0, 14),
)
def test_whatever_the_order_of_bars_the_newest_slices_are_kept(added, kept, asked):
    slices = KeptSlices(KEYS, INTERVAL, kept)
    for key, number, price in added:
        slices.add(bar(key, number, float(price)))
    answer = slices.last(asked)
    assert len(slices) <= kept
    numbers = [each.sequence for each in answer]
    assert numbers == sorted(set(numbers))
    newest = sorted({number for _, number, _ in added})[-kept:]
    if newest:
        assert slices.newest == newest[-1]
        assert numbers == newest[-asked:] * bool(asked)
    for each in answer:
        assert each.ts_event == each.sequence * INTERVAL
        keys = [one.instrument_id for one in each.bars]
        assert keys == [key for key in KEYS if key in keys]
        assert all(one.sequence == each.sequence for one in each.bars)


def test_a_bar_that_is_there_is_not_replaced():
    slices = KeptSlices(KEYS, INTERVAL, 5)
    slices.add(bar(KEYS[0], 3, 1.0))
    slices.add(bar(KEYS[0], 3, 2.0))
    assert slices.slice_at(3).bars[0].close == 1.0


def test_when_nothing_is_kept_the_answer_is_empty():
    slices = KeptSlices(KEYS, INTERVAL, 5)
    assert slices.last(3) == ()
    assert slices.newest == 0
    with pytest.raises(KeyError):
        slices.slice_at(1)
