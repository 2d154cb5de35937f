import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.indicators.rolling import rolling_mean, rolling_std, zscore


def prices(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).lognormal(3.0, 1.0, (rows, columns))


@pytest.mark.parametrize("window", [1, 2, 7, 30])
def test_mean_is_that_of_each_window(window: int) -> None:
    values = prices(30, 3)
    result = rolling_mean(values, window)
    assert np.isnan(result[: window - 1]).all()
    for row in range(window - 1, 30):
        expected = values[row - window + 1 : row + 1].mean(axis=0)
        np.testing.assert_allclose(result[row], expected, rtol=1e-13)


@pytest.mark.parametrize("window", [2, 7, 30])
def test_std_is_the_sample_deviation_of_each_window(window: int) -> None:
    values = prices(30, 3)
    result = rolling_std(values, window)
    assert np.isnan(result[: window - 1]).all()
    for row in range(window - 1, 30):
        expected = values[row - window + 1 : row + 1].std(axis=0, ddof=1)
        np.testing.assert_allclose(result[row], expected, rtol=1e-12)


@settings(deadline=None, max_examples=60)
@given(window=st.integers(2, 12), start=st.integers(0, 60), seed=st.integers(0, 1_000))
def test_value_is_the_same_to_the_bit_wherever_history_begins(
    window: int, start: int, seed: int
) -> None:
    values = prices(80, 4, seed)
    for indicator in (rolling_mean, rolling_std, zscore):
        whole, tail = indicator(values, window), indicator(values[start:], window)
        np.testing.assert_array_equal(whole[start + window - 1 :], tail[window - 1 :])


def test_nan_makes_only_the_windows_that_hold_it_nan() -> None:
    values = prices(12, 1)
    values[5] = np.nan
    is_nan = np.isnan(rolling_mean(values, 3))[:, 0]
    assert np.flatnonzero(is_nan).tolist() == [0, 1, 5, 6, 7]


def test_zscore_of_a_flat_window_is_nan() -> None:
    assert np.isnan(zscore(np.full((10, 1), 0.1), 5)).all()


def test_zscore_of_a_known_window() -> None:
    values = np.array([[1.0], [2.0], [3.0], [6.0]])
    assert zscore(values, 4)[-1, 0] == pytest.approx(3.0 / np.sqrt(14.0 / 3.0))


def test_window_longer_than_history_gives_nan_alone() -> None:
    for indicator in (rolling_mean, rolling_std, zscore):
        result = indicator(prices(4, 2), 5)
        assert result.shape == (4, 2)
        assert np.isnan(result).all()


def test_impossible_window_is_refused() -> None:
    with pytest.raises(ValueError, match="window must be at least 1"):
        rolling_mean(prices(4, 1), 0)
    with pytest.raises(ValueError, match="window must be at least 2"):
        rolling_std(prices(4, 1), 1)
