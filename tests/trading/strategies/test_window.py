import numpy as np
import pytest

from trading.data import Bar, BarSlice
from trading.identifiers import InstrumentId
from trading.strategies.window import SPARE_ROWS, Window

A, B, OTHER = InstrumentId("A.X"), InstrumentId("B.X"), InstrumentId("C.X")


def slice_of(sequence: int, **closes: float) -> BarSlice:
    bars = tuple(
        Bar(
            instrument_id=InstrumentId(f"{n}.X"), open=c, high=c + 1, low=c - 1, close=c, volume=5.0
        )
        for n, c in closes.items()
    )
    return BarSlice(ts_event=sequence * 10, sequence=sequence, bars=bars)


def test_window_keeps_the_last_slices_in_order() -> None:
    window = Window((A, B), 3)
    for sequence in range(1, 6):
        assert window.is_full == (sequence > 3)
        window.add(slice_of(sequence, A=float(sequence), B=sequence * 2.0))
    bars = window.bars()
    assert bars.ts.tolist() == [30, 40, 50]
    assert bars.close.tolist() == [[3.0, 6.0], [4.0, 8.0], [5.0, 10.0]]
    assert bars.high.tolist() == [[4.0, 7.0], [5.0, 9.0], [6.0, 11.0]]
    assert bars.low[-1].tolist() == [4.0, 9.0]
    assert bars.volume[-1].tolist() == [5.0, 5.0]
    assert window.last_sequence == 5


def test_missing_bar_repeats_the_last_close_without_volume() -> None:
    window = Window((A, B), 2)
    window.add(slice_of(1, A=7.0, B=3.0))
    window.add(slice_of(2, B=4.0))
    bars = window.bars()
    for name in ("open", "high", "low", "close"):
        assert getattr(bars, name)[-1, 0] == 7.0
    assert bars.volume[-1].tolist() == [0.0, 5.0]


def test_instrument_never_seen_is_nan_and_a_foreign_one_is_ignored() -> None:
    window = Window((A, B), 1)
    window.add(slice_of(1, A=7.0, C=1.0))
    bars = window.bars()
    assert bars.instrument_ids == (A, B)
    assert bars.close[0, 0] == 7.0
    assert np.isnan(bars.close[0, 1])


@pytest.mark.parametrize("count", [1, 4])
def test_cleared_window_remembers_nothing(count: int) -> None:
    window = Window((A,), 2)
    for sequence in range(1, count + 1):
        window.add(slice_of(sequence, A=1.0))
    window.clear()
    assert (window.count, window.last_sequence, window.is_full) == (0, 0, False)
    window.add(slice_of(9))
    assert np.isnan(window.bars().close).all()


@pytest.mark.parametrize("length", [1, 3, SPARE_ROWS + 7])
def test_window_that_moves_through_its_memory_keeps_the_last_slices(length: int) -> None:
    window = Window((A, B), length)
    closes: list[float] = []
    for sequence in range(1, 3 * (length + SPARE_ROWS) + 2):
        closes.append(sequence * 1.5 if sequence % 4 else closes[-1])
        if sequence % 4:
            window.add(slice_of(sequence, A=sequence * 1.5, B=1.0))
        else:
            window.add(slice_of(sequence, B=1.0))
        if sequence % 97 == 0 and sequence >= length:
            bars = window.bars()
            assert bars.close[:, 0].tolist() == closes[-length:]
            assert bars.ts.tolist() == [10 * s for s in range(sequence - length + 1, sequence + 1)]
            volumes = [5.0 if s % 4 else 0.0 for s in range(sequence - length + 1, sequence + 1)]
            assert bars.volume[:, 0].tolist() == volumes


def test_window_cannot_be_written_through_its_bars() -> None:
    window = Window((A,), 2)
    window.add(slice_of(1, A=1.0))
    with pytest.raises(ValueError, match="read-only"):
        window.bars().close[0, 0] = 2.0
