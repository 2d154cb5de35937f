"""All pairs at once against statsmodels, which tests one pair at a time."""

import numpy as np
import pytest
from statsmodels.tsa.vector_ar.vecm import coint_johansen

from trading.indicators.johansen import CRITICAL_TRACE, Johansen, johansen


def walks(seed: int, count: int = 252) -> np.ndarray:
    """Column 1 follows column 0 with slope 1.5; columns 2 and 3 are walks of their own."""
    noise = np.random.default_rng(seed)
    logs = noise.normal(0, 0.01, (count, 4)).cumsum(axis=0) + 3.0
    logs[:, 1] = 0.5 + 1.5 * logs[:, 0] + noise.normal(0, 0.004, count)
    return logs


def of_all_pairs(logs: np.ndarray) -> tuple[Johansen, list[tuple[int, int]]]:
    y, x = np.triu_indices(logs.shape[1], 1)
    return johansen(logs, y, x), list(zip(y.tolist(), x.tolist(), strict=True))


@pytest.mark.parametrize("count", [12, 60, 252])
@pytest.mark.parametrize("seed", range(4))
def test_trace_and_vector_equal_those_of_statsmodels(seed: int, count: int) -> None:
    logs = walks(seed, count)
    result, pairs = of_all_pairs(logs)
    for pair, legs in enumerate(pairs):
        oracle = coint_johansen(logs[:, legs], det_order=0, k_ar_diff=1)
        assert result.trace[pair] == pytest.approx(oracle.lr1[0], rel=1e-7)
        vector = oracle.evec[:, 0]
        assert result.beta[pair] == pytest.approx(-vector[1] / vector[0], rel=1e-6)


def test_spread_has_the_mean_and_the_deviation_of_the_sample() -> None:
    logs = walks(9)
    result, pairs = of_all_pairs(logs)
    for pair, (y, x) in enumerate(pairs):
        spread = logs[:, y] - result.beta[pair] * logs[:, x]
        assert result.alpha[pair] == pytest.approx(spread.mean())
        assert result.deviation[pair] == pytest.approx(spread.std(), rel=1e-6)


def test_legs_in_the_other_order_give_the_same_test() -> None:
    logs = walks(2)
    ones = johansen(logs, np.array([0, 2]), np.array([1, 3]))
    others = johansen(logs, np.array([1, 3]), np.array([0, 2]))
    np.testing.assert_allclose(ones.trace, others.trace, rtol=1e-9)
    np.testing.assert_allclose(ones.beta, 1 / others.beta, rtol=1e-7)


def test_critical_values_are_those_of_statsmodels() -> None:
    table = coint_johansen(walks(0)[:, :2], det_order=0, k_ar_diff=1).cvt
    assert [CRITICAL_TRACE[level] for level in (0.1, 0.05, 0.01)] == table[0].tolist()


def test_linked_pair_is_found_and_unlinked_walks_mostly_are_not() -> None:
    traces = np.array([of_all_pairs(walks(seed))[0].trace for seed in range(200)])
    is_found = traces > CRITICAL_TRACE[0.05]
    assert is_found[:, 0].all()
    assert is_found[:, -1].mean() < 0.17


@pytest.mark.parametrize("other", [np.full(60, 2.0), None], ids=["flat", "the same"])
def test_pair_without_two_moving_series_has_no_test(other: np.ndarray | None) -> None:
    walk = walks(0, 60)[:, 0]
    logs = np.column_stack([walk, walk + 0.1 if other is None else other])
    result, _ = of_all_pairs(logs)
    assert np.isnan(result.trace[0])


def test_no_pair_gives_no_test() -> None:
    result, _ = of_all_pairs(walks(0)[:, :1])
    assert result.trace.size == 0
