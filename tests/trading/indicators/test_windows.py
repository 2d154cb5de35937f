"""Moving windows against a loop, and at their limits."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.indicators.returns import realised_volatility
from trading.indicators.rolling import rolling_mean, rolling_std, zscore
from trading.indicators.volatility import rolling_volatility
from trading.indicators.windows import (
    MovingDeviation,
    MovingMean,
    MovingRange,
    moving_comoments,
    moving_max,
    moving_mean,
    moving_mean_and_deviation,
    moving_min,
    moving_sum,
)
from trading.indicators.zscore import moving_zscore

NAN = math.nan


@settings(deadline=None, max_examples=60)
@given(column=st.lists(st.floats(-1e6, 1e6) | st.just(NAN), max_size=40), window=st.integers(1, 17))
def test_extremes_are_those_of_the_loop(column: list[float], window: int) -> None:
    values = np.array(column).reshape(-1, 1)
    machine = MovingRange(window)
    for row, value in enumerate(column):
        found = column[max(row - window + 1, 0) : row + 1]
        is_known = len(found) == window and not any(map(math.isnan, found))
        expected = (max(found), min(found)) if is_known else (NAN, NAN)
        together = (moving_max(values, window)[row, 0], moving_min(values, window)[row, 0])
        np.testing.assert_array_equal(together, expected)
        np.testing.assert_array_equal(machine.update(value, value), expected)


@pytest.mark.parametrize("window", [1, 2, 3, 7, 8, 64, 100, 255, 400])
def test_sums_and_moments_are_those_of_each_window(window: int) -> None:
    values = np.random.default_rng(window).lognormal(3.0, 1.0, (450, 3))
    whole = np.lib.stride_tricks.sliding_window_view(values, window, axis=0)
    head = np.full((window - 1, 3), NAN)
    expected = np.concatenate([head, whole.sum(axis=-1)])
    np.testing.assert_allclose(moving_sum(values, window), expected, rtol=1e-13)
    mean, deviation = moving_mean_and_deviation(values, window, ddof=0)
    np.testing.assert_allclose(mean[window - 1 :], whole.mean(axis=-1), rtol=1e-13)
    np.testing.assert_allclose(deviation[window - 1 :], whole.std(axis=-1), rtol=1e-12)


@pytest.mark.parametrize("window", [2, 5, 21, 90])
def test_the_same_as_the_windows_of_few_rows(window: int) -> None:
    values = np.random.default_rng(1).lognormal(3.0, 0.3, (150, 2))
    values[40, 1] = NAN
    pairs = [
        (moving_mean(values, window), rolling_mean(values, window)),
        (moving_mean_and_deviation(values, window, 1)[1], rolling_std(values, window)),
        (moving_zscore(values, window), zscore(values, window)),
        (rolling_volatility(values, window), realised_volatility(values, window)),
    ]
    for found, expected in pairs:
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


@settings(deadline=None, max_examples=40)
@given(window=st.integers(2, 30), start=st.integers(0, 60), seed=st.integers(0, 1_000))
def test_value_is_the_same_to_the_bit_wherever_history_begins(
    window: int, start: int, seed: int
) -> None:
    values = np.random.default_rng(seed).lognormal(3.0, 1.0, (90, 2))
    for indicator in (moving_sum, moving_max, moving_zscore):
        whole, tail = indicator(values, window), indicator(values[start:], window)
        np.testing.assert_array_equal(whole[start + window - 1 :], tail[window - 1 :])


def test_huge_value_leaves_no_error_behind() -> None:
    """A running sum would lose all digits of what comes after it."""
    column = [1e18, *([1.0, 2.0, 4.0] * 4)]
    values = np.array(column).reshape(-1, 1)
    mean, spread = MovingMean(3), MovingDeviation(3, ddof=0)
    one_by_one = [(mean.update(value), spread.update(value)[1]) for value in column]
    expected = (7.0 / 3.0, math.sqrt(14.0 / 9.0))
    assert one_by_one[3:] == [pytest.approx(expected, rel=1e-14)] * 10
    deviation = moving_mean_and_deviation(values, 3, ddof=0)[1]
    found = np.concatenate([moving_mean(values, 3), deviation], axis=1)
    np.testing.assert_allclose(found[3:], [expected] * 10, rtol=1e-14)


@pytest.mark.parametrize("window", [2, 3, 7, 10, 31])
def test_flat_window_deviates_by_exactly_nothing(window: int) -> None:
    deviation = moving_mean_and_deviation(np.full((40, 1), 0.1), window, ddof=0)[1]
    assert (deviation[window - 1 :] == 0.0).all()
    machine = MovingDeviation(window, ddof=0)
    one_by_one = [machine.update(0.1)[1] for _ in range(40)]
    assert one_by_one[window - 1 :] == [0.0] * (41 - window)


def test_one_column_stands_beside_many() -> None:
    chance = np.random.default_rng(2)
    x, y = chance.normal(size=(30, 1)), chance.normal(size=(30, 3))
    squares, products = moving_comoments(x, y, 9)
    for column in range(3):
        covariance = np.cov(x[-9:, 0], y[-9:, column], ddof=0) * 9
        assert squares[-1, column] == pytest.approx(covariance[0, 0])
        assert products[-1, column] == pytest.approx(covariance[0, 1])
