import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from trading.errors import DataError
from trading.portfolio_risk.normal import normal, standard_tail

NAMES = ("KO", "XOM")
LEVELS = st.floats(0.001, 0.999)


def returns_with(mean, covariance, count=500):
    """Draw returns whose sample mean and covariance are exactly these."""
    draws = np.random.default_rng(5).normal(size=(count, 2))
    draws -= draws.mean(axis=0)
    draws @= np.linalg.inv(np.linalg.cholesky(np.cov(draws, rowvar=False))).T
    return draws @ np.linalg.cholesky(covariance).T + mean


def test_two_assets_by_hand():
    # Deviations 1 % and 2 %, correlation 0.5, no drift: 100 and 50 of money have a deviation of
    # sqrt(1 + 1 + 2 * 0.5) = 1.7320508.
    returns = returns_with(np.zeros(2), np.array([[1e-4, 1e-4], [1e-4, 4e-4]]))
    found = normal(returns, np.array([100.0, 50.0]), NAMES, 0.99)
    assert found.value_at_risk == pytest.approx(1.7320508 * 2.3263479, rel=1e-7)
    assert found.expected_shortfall == pytest.approx(1.7320508 * 2.6652142, rel=1e-7)
    ten = normal(returns, np.array([100.0, 50.0]), NAMES, 0.99, 10)
    assert ten.value_at_risk == pytest.approx(math.sqrt(10) * found.value_at_risk)


def test_drift_grows_with_time_and_deviation_with_its_root():
    returns = returns_with(np.array([1e-3, 2e-3]), np.diag([1e-4, 1e-4]))
    found = normal(returns, np.array([100.0, 0.0]), NAMES, 0.95, 4)
    assert found.value_at_risk == pytest.approx(2.0 * 1.6448536 - 4 * 0.1, rel=1e-7)


@settings(deadline=None, max_examples=30)
@given(LEVELS)
def test_standard_tail_is_the_integral_of_the_quantile(confidence):
    quantile, mean = standard_tail(confidence)
    assert quantile == pytest.approx(norm.ppf(confidence))
    area = quad(lambda x: x * norm.pdf(x), quantile, 40.0)[0]
    assert mean == pytest.approx(area / (1.0 - confidence), rel=1e-6, abs=1e-6)


@settings(deadline=None, max_examples=50)
@given(LEVELS, LEVELS, st.integers(1, 250))
def test_both_measures_rise_with_confidence(one, other, horizon):
    low, high = sorted((one, other))
    returns = returns_with(np.array([1e-4, 0.0]), np.diag([1e-4, 2e-4]))
    less, more = (
        normal(returns, np.array([10.0, -5.0]), NAMES, level, horizon) for level in (low, high)
    )
    assert less.value_at_risk <= more.value_at_risk
    assert less.expected_shortfall <= more.expected_shortfall
    assert less.interval[0] <= less.value_at_risk <= less.interval[1]


@pytest.mark.parametrize("horizon", [1, 10])
def test_intervals_hold_the_truth_as_often_as_they_say(horizon):
    quantile, mean = standard_tail(0.99)
    held = np.zeros(2)
    for seed in range(1000):
        returns = np.random.default_rng(seed).normal(0.0, 0.01, (30, 1))
        found = normal(returns, np.array([100.0]), ("KO",), 0.99, horizon)
        for index, (truth, (low, high)) in enumerate(
            ((quantile, found.interval), (mean, found.shortfall_interval))
        ):
            held[index] += low <= math.sqrt(horizon) * truth <= high
    assert np.all((held >= 935) & (held <= 965)), held


def test_one_observation_is_refused():
    with pytest.raises(DataError, match="there are 1 returns"):
        normal(np.zeros((1, 2)), np.ones(2), NAMES, 0.95)
