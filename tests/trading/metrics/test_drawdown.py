import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.metrics.drawdown import (
    Drawdown,
    longest_drawdown_bars,
    max_drawdown,
    max_drawdown_bars,
    underwater,
    worst_drawdowns,
)


def returns_of(*equity: float) -> np.ndarray:
    """Returns that lead from 100 to each of `equity`."""
    course = np.array([100.0, *equity])
    return course[1:] / course[:-1] - 1.0


HILLS = returns_of(90, 100, 120, 60, 90, 120, 110, 110, 110, 110, 115)
"""Below the best in row 0; rows 3 and 4; rows 6 to 10, not over at the end."""


def test_drawdowns_by_hand() -> None:
    assert underwater(HILLS)[[0, 1, 3, 4, 10]] == pytest.approx([0.1, 0, 0.5, 0.25, 5 / 120])
    assert max_drawdown(HILLS) == pytest.approx(0.5)
    assert max_drawdown_bars(HILLS) == 2
    assert longest_drawdown_bars(HILLS) == 5


def test_the_table_is_sorted_by_depth() -> None:
    worst = worst_drawdowns(HILLS, 5)
    assert [(w.start, w.trough, w.end, w.bars) for w in worst] == [
        (3, 3, 5, 2),
        (0, 0, 1, 1),
        (6, 6, None, 5),
    ]
    assert [w.depth for w in worst] == pytest.approx([0.5, 0.1, 10 / 120])
    assert worst_drawdowns(HILLS, 1) == worst[:1]


def test_rounding_noise_is_no_drawdown() -> None:
    assert worst_drawdowns(np.array([0.0, -1e-15, 0.0]), 5) == ()
    assert longest_drawdown_bars(returns_of(110, 110, 120, 120)) == 0


@settings(deadline=None, max_examples=80)
@given(values=st.lists(st.floats(-0.9, 1.0), min_size=1, max_size=30))
def test_drawdowns_equal_a_loop(values: list[float]) -> None:
    worth = best = 1.0
    found: list[Drawdown] = []
    begun, trough, depth = -1, -1, 0.0
    for row, value in enumerate([*values, 1e9]):  # one last bar that recovers from everything
        worth *= 1.0 + value
        below = 1.0 - worth / max(best, worth)
        if below > 1e-12:
            begun = row if begun < 0 else begun
            if below > depth:
                trough, depth = row, below
        elif begun >= 0:
            end = None if row == len(values) else row
            found.append(Drawdown(begun, trough, end, row - begun, depth))
            begun, depth = -1, 0.0
        best = max(best, worth)
    found.sort(key=lambda each: -each.depth)
    returns = np.array(values)
    got = worst_drawdowns(returns, len(found) + 1)
    assert [each.depth for each in got] == pytest.approx([each.depth for each in found])
    assert {(d.start, d.trough, d.end, d.bars) for d in got} == {
        (d.start, d.trough, d.end, d.bars) for d in found
    }
    assert longest_drawdown_bars(returns) == max((each.bars for each in found), default=0)
