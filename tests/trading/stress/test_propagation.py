import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.errors import DataError, UsageError
from trading.stress.propagation import EXPECTED, conditional_moves, propagate
from trading.stress.scenario import build_scenario

NAMES = ("equity.us", "credit.us_high_yield", "commodity.gold")


def covariance_of_three() -> np.ndarray:
    mixed = np.random.default_rng(3).normal(size=(3, 3))
    return 1e-4 * (mixed @ mixed.T)


def test_when_one_of_two_factors_is_given_the_other_follows_by_hand() -> None:
    """Volatilities 2 % and 1 %, correlation -0.5: beta -0.25, what remains 1 - 0.25 of 0.0001."""
    covariance = np.array([[4e-4, -1e-4], [-1e-4, 1e-4]])
    found = conditional_moves(covariance, NAMES[:2], np.array([True, False]), np.array([-0.2, 0.0]))
    assert found.expected == pytest.approx([-0.2, 0.05])
    assert found.covariance == pytest.approx(np.array([[0.0, 0.0], [0.0, 0.75e-4]]))


def test_when_scenario_is_propagated_missing_factors_move_and_given_ones_stay() -> None:
    covariance = np.array([[4e-4, -1e-4], [-1e-4, 1e-4]])
    scenario = build_scenario("fall", {"equity.us": -0.2, "fx.eur": 0.01})
    full = propagate(scenario, NAMES[:2], covariance)
    assert full.moves == pytest.approx(
        {"equity.us": -0.2, "fx.eur": 0.01, "credit.us_high_yield": 0.05}
    )
    assert full.shocks[-1].source == EXPECTED
    assert full.name == "fall"


def test_when_horizon_of_the_covariance_changes_expectation_does_not() -> None:
    scenario = build_scenario("fall", {"equity.us": -0.2})
    daily = propagate(scenario, NAMES, covariance_of_three())
    yearly = propagate(scenario, NAMES, 252 * covariance_of_three())
    assert daily.moves == pytest.approx(yearly.moves)


def test_when_all_are_given_nothing_is_added() -> None:
    scenario = build_scenario("fall", {"equity.us": -0.2, "commodity.gold": 0.1})
    assert propagate(scenario, (NAMES[0], NAMES[2]), np.eye(2)) == scenario


def test_when_expectation_is_a_fall_below_zero_it_stops_there() -> None:
    covariance = np.array([[1e-4, 4e-4], [4e-4, 20e-4]])
    full = propagate(
        build_scenario("fall", {"equity.us": -0.5}), ("equity.us", "crypto.btc"), covariance
    )
    assert full.moves["crypto.btc"] == -1.0


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3))
def test_when_compared_with_a_regression_on_a_large_sample_slopes_agree(
    seed: int, known: int
) -> None:
    """In a sample, conditional expectation is exactly least squares on the sample's own covariance."""
    generator = np.random.default_rng(seed)
    sample = generator.normal(size=(60, 4)) @ generator.normal(size=(4, 4))
    sample -= sample.mean(axis=0)
    names = ("a", "b", "c", "d")
    given_mask = np.arange(4) < known
    moves = generator.normal(size=4)
    found = conditional_moves(np.cov(sample, rowvar=False), names, given_mask, moves)
    slopes, *_ = np.linalg.lstsq(sample[:, :known], sample[:, known:], rcond=None)
    left = sample[:, known:] - sample[:, :known] @ slopes
    assert found.expected[known:] == pytest.approx(moves[:known] @ slopes, rel=1e-5, abs=1e-6)
    assert found.covariance[known:, known:] == pytest.approx(
        np.atleast_2d(np.cov(left, rowvar=False)), rel=1e-5, abs=1e-6
    )


def test_when_there_is_nothing_to_go_by_error_says_so() -> None:
    with pytest.raises(UsageError, match=r"fall moves none of equity\.us"):
        propagate(build_scenario("fall", {"fx.eur": 0.1}), NAMES, covariance_of_three())
    singular = np.ones((3, 3))
    with pytest.raises(DataError, match="singular"):
        propagate(build_scenario("fall", {"equity.us": -0.2}), NAMES, singular)
