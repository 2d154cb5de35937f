import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import kurtosis, norm, skew

from actors.feeds.sources import load_prices
from trading.errors import DataError
from trading.portfolio_risk.cornish_fisher import (
    cornish_fisher,
    expansion_tail,
    fitted_expansion,
)
from trading.portfolio_risk.historical import historical
from trading.portfolio_risk.normal import standard_tail

SHAPES = st.tuples(st.floats(-1.5, 1.5), st.floats(6.0, 30.0))


def expansion(z, s, k):
    return z + (z**2 - 1) * s / 6 + (z**3 - 3 * z) * k / 24 - (2 * z**3 - 5 * z) * s**2 / 36


@settings(deadline=None, max_examples=40)
@given(SHAPES)
def test_fitted_expansion_has_the_asked_moments_and_rises(shape):
    s, k = fitted_expansion(*shape)
    moments = [
        quad(lambda z, power=power: expansion(z, s, k) ** power * norm.pdf(z), -12, 12)[0]
        for power in (1, 2, 3, 4)
    ]
    assert moments[0] == pytest.approx(0.0, abs=1e-9)
    assert moments[2] / moments[1] ** 1.5 == pytest.approx(shape[0], abs=1e-6)
    assert moments[3] / moments[1] ** 2 - 3 == pytest.approx(shape[1], abs=1e-5)
    assert np.all(np.diff(expansion(np.linspace(-8, 8, 4001), s, k)) >= 0)


@settings(deadline=None, max_examples=30)
@given(SHAPES, st.floats(0.01, 0.999))
def test_tail_of_the_expansion_is_its_integral(shape, confidence):
    s, k = fitted_expansion(*shape)
    deviation = np.sqrt(quad(lambda z: expansion(z, s, k) ** 2 * norm.pdf(z), -12, 12)[0])
    quantile, mean = expansion_tail(s, k, confidence)
    z = norm.ppf(confidence)
    assert quantile * deviation == pytest.approx(expansion(z, s, k), abs=1e-9)
    area = quad(lambda z: expansion(z, s, k) * norm.pdf(z), z, 12)[0]
    assert mean * deviation == pytest.approx(area / (1 - confidence), rel=1e-6, abs=1e-6)


def test_without_skewness_and_kurtosis_it_is_normal():
    assert fitted_expansion(0.0, 0.0) == pytest.approx((0.0, 0.0), abs=1e-9)
    assert expansion_tail(0.0, 0.0, 0.99) == pytest.approx(standard_tail(0.99))
    assert fitted_expansion(0.0, -1.0) == pytest.approx((0.0, 0.0), abs=1e-9)


def test_a_shape_that_no_expansion_has_is_refused():
    for skewness, excess in ((0.0, 100.0), (5.0, 40.0), (-5.0, 40.0)):
        with pytest.raises(DataError, match="more than a Cornish-Fisher expansion can have"):
            fitted_expansion(skewness, excess)


@pytest.fixture(scope="module")
def history():
    close = load_prices("sp500", ("AAPL", "KO", "JPM", "XOM")).close
    return close[1:] / close[:-1] - 1.0


def test_three_decades_of_stocks_agree_with_history_within_the_intervals(history):
    money, names = np.full(4, 25_000.0), ("AAPL", "KO", "JPM", "XOM")
    for confidence in (0.95, 0.99, 0.999):
        ours = cornish_fisher(history, money, names, confidence)
        past = historical(history, money, names, confidence)
        assert ours.interval[0] <= past.interval[1]
        assert past.interval[0] <= ours.interval[1]


def test_cumulants_of_a_longer_horizon_shrink_towards_the_normal(history):
    money, names = np.full(4, 25_000.0), ("AAPL", "KO", "JPM", "XOM")
    losses = -(history @ money)
    found = cornish_fisher(history, money, names, 0.99, 20)
    s, k = fitted_expansion(float(skew(losses)) / np.sqrt(20), float(kurtosis(losses)) / 20)
    quantile, _ = expansion_tail(s, k, 0.99)
    expected = 20 * losses.mean() + np.sqrt(20) * losses.std() * quantile
    assert found.value_at_risk == pytest.approx(expected)


@settings(deadline=None, max_examples=15)
@given(st.floats(0.5, 0.999), st.floats(0.5, 0.999))
def test_both_measures_rise_with_confidence(history, one, other):
    money, names = np.full(4, 25_000.0), ("AAPL", "KO", "JPM", "XOM")
    low, high = sorted((one, other))
    less, more = (cornish_fisher(history[:500], money, names, level) for level in (low, high))
    assert less.value_at_risk <= more.value_at_risk
    assert less.expected_shortfall <= more.expected_shortfall


def test_intervals_hold_the_truth_of_normal_losses_as_often_as_they_say():
    truth = standard_tail(0.95)[0]
    held = 0
    for seed in range(100):
        returns = np.random.default_rng(seed).normal(0.0, 0.01, (1000, 1))
        low, high = cornish_fisher(returns, np.array([100.0]), ("KO",), 0.95).interval
        held += low <= truth <= high
    assert held >= 89


def test_a_portfolio_that_does_not_move_is_refused(history):
    with pytest.raises(DataError, match="does not move"):
        cornish_fisher(history, np.zeros(4), ("AAPL", "KO", "JPM", "XOM"), 0.95)
