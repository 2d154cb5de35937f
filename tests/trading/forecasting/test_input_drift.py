import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from trading.errors import DataError
from trading.forecasting.input_drift import (
    bins_of,
    counts_of,
    population_stability,
    window_summaries,
)


def test_bins_hold_equal_shares() -> None:
    edges, shares = bins_of(np.random.default_rng(0).standard_normal(10_000))
    assert edges.size == 9
    assert (np.diff(edges) > 0).all()
    assert shares == pytest.approx(np.full(10, 0.1), abs=1e-3)


def test_counts_are_those_of_numpy() -> None:
    rng = np.random.default_rng(1)
    edges, _ = bins_of(rng.standard_normal(1_000))
    values = rng.standard_normal(500)
    expected, _ = np.histogram(values, np.concatenate([[-np.inf], edges, [np.inf]]))
    assert counts_of(edges, values).tolist() == expected.tolist()


def test_value_that_is_often_the_same_makes_fewer_bins() -> None:
    values = np.concatenate([np.zeros(700), np.linspace(1, 2, 300)])
    edges, shares = bins_of(values)
    assert (np.diff(edges) > 0).all()
    assert shares.size == edges.size + 1
    assert shares.sum() == pytest.approx(1.0)
    assert population_stability(edges, shares, values) == pytest.approx(0.0, abs=1e-12)


def test_index_is_the_sum_of_its_definition() -> None:
    edges, shares = np.array([0.0, 1.0]), np.array([0.2, 0.5, 0.3])
    values = np.array([-1.0, -2.0, -3.0, 0.0, 0.5, 2.0])
    now = np.array([3.5, 2.5, 1.5]) / 7.5
    then = (6 * shares + 0.5) / 7.5
    expected = sum((a - b) * np.log(a / b) for a, b in zip(now, then, strict=True))
    assert population_stability(edges, shares, values) == pytest.approx(expected, rel=1e-12)


def test_same_distribution_gives_the_index_that_chance_gives() -> None:
    """Yurdakul and Naranjo: index * n is about chi-squared with 9 degrees of freedom."""
    rng = np.random.default_rng(4)
    edges, shares = bins_of(rng.standard_normal(200_000))
    found = [population_stability(edges, shares, rng.standard_normal(500)) for _ in range(400)]
    assert 500 * np.mean(found) == pytest.approx(9.0, rel=0.1)
    assert 500 * np.quantile(found, 0.95) == pytest.approx(chi2.ppf(0.95, 9), rel=0.1)


@pytest.mark.parametrize(("shift", "width"), [(1.0, 1.0), (0.0, 2.0), (0.0, 0.2), (5.0, 0.01)])
def test_other_distribution_is_above_the_usual_limit(shift: float, width: float) -> None:
    rng = np.random.default_rng(5)
    edges, shares = bins_of(rng.standard_normal(20_000))
    assert population_stability(edges, shares, shift + width * rng.standard_normal(400)) > 0.25


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(-1e6, 1e6), max_size=200))
def test_index_is_finite_and_not_negative_for_any_values(values: list[float]) -> None:
    edges, shares = bins_of(np.random.default_rng(0).standard_normal(1_000))
    found = population_stability(edges, shares, np.array(values))
    assert 0.0 <= found < 20.0
    assert values or found == 0.0


def test_too_few_values_make_no_bins() -> None:
    with pytest.raises(DataError, match="10 bins need as many finite values; there are 9"):
        bins_of(np.arange(9.0))
    with pytest.raises(DataError, match="finite"):
        bins_of(np.array([np.nan] * 20))


def test_summaries_are_those_of_a_loop() -> None:
    close = np.exp(np.random.default_rng(2).normal(0, 0.02, (20, 33)).cumsum(axis=1))
    found = window_summaries(close)
    assert set(found) == {"last_return", "volatility", "trend"}
    for row, prices in enumerate(close):
        returns = [np.log(b / a) for a, b in itertools.pairwise(prices)]
        mean = sum(returns) / 32
        deviation = (sum((r - mean) ** 2 for r in returns) / 32) ** 0.5
        last = [r / deviation for r in returns[-3:]]
        assert found["last_return"][row] == pytest.approx(last[-1])
        assert found["volatility"][row] == pytest.approx((sum(r * r for r in last) / 3) ** 0.5)
        assert found["trend"][row] == pytest.approx(sum(last) / 3**0.5)


def test_summaries_do_not_see_the_level_of_prices_or_of_volatility() -> None:
    path = np.random.default_rng(2).normal(0, 0.02, (20, 33)).cumsum(axis=1)
    calm, wild = window_summaries(np.exp(path)), window_summaries(1_000 * np.exp(5 * path))
    for name, values in calm.items():
        assert wild[name] == pytest.approx(values, rel=1e-9)
