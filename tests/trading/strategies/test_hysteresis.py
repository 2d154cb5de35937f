import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.strategies.hysteresis import banded_sides, held_sides

LONG, FLAT, SHORT = 1.0, 0.0, -1.0
BEFORE = {LONG: -2.5, FLAT: 0.0, SHORT: 2.5}
"""A score that leads to each side."""
SCORES = st.sampled_from([-3.0, -2.0, -1.0, -0.5, -0.1, 0.0, 0.1, 0.5, 1.0, 2.0, 3.0, np.nan])


@pytest.mark.parametrize(
    ("side", "score", "expected"),
    [
        (FLAT, -1.9, FLAT),
        (FLAT, -2.0, LONG),
        (FLAT, 2.0, SHORT),
        (LONG, -0.6, LONG),
        (LONG, -0.5, FLAT),
        (LONG, 1.0, FLAT),
        (LONG, 2.5, SHORT),
        (SHORT, 0.6, SHORT),
        (SHORT, 0.5, FLAT),
        (SHORT, -3.0, LONG),
        (LONG, np.nan, FLAT),
        (SHORT, np.nan, FLAT),
        (FLAT, np.nan, FLAT),
    ],
)
def test_side_after_one_bar(side: float, score: float, expected: float) -> None:
    sides = banded_sides(np.array([[BEFORE[side]], [score]]), 2.0, 0.5)
    assert sides[:, 0].tolist() == [side, expected]


def plainly(scores: list[float], entry: float, leave: float, bars_max: int | None) -> list[float]:
    """The rule as a loop over one column."""
    sides, side, age = [], FLAT, 0
    for score in scores:
        age += 1
        if score <= -entry or score >= entry:
            side, age = (LONG if score < 0 else SHORT), 0
        elif not side * score < -leave or age == bars_max:
            side = FLAT
        sides.append(side)
    return sides


@settings(deadline=None, max_examples=200)
@given(
    columns=st.integers(0, 40).flatmap(
        lambda count: st.lists(
            st.lists(SCORES, min_size=count, max_size=count), min_size=1, max_size=3
        )
    ),
    leave=st.sampled_from([0.0, 0.5, 1.0]),
    bars_max=st.none() | st.integers(1, 12),
)
def test_sides_are_those_of_the_loop(
    columns: list[list[float]], leave: float, bars_max: int | None
) -> None:
    sides = banded_sides(np.array(columns, dtype=np.float64).T, 2.0, leave, bars_max)
    expected = [plainly(column, 2.0, leave, bars_max) for column in columns]
    np.testing.assert_array_equal(sides.T, np.array(expected))


def test_wish_comes_before_the_end_of_a_position() -> None:
    wanted = np.array([[1.0], [0.0], [-1.0], [0.0], [0.0]])
    keeps_long = np.array([[False], [True], [False], [True], [True]])
    keeps_short = np.array([[False], [False], [False], [True], [False]])
    sides = held_sides(wanted, keeps_long, keeps_short)
    assert sides[:, 0].tolist() == [1.0, 1.0, -1.0, -1.0, 0.0]
