"""Compiled loops, loops over rows in any array namespace, and plain arithmetic: one set of numbers."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.indicators.cci import cci, distances_by_offset
from trading.indicators.recursion import (
    anchored_sum,
    anchored_sum_by_rows,
    filtered_regression,
    filtered_regression_by_rows,
    ratchet,
    ratchet_by_rows,
    smoothed,
    smoothed_by_rows,
)
from trading.indicators.windows import moving_mean_and_deviation


def prices(seed: int, rows: int = 50, holes: float = 0.05) -> np.ndarray:
    chance = np.random.default_rng(seed)
    values = 20.0 + chance.normal(0.0, 0.3, (rows, 3)).cumsum(axis=0)
    values[chance.random(values.shape) < holes] = math.nan
    return values


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    period=st.integers(1, 12),
    skip=st.integers(0, 5),
    kept=st.sampled_from([1.0, 0.75]),
)
def test_smoothing_is_the_same_in_any_namespace(
    seed: int, period: int, skip: int, kept: float
) -> None:
    values, weight = prices(seed), 2.0 / (period + 1)
    compiled = smoothed(values, period, weight, skip=skip, kept=kept)
    looped = smoothed_by_rows(values, period, weight, skip, kept)
    np.testing.assert_array_equal(compiled, looped)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), marks=st.lists(st.booleans(), min_size=50, max_size=50))
def test_anchored_sum_is_the_same_in_any_namespace(seed: int, marks: list[bool]) -> None:
    values, starts = prices(seed), np.array(marks)
    compiled = anchored_sum(values, starts)
    np.testing.assert_array_equal(compiled, anchored_sum_by_rows(values, starts))


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), width=st.floats(0.05, 1.0))
def test_ratchet_is_the_same_in_any_namespace(seed: int, width: float) -> None:
    middle, close = prices(seed), prices(seed, holes=0.0)
    bands = middle + width, middle - width, close
    for compiled, looped in zip(ratchet(*bands), ratchet_by_rows(*bands), strict=True):
        np.testing.assert_array_equal(compiled, looped)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), drift=st.floats(1e-6, 0.1), noise=st.floats(1e-4, 1.0))
def test_filter_is_the_same_in_any_namespace(seed: int, drift: float, noise: float) -> None:
    y, x = prices(seed), prices(seed + 1)
    compiled = np.stack(filtered_regression(y, x, drift, noise))
    np.testing.assert_array_equal(compiled, filtered_regression_by_rows(y, x, drift, noise))


@pytest.mark.parametrize("window", [1, 4, 20])
def test_mean_distance_is_the_same_in_any_namespace(window: int) -> None:
    price = prices(3)
    mean, _ = moving_mean_and_deviation(price, window, ddof=0)
    distance = 0.015 * distances_by_offset(price, mean, window) / window
    expected = np.where(distance > 0, (price - mean) / np.where(distance > 0, distance, 1.0), 0.0)
    typical = (price + price + price) / 3.0
    expected[np.isnan(mean)] = math.nan
    np.testing.assert_allclose(
        cci(typical, typical, typical, window), expected, rtol=1e-9, atol=1e-9
    )


def test_smoothing_by_hand() -> None:
    values = np.array([[9.0], [3.0], [math.nan], [6.0], [10.0], [math.nan], [2.0]])
    found = smoothed(values, 2, 0.5, skip=1)[:, 0]
    np.testing.assert_array_equal(found, [math.nan] * 3 + [4.5, 7.25, math.nan, 4.625])


@pytest.mark.parametrize("order", ["C", "F"])
def test_layout_and_type_of_the_array_do_not_matter(order: str) -> None:
    values = np.asarray(prices(1, holes=0.0).round(1).astype(np.float32), order=order)
    expected = smoothed(values.astype(np.float64), 5, 0.3)
    np.testing.assert_array_equal(smoothed(values, 5, 0.3), expected)
    np.testing.assert_array_equal(
        smoothed(values[::2], 5, 0.3), smoothed(values[::2].copy(), 5, 0.3)
    )
