import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest, truncnorm

from trading.portfolio_risk.copulas.truncated import rest_given, truncated_draws

CORRELATION = np.array([[1.0, 0.5], [0.5, 1.0]])


def rng(seed=1):
    return np.random.default_rng(seed)


def drawn(bounds, start, degrees=np.inf, count=3000):
    begin = np.tile(np.array(start, dtype=float), (count, 1))
    return truncated_draws(begin, np.array(bounds, dtype=float), CORRELATION, degrees, rng())


@pytest.mark.parametrize("ends", [(-np.inf, -2.0), (-1.0, 0.5), (2.0, np.inf), (6.0, 7.0)])
def test_given_the_other_is_held_one_is_a_truncated_normal(ends):
    draws = drawn([[ends[0], 1.0], [ends[1], 1.0]], [np.clip(0.0, *ends), 1.0])
    spread = np.sqrt(0.75)
    low, high = (np.array(ends) - 0.5) / spread
    assert (draws[:, 1] == 1.0).all()
    assert kstest((draws[:, 0] - 0.5) / spread, truncnorm(low, high).cdf).pvalue > 1e-4


def test_bounds_further_out_than_floats_reach_hold():
    draws = drawn([[60.0, -60.0], [np.inf, -60.0]], [61.0, -60.0])
    assert (draws[:, 0] == 60.0).all()


@given(
    low=st.floats(-5.0, 5.0),
    width=st.floats(1e-6, 5.0),
    degrees=st.sampled_from([2.0, 5.0, np.inf]),
)
@settings(deadline=None, max_examples=25)
def test_draws_stay_between_their_bounds(low, width, degrees):
    high = low + width
    draws = drawn([[low, -np.inf], [high, -1.0]], [low, -2.0], degrees, count=20)
    assert ((draws[:, 0] >= low) & (draws[:, 0] <= high)).all()
    assert (draws[:, 1] <= -1.0).all()


def test_one_variable_alone_keeps_its_start():
    start = rng().standard_normal((5, 1))
    bounds = np.array([[-9.0], [9.0]])
    assert truncated_draws(start, bounds, np.eye(1), np.inf, rng()) is start


def test_the_whole_vector_keeps_its_part_and_its_order():
    part = np.array([[1.0], [2.0]])
    whole = rest_given(part, [1], np.eye(3), np.inf, rng())
    assert whole[:, 1].tolist() == [1.0, 2.0]
    assert whole.shape == (2, 3)
    complete = rest_given(np.array([[1.0, 2.0]]), [0, 1], CORRELATION, np.inf, rng())
    assert complete.tolist() == [[1.0, 2.0]]
