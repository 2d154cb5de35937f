import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from skfolio.measures import cvar, value_at_risk

from trading.errors import DataError
from trading.portfolio_risk.empirical import (
    effective_size,
    estimate_of,
    quantile_interval,
    tail_of,
)

LOSSES = st.lists(st.floats(-1e3, 1e3), min_size=20, max_size=200).map(np.array)
LEVELS = st.floats(0.01, 0.949)


def test_ten_losses_by_hand():
    losses = np.array([3.0, 10.0, 1.0, 7.0, 2.0, 9.0, 4.0, 8.0, 6.0, 5.0])
    assert tail_of(losses, 0.8) == pytest.approx((8.0, 9.5))
    # The worst 15 %: all of 10 and half of 9.
    assert tail_of(losses, 0.85) == pytest.approx((9.0, (10.0 + 0.5 * 9.0) / 1.5))


@settings(deadline=None, max_examples=100)
@given(LOSSES, LEVELS)
def test_tail_is_that_of_skfolio(losses, confidence):
    value, shortfall = tail_of(losses, confidence)
    assert value == pytest.approx(value_at_risk(-losses, beta=confidence), abs=1e-9)
    assert shortfall == pytest.approx(cvar(-losses, beta=confidence), rel=1e-9, abs=1e-6)


@settings(deadline=None, max_examples=100)
@given(LOSSES, LEVELS, LEVELS)
def test_both_measures_rise_with_confidence(losses, one, other):
    low, high = sorted((one, other))
    less, more = (estimate_of(losses, "x", level, 1) for level in (low, high))
    assert less.value_at_risk <= more.value_at_risk
    assert less.expected_shortfall <= more.expected_shortfall + 1e-6
    for each in (less, more):
        assert each.value_at_risk <= each.expected_shortfall + 1e-9
        assert each.interval[0] <= each.value_at_risk <= each.interval[1]
        assert each.interval[0] <= each.shortfall_interval[0]
        assert each.interval[1] <= each.shortfall_interval[1]


@settings(deadline=None, max_examples=50)
@given(LOSSES, LEVELS, st.floats(0.1, 10.0), st.floats(-100.0, 100.0))
def test_more_money_and_a_fixed_cost_move_both_measures_alike(losses, confidence, scale, shift):
    value, shortfall = tail_of(losses, confidence)
    moved = tail_of(losses * scale + shift, confidence)
    assert moved == pytest.approx((value * scale + shift, shortfall * scale + shift), abs=1e-6)


@pytest.mark.parametrize(("count", "confidence"), [(250, 0.95), (1000, 0.99), (2000, 0.5)])
def test_order_statistics_hold_the_quantile_as_often_as_the_binomial_says(count, confidence):
    ranks = np.arange(1, count + 1, dtype=np.float64)
    low, high = quantile_interval(ranks, confidence)
    # The quantile lies between two order statistics when the count below it lies between their ranks.
    below = binom.cdf(low - 1, count, confidence)
    above = 1.0 - binom.cdf(high - 1, count, confidence)
    assert below <= 0.025
    assert above <= 0.025
    assert binom.cdf(low, count, confidence) > 0.025
    assert 1.0 - binom.cdf(high - 2, count, confidence) > 0.025


def test_a_sample_too_short_to_bound_the_loss_has_no_upper_end():
    estimate = estimate_of(np.arange(150.0), "x", 0.99, 1)
    assert estimate.interval[1] == math.inf
    assert estimate.shortfall_interval[1] == math.inf
    assert math.isfinite(estimate.interval[0])


def test_losses_that_do_not_reach_the_tail_are_refused():
    with pytest.raises(DataError, match="at least 1000 are needed"):
        estimate_of(np.arange(999.0), "x", 0.999, 1)
    assert estimate_of(np.arange(1000.0), "x", 0.999, 1).value_at_risk == 998.0


def test_independent_values_count_fully_and_repeated_ones_once():
    draws = np.random.default_rng(1).normal(size=50_000)
    assert effective_size(draws, 0) == 50_000
    assert effective_size(draws, 5) > 45_000
    assert effective_size(np.repeat(draws, 5), 5) == pytest.approx(50_000, rel=0.2)


def test_intervals_of_overlapping_windows_hold_the_truth_as_often_as_they_say():
    truth = math.sqrt(10.0) * 1.6448536
    held = 0
    for seed in range(200):
        bars = np.random.default_rng(seed).normal(size=1009)
        windows = np.convolve(bars, np.ones(10), mode="valid")
        low, high = quantile_interval(windows, 0.95, 9)
        held += low <= truth <= high
    assert 0.90 <= held / 200 <= 0.99
    naive = [
        quantile_interval(
            np.convolve(np.random.default_rng(seed).normal(size=1009), np.ones(10), "valid"), 0.95
        )
        for seed in range(200)
    ]
    assert np.mean([low <= truth <= high for low, high in naive]) < 0.75
