import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.allocation.kelly.drawdown import (
    LossBound,
    bounded_fraction,
    drawdown_probability,
    loss_probability,
    surplus_fraction,
)
from trading.errors import DataError, UsageError


def test_surplus_by_hand() -> None:
    """Best 100, now 90, floor 80: 10 of 90 are above the floor."""
    assert surplus_fraction(0.1, 0.2) == pytest.approx(10 / 90)
    assert surplus_fraction(0.0, 0.2) == pytest.approx(0.2)
    assert surplus_fraction(0.2, 0.2) == 0.0
    assert surplus_fraction(0.5, 0.2) == 0.0
    assert surplus_fraction(1.0, 0.2) == 0.0


@settings(deadline=None, max_examples=100)
@given(
    limit=st.floats(0.02, 0.98),
    returns=st.lists(st.floats(-1.0, 3.0), min_size=1, max_size=60),
)
def test_drawdown_never_exceeds_its_limit(limit: float, returns: list[float]) -> None:
    """Whatever the bars of the full weights bring, down to the loss of everything."""
    worth, best = 1.0, 1.0
    for each in returns:
        worth *= 1.0 + surplus_fraction(1.0 - worth / best, limit) * each
        best = max(best, worth)
        assert 1.0 - worth / best <= limit + 1e-9


@settings(deadline=None, max_examples=50)
@given(limit=st.floats(0.05, 0.95), parts=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_deeper_drawdown_holds_less(limit: float, parts: tuple[float, float]) -> None:
    less, more = sorted(limit * part for part in parts)
    assert surplus_fraction(more, limit) <= surplus_fraction(less, limit)


def test_full_kelly_halves_with_one_chance_in_two() -> None:
    """Kelly with fraction c: growth c - c^2 / 2 and variance c^2 in units of the squared Sharpe ratio."""
    assert loss_probability(0.5, 1.0, 0.5) == pytest.approx(0.5)
    assert loss_probability(0.5 - 0.125, 0.25, 0.5) == pytest.approx(0.5**3)
    assert loss_probability(0.0, 4.0, 0.5) == 1.0
    assert loss_probability(-np.inf, np.inf, 0.5) == 1.0
    assert loss_probability(0.1, 0.0, 0.5) == 0.0
    assert loss_probability(0.0, 0.0, 0.5) == 0.0


def test_loss_probability_is_met_by_simulated_paths() -> None:
    rng = np.random.default_rng(0)
    logs, lowest = np.zeros(4000), np.zeros(4000)
    for _ in range(2500):
        logs += 0.002 + 0.04 * rng.normal(size=4000)
        lowest = np.minimum(lowest, logs)
    # seen at bars alone, a barrier lies 0.5826 deviations further away
    depth = 1.0 - 0.7 * math.exp(-0.5826 * 0.04)
    frequency = float((lowest <= math.log(0.7)).mean())
    assert frequency == pytest.approx(loss_probability(0.002, 0.04**2, depth), abs=0.02)


def test_bound_holds_on_simulated_futures() -> None:
    rng = np.random.default_rng(1)
    returns = 0.002 + 0.03 * rng.standard_t(5, 1000)
    bound = LossBound(depth=0.3, probability=0.1)
    part = bounded_fraction(3.0 * returns, bound)
    worth, lowest = np.ones(4000), np.ones(4000)
    for _ in range(1500):
        worth *= 1.0 + part * 3.0 * returns[rng.integers(0, 1000, 4000)]
        lowest = np.minimum(lowest, worth)
    frequency = float((lowest <= 0.7).mean())
    assert 0.0 < part < 1.0
    assert 0.04 < frequency < 0.1  # it holds, and not by holding next to nothing


def test_bound_is_reached_but_never_passed() -> None:
    returns = 0.002 + 0.05 * np.random.default_rng(2).normal(size=500)
    bound = LossBound(depth=0.2, probability=0.05)
    part, power = bounded_fraction(returns, bound), math.log(0.05) / math.log(0.8)
    assert np.mean((1.0 + part * returns) ** -power) <= 1.0 + 1e-12
    assert np.mean((1.0 + 1.001 * part * returns) ** -power) > 1.0


def test_bound_leaves_the_harmless_alone_and_the_losing_out() -> None:
    bound = LossBound(depth=0.5, probability=0.5)
    assert bounded_fraction(np.array([0.01, 0.02]), bound) == 1.0
    assert bounded_fraction(np.array([-0.01, 0.005]), bound) == pytest.approx(0.0, abs=1e-12)
    assert 0.0 < bounded_fraction(np.array([3.0, 3.0, -2.0]), bound) < 0.5


def test_drawdown_probability_of_a_walk_is_exact() -> None:
    """Steps of 1 % in the logarithm: 17 of them below the best are 15.6 %; the chain of the depth is known."""
    chain = np.diag(np.full(17, 0.5), 1) + np.diag(np.full(17, 0.5), -1)
    chain[0, 0], chain[17], chain[17, 17] = 0.5, 0.0, 1.0
    expected = np.linalg.matrix_power(chain, 400)[0, 17]
    returns = np.expm1(0.01 * np.array([-1.0, 1.0]))
    rng = np.random.default_rng(3)
    found = drawdown_probability(returns, 0.155, 400, rng, paths=20_000, block_length=1)
    assert found == pytest.approx(expected, abs=0.01)


def test_drawdown_probability_keeps_runs_of_losses() -> None:
    returns = np.tile(np.repeat([0.01, -0.01], 20), 10)
    single = drawdown_probability(
        returns, 0.15, 100, np.random.default_rng(0), 4000, block_length=1
    )
    blocks = drawdown_probability(
        returns, 0.15, 100, np.random.default_rng(0), 4000, block_length=20
    )
    assert blocks > single + 0.2


def test_drawdown_probability_counts_ruin_and_repeats_its_bits() -> None:
    returns = np.array([0.5, -2.0])
    assert drawdown_probability(returns, 0.99, 60, np.random.default_rng(0)) == 1.0
    normal = np.random.default_rng(0).normal(0, 0.02, 200)
    once, again = (
        drawdown_probability(normal, 0.2, 100, np.random.default_rng(5), 500) for _ in range(2)
    )
    assert once == again


def test_unfit_input_is_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(UsageError, match=r"the loss is 1\.0"):
        surplus_fraction(0.0, 1.0)
    with pytest.raises(UsageError, match=r"the drawdown is -0\.1"):
        surplus_fraction(-0.1, 0.2)
    with pytest.raises(UsageError, match=r"the loss is 0\.0"):
        loss_probability(0.1, 0.1, 0.0)
    with pytest.raises(UsageError, match="variance of at least 0"):
        loss_probability(0.1, -0.1, 0.5)
    with pytest.raises(UsageError, match=r"the probability is 1\.0"):
        LossBound(0.2, 1.0)
    with pytest.raises(UsageError, match="horizon is 0"):
        drawdown_probability(np.zeros(3), 0.2, 0, rng)
    with pytest.raises(DataError, match="finite"):
        drawdown_probability(np.array([np.nan]), 0.2, 10, rng)
    with pytest.raises(DataError, match="at least one return"):
        bounded_fraction(np.zeros(0), LossBound(0.2, 0.1))
