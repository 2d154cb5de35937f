import numpy as np
import pytest

from trading.identifiers import InstrumentId
from trading.strategies.spread_formation import (
    TESTS,
    cointegrated_pairs,
    same_symbol_pairs,
    until_stopped,
)


def ids(*names: str) -> tuple[InstrumentId, ...]:
    return tuple(InstrumentId(name) for name in names)


def market(seed: int = 1, count: int = 252) -> np.ndarray:
    """Column 1 follows 0, column 3 follows 2 more loosely, column 4 is alone: log prices."""
    noise = np.random.default_rng(seed)
    logs = noise.normal(0, 0.01, (count, 5)).cumsum(axis=0) + 4.0
    logs[:, 1] = 0.3 + 1.2 * logs[:, 0] + noise.normal(0, 0.002, count)
    logs[:, 3] = 0.1 + 0.8 * logs[:, 2] + noise.normal(0, 0.006, count)
    return logs


def legs_of(sample: np.ndarray, test: str, significance: float = 0.01) -> list[set[int]]:
    found = cointegrated_pairs(sample, test, significance)
    return [set(legs) for legs in zip(found.y.tolist(), found.x.tolist(), strict=True)]


@pytest.mark.parametrize("test", TESTS)
def test_both_tests_find_the_linked_pairs(test: str) -> None:
    legs = legs_of(market(), test)
    assert {0, 1} in legs
    assert {2, 3} in legs
    assert len(legs) == 2


@pytest.mark.parametrize("test", TESTS)
def test_both_tests_agree_about_the_hedge_of_a_tight_pair(test: str) -> None:
    found = cointegrated_pairs(market(), test, 0.01)
    first = next(pair for pair in range(2) if {found.y[pair], found.x[pair]} == {0, 1})
    ratio = found.beta[first] if found.y[first] == 1 else 1 / found.beta[first]
    np.testing.assert_allclose(ratio, 1.2, rtol=0.02)


@pytest.mark.parametrize("test", TESTS)
def test_only_the_given_columns_are_paired(test: str) -> None:
    found = cointegrated_pairs(market(), test, 0.01, np.array([1, 2, 3]))
    assert {*found.y.tolist(), *found.x.tolist()} == {2, 3}


@pytest.mark.parametrize("test", TESTS)
def test_instrument_with_an_unknown_price_is_left_out(test: str) -> None:
    sample = market()
    sample[7, 0] = np.nan
    assert legs_of(sample, test) == [{2, 3}]


@pytest.mark.parametrize("test", TESTS)
def test_hedge_on_the_same_side_is_no_pair(test: str) -> None:
    sample = market()[:, :2]
    sample[:, 1] = 8.0 - sample[:, 1]
    assert legs_of(sample, test) == []


@pytest.mark.parametrize("test", TESTS)
def test_spread_that_does_not_move_is_no_pair(test: str) -> None:
    walk = market()[:, :1]
    sample = np.log(np.exp(walk) * np.array([1.0, 3.0, 7.0]))
    assert legs_of(sample, test, 0.1) == []


def test_columns_are_tested_in_parts_as_they_are_at_once() -> None:
    """Fifteen instruments are 210 ordered pairs, more than one part."""
    wide = np.column_stack([market(seed) for seed in range(3)])
    narrow = np.sort(np.array([0, 1, 7, 8]))
    all_at_once = cointegrated_pairs(wide, "engle_granger", 0.01)
    few = cointegrated_pairs(wide, "engle_granger", 0.01, narrow)
    for pair, legs in enumerate(zip(few.y, few.x, strict=True)):
        same = (all_at_once.y == legs[0]) & (all_at_once.x == legs[1])
        assert all_at_once.beta[same].tolist() == [few.beta[pair]]


def test_one_symbol_on_two_venues_is_a_pair_with_ratio_one() -> None:
    sample = market()
    names = ids("BTC.A", "BTC.B", "ETH.A", "BTC.C", "BRK.B.A")
    found = same_symbol_pairs(sample, names)
    assert (found.y.tolist(), found.x.tolist(), found.beta.tolist()) == ([0], [1], [1.0])
    spread = sample[:, 0] - sample[:, 1]
    np.testing.assert_allclose(found.score(sample)[:, 0], (spread - spread.mean()) / spread.std())


def test_same_symbol_without_a_moving_spread_or_a_price_is_no_pair() -> None:
    sample = market()[:, :4]
    sample[:, 1] = sample[:, 0]
    sample[3, 2] = np.nan
    names = ids("BTC.A", "BTC.B", "ETH.A", "ETH.B")
    assert same_symbol_pairs(sample, names).y.size == 0


def test_side_ends_for_good_at_the_stop_or_an_unknown_score() -> None:
    score = np.array([[2.0, 2.0], [4.0, 2.0], [2.0, np.nan], [2.0, 2.0]])
    sides = until_stopped(np.ones((4, 2)), score, 4.0)
    assert sides.T.tolist() == [[1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0]]
