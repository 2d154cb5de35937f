import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from trading.errors import DataError, UsageError
from trading.stress.reverse import reverse_stress, reverse_stress_curved

NAMES = ("equity.us", "rates.us_10y", "fx.eur", "commodity.wti")


def some_covariance(generator: np.random.Generator, size: int) -> np.ndarray:
    mixed = generator.normal(size=(size, size))
    return 1e-4 * (mixed @ mixed.T + 0.1 * np.eye(size))


def distance_of(moves: np.ndarray, covariance: np.ndarray) -> float:
    return math.sqrt(moves @ np.linalg.inv(covariance) @ moves)


def test_when_there_is_one_factor_the_answer_is_by_hand() -> None:
    """1,000 exposed, volatility 2 %: a loss of 40 takes a fall of 4 %, two deviations."""
    found = reverse_stress(np.array([1000.0]), np.array([[4e-4]]), NAMES[:1], 40.0)
    assert found.moves == pytest.approx([-0.04])
    assert found.distance == pytest.approx(2.0)
    assert found.probability == pytest.approx(norm.cdf(-2.0))
    assert found.loss == pytest.approx(40.0)


@settings(deadline=None, max_examples=80)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.floats(1.0, 1e6))
def test_when_applied_the_moves_lose_the_amount_and_no_likelier_ones_do(
    seed: int, size: int, loss: float
) -> None:
    generator = np.random.default_rng(seed)
    covariance = some_covariance(generator, size)
    exposures = generator.normal(size=size) * 1e4
    found = reverse_stress(exposures, covariance, NAMES[:size], loss)
    assert -exposures @ found.moves == pytest.approx(loss)
    assert found.distance == pytest.approx(distance_of(found.moves, covariance), rel=1e-6)
    others = generator.normal(size=(200, size))
    losses = -others @ exposures
    others = others[losses > 0] * (loss / losses[losses > 0])[:, None]
    for other in others:
        assert distance_of(other, covariance) >= found.distance * (1 - 1e-7)


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_when_portfolio_is_linear_search_finds_the_closed_form(seed: int, size: int) -> None:
    generator = np.random.default_rng(seed)
    covariance = some_covariance(generator, size)
    exposures = generator.normal(size=size) * 1e4
    deviation = math.sqrt(exposures @ covariance @ exposures)
    exact = reverse_stress(exposures, covariance, NAMES[:size], 3.0 * deviation)
    found = reverse_stress_curved(
        lambda moves: float(-exposures @ moves),
        covariance,
        NAMES[:size],
        3.0 * deviation,
        np.random.default_rng(0),
    )
    assert found.distance == pytest.approx(exact.distance, rel=1e-5)
    assert found.moves == pytest.approx(exact.moves, rel=1e-2, abs=1e-4)


def test_when_portfolio_is_a_short_straddle_search_finds_the_likelier_side() -> None:
    """Loss 5e4 m^2 + 100 m in the first factor alone: roots of 5e4 m^2 + 100 m = 500 by hand."""
    covariance = np.diag([4e-4, 1e-4])
    found = reverse_stress_curved(
        lambda moves: float(5e4 * moves[0] ** 2 + 100.0 * moves[0]),
        covariance,
        NAMES[:2],
        500.0,
        np.random.default_rng(0),
    )
    up = (-100.0 + math.sqrt(100.0**2 + 4 * 5e4 * 500.0)) / (2 * 5e4)
    assert found.moves == pytest.approx([up, 0.0], abs=1e-5)
    assert found.distance == pytest.approx(up / 0.02, rel=1e-5)
    assert found.loss == pytest.approx(500.0, rel=1e-5)


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 2**32 - 1))
@example(244_479)  # the nearest places to begin with all end in the wrong valley
def test_when_loss_is_curved_no_random_likelier_move_loses_as_much(seed: int) -> None:
    generator = np.random.default_rng(seed)
    covariance = some_covariance(generator, 3)
    exposures = generator.normal(size=3) * 1e3
    gamma = generator.normal(size=(3, 3)) * 1e4
    gamma = gamma @ gamma.T / 1e4

    def loss_of(moves: np.ndarray) -> float:
        return float(-exposures @ moves + 0.5 * moves @ gamma @ moves)

    wanted = 3.0 * math.sqrt(exposures @ covariance @ exposures)
    found = reverse_stress_curved(loss_of, covariance, NAMES[:3], wanted, np.random.default_rng(1))
    assert loss_of(found.moves) >= wanted * (1 - 1e-5)
    assert found.distance == pytest.approx(distance_of(found.moves, covariance), rel=1e-6)
    inside = generator.normal(size=(4000, 3))
    inside *= 0.999 * found.distance / np.linalg.norm(inside, axis=1)[:, None]
    worst = max(loss_of(move) for move in inside @ np.linalg.cholesky(covariance).T)
    assert worst < wanted


def test_when_seed_is_the_same_search_gives_the_same_bits() -> None:
    covariance = np.diag([4e-4, 1e-4])

    def found() -> bytes:
        return reverse_stress_curved(
            lambda moves: float(100.0 * abs(moves[0]) + 200.0 * moves[1] ** 2),
            covariance,
            NAMES[:2],
            3.0,
            np.random.default_rng(5),
        ).moves.tobytes()

    assert found() == found()


def test_when_loss_is_there_at_rest_nothing_has_to_move() -> None:
    found = reverse_stress_curved(
        lambda _: 10.0, np.eye(2), NAMES[:2], 5.0, np.random.default_rng(0)
    )
    assert (found.distance, found.probability) == (0.0, 0.5)


def test_when_nothing_loses_so_much_error_says_how_far_it_looked() -> None:
    with pytest.raises(DataError, match="within 20 standard deviations was found to lose 5"):
        reverse_stress_curved(
            lambda moves: min(1.0, float(moves[0])),
            np.eye(1),
            NAMES[:1],
            5.0,
            np.random.default_rng(0),
        )
    with pytest.raises(DataError, match="nothing is exposed"):
        reverse_stress(np.zeros(2), np.eye(2), NAMES[:2], 5.0)


@pytest.mark.parametrize("loss", [0.0, -1.0, math.nan, math.inf])
def test_when_the_loss_is_no_positive_amount_it_is_refused(loss: float) -> None:
    with pytest.raises(UsageError, match="must be a positive amount"):
        reverse_stress(np.ones(2), np.eye(2), NAMES[:2], loss)


def test_when_covariance_is_singular_error_says_so() -> None:
    with pytest.raises(DataError, match="singular"):
        reverse_stress(np.ones(2), np.ones((2, 2)), NAMES[:2], 1.0)
