import numpy as np
import pytest

from trading.identifiers import InstrumentId
from trading.strategies.strategy import Bars

NAMES = (InstrumentId("A.X"), InstrumentId("B.X"))


def test_bars_of_closes_repeat_them_without_volume() -> None:
    close = np.array([[1.0, 2.0], [3.0, 4.0]])
    bars = Bars.of_closes(np.array([1, 2]), NAMES, close)
    assert bars.open is bars.high is bars.low is bars.close is close
    assert not bars.volume.any()
    assert len(bars) == 2


def test_rows_are_views_of_the_same_moments() -> None:
    bars = Bars.of_closes(np.arange(5), NAMES, np.arange(10.0).reshape(5, 2))
    part = bars.rows(1, 3)
    assert part.ts.tolist() == [1, 2]
    assert part.close.tolist() == [[2.0, 3.0], [4.0, 5.0]]
    assert np.shares_memory(part.close, bars.close)


def test_array_of_another_shape_is_named() -> None:
    with pytest.raises(ValueError, match=r"bars: close is \(2, 1\), must be \(2, 2\)"):
        Bars.of_closes(np.array([1, 2]), NAMES, np.ones((2, 1)))
