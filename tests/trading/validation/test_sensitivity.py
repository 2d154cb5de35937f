import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.errors import DataError
from trading.validation.sensitivity import CostRow, cost_sensitivity, neighbourhood

GRID = np.array([[fast, slow] for fast in (5.0, 10.0, 20.0) for slow in (50.0, 100.0, 200.0)])


def test_a_peak_and_its_plateau_by_hand() -> None:
    figures = np.array([0.2, 0.4, 0.6, 0.5, 2.0, 0.5, -0.4, -0.2, np.nan])
    found = neighbourhood(GRID, figures)
    assert found.neighbours.tolist() == [2, 3, 2, 3, 4, 2, 2, 2, 2]
    # around (10, 100): 0.4 above, 0.5 left, 0.5 right, -0.2 below
    assert found.mean[4] == pytest.approx(0.3)
    assert found.worst[4] == pytest.approx(-0.2)
    assert found.robustness[4] == pytest.approx(0.15)
    assert found.robustness[0] == pytest.approx(0.45 / 0.2)
    assert math.isnan(found.robustness[6])  # its own figure loses
    assert math.isnan(found.robustness[8])
    assert found.mean[8] == pytest.approx(0.15)


def test_a_point_alone_has_no_neighbours() -> None:
    found = neighbourhood(np.array([[1.0, 1.0], [2.0, 2.0]]), np.array([1.0, 2.0]))
    assert found.neighbours.tolist() == [0, 0]
    assert np.isnan([found.mean, found.worst, found.robustness]).all()


@settings(deadline=None, max_examples=60)
@given(
    cells=st.sets(st.tuples(*[st.integers(0, 3)] * 3), min_size=1, max_size=40),
    seed=st.integers(0, 99),
)
def test_neighbours_equal_a_search_through_all_points(
    cells: set[tuple[int, int, int]], seed: int
) -> None:
    points = sorted(cells, key=hash)
    figures = np.random.default_rng(seed).normal(size=len(points))
    found = neighbourhood(np.array(points, dtype=float) ** 2, figures)
    levels = [sorted({point[axis] for point in points}) for axis in range(3)]
    for row, point in enumerate(points):
        near = []
        for other_row, other in enumerate(points):
            apart = [
                abs(levels[axis].index(point[axis]) - levels[axis].index(other[axis]))
                for axis in range(3)
            ]
            if sorted(apart) == [0, 0, 1]:
                near.append(figures[other_row])
        assert found.neighbours[row] == len(near)
        if near:
            assert found.mean[row] == pytest.approx(np.mean(near))
            assert found.worst[row] == min(near)


def test_costs_break_even_on_a_straight_line() -> None:
    found = cost_sensitivity(np.array([2.0, 0.0, 1.0]), np.array([-0.1, 0.5, 0.3]))
    assert [(row.multiple, row.figure) for row in found.rows] == [(0, 0.5), (1, 0.3), (2, -0.1)]
    assert [row.change for row in found.rows] == pytest.approx([0, -0.2, -0.6])
    assert found.break_even == pytest.approx(1.75)
    assert cost_sensitivity(
        np.array([0.0, 1.0]), np.array([0.5, 0.3]), threshold=0.4
    ).break_even == pytest.approx(0.5)


def test_costs_that_never_break_even() -> None:
    multiples = np.array([0.0, 5.0])
    assert cost_sensitivity(multiples, np.array([0.5, 0.3])).break_even == math.inf
    assert math.isnan(cost_sensitivity(multiples, np.array([-0.5, -0.6])).break_even)
    assert cost_sensitivity(multiples, np.array([0.5, 0.0])).break_even == 5.0
    assert cost_sensitivity(np.ones(1), np.ones(1)).rows == (CostRow(1.0, 1.0, 0.0),)


@pytest.mark.parametrize(
    ("points", "figures", "message"),
    [
        (np.ones((2, 1)), np.ones(2), "occurs twice"),
        (np.ones((2, 1)), np.ones(3), "a figure for each"),
        (np.ones(2), np.ones(2), "a figure for each"),
        (np.array([[1.0], [np.nan]]), np.ones(2), "not finite"),
        (np.zeros((0, 2)), np.zeros(0), "a figure for each"),
    ],
)
def test_points_that_are_no_grid_are_refused(
    points: np.ndarray, figures: np.ndarray, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        neighbourhood(points, figures)


@pytest.mark.parametrize(
    ("multiples", "figures", "message"),
    [
        ([], [], "one figure for each"),
        ([1.0, 2.0], [1.0], "one figure for each"),
        ([1.0, 1.0], [1.0, 2.0], "occurs twice"),
        ([-1.0, 1.0], [1.0, 2.0], "must be finite"),
        ([0.0, 1.0], [1.0, math.nan], "must be finite"),
    ],
)
def test_costs_that_are_no_table_are_refused(
    multiples: list[float], figures: list[float], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        cost_sensitivity(np.array(multiples), np.array(figures))
