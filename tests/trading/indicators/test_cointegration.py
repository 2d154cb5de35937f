"""The own few lines against statsmodels, which computes the same test one pair at a time."""

import numpy as np
import pytest
from statsmodels.tsa.adfvalues import mackinnoncrit
from statsmodels.tsa.stattools import coint

from trading.indicators.cointegration import SIGNIFICANCE_LEVELS, critical_value, engle_granger


def walks(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Column 0: cointegrated with slope 1.5; column 1: two independent walks."""
    noise = np.random.default_rng(seed)
    x = noise.normal(0, 0.01, (252, 2)).cumsum(axis=0) + 3.0
    y = noise.normal(0, 0.01, (252, 2)).cumsum(axis=0) + 4.0
    y[:, 0] = 0.5 + 1.5 * x[:, 0] + noise.normal(0, 0.004, 252)
    return y, x


@pytest.mark.parametrize("seed", range(5))
def test_statistic_equals_that_of_statsmodels(seed: int) -> None:
    y, x = walks(seed)
    result = engle_granger(y, x)
    for pair in range(2):
        expected = coint(y[:, pair], x[:, pair], trend="c", maxlag=1, autolag=None)[0]
        assert result.statistic[pair] == pytest.approx(expected, rel=1e-8)


def test_regression_equals_least_squares() -> None:
    y, x = walks(7)
    result = engle_granger(y, x)
    for pair in range(2):
        slope, intercept = np.polyfit(x[:, pair], y[:, pair], 1)
        residual = y[:, pair] - intercept - slope * x[:, pair]
        assert result.beta[pair] == pytest.approx(slope)
        assert result.alpha[pair] == pytest.approx(intercept)
        assert result.deviation[pair] == pytest.approx(residual.std())


@pytest.mark.parametrize("count", [60, 252, 1_000])
def test_critical_values_equal_those_of_statsmodels(count: int) -> None:
    expected = mackinnoncrit(N=2, regression="c", nobs=count - 1)
    found = [critical_value(level, count) for level in SIGNIFICANCE_LEVELS]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_linked_pair_passes_the_test_and_unlinked_walks_mostly_do_not() -> None:
    limit = critical_value(0.05, 252)
    statistics = np.array([engle_granger(*walks(seed)).statistic for seed in range(40)])
    assert (statistics[:, 0] < limit).all()
    assert (statistics[:, 1] < limit).mean() < 0.2


def test_flat_series_has_no_statistic() -> None:
    flat = np.full((60, 1), 2.0)
    assert np.isnan(engle_granger(flat, flat).statistic).all()
