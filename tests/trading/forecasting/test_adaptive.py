import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.forecasting.adaptive import AdaptiveMiscoverage
from trading.forecasting.prediction import COVERAGES

WANTED = 1.0 - np.array(COVERAGES)


def test_first_miscoverage_is_that_of_the_intervals() -> None:
    assert AdaptiveMiscoverage().shares == pytest.approx(WANTED)


def test_miss_asks_for_wider_intervals_and_a_hit_for_narrower_ones() -> None:
    before = AdaptiveMiscoverage(rate=0.01)
    after = before.update((1.0, 0.0, 1.0, 0.0))
    assert after.shares == pytest.approx((0.495, 0.202, 0.0405, 0.0101))
    assert before.shares == pytest.approx(WANTED)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 1_000), st.floats(0.005, 0.1))
def test_long_run_coverage_holds_through_a_change_of_the_distribution(
    seed: int, rate: float
) -> None:
    """Proposition 4.1 of the paper, a bound without chance; intervals from quantiles of the calm beginning.

    A miscoverage of 0 or less holds every outcome, one of 1 or more none.
    """
    rng = np.random.default_rng(seed)
    calm = np.sort(np.abs(rng.standard_normal(500)))
    adaptive, missed, count = AdaptiveMiscoverage(rate=rate), np.zeros(4), 2_000
    for time in range(count):
        size = abs(rng.standard_normal()) * (1.0 if time < 700 else 2.5 if time < 1_500 else 0.4)
        shares = np.array(adaptive.shares)
        rows = np.clip(np.ceil(501 * (1.0 - shares)).astype(int), 1, 500) - 1
        width = np.where(shares <= 0, np.inf, np.where(shares >= 1, -1.0, calm[rows]))
        miss = (size > width).astype(float)
        missed += miss
        adaptive = adaptive.update(miss.tolist())
    bound = (np.maximum(WANTED, 1 - WANTED) + rate) / (rate * count)
    assert (np.abs(missed / count - WANTED) <= bound + 1e-9).all()


def test_fixed_intervals_lose_their_coverage_in_the_same_world() -> None:
    """The test above would say nothing if the world were harmless."""
    sizes = np.abs(np.random.default_rng(0).standard_normal(1_000)) * 2.5
    assert np.mean(sizes > 1.96) > 0.4


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=300), st.floats(0.001, 0.5))
def test_shares_stay_within_a_step_of_0_and_1(misses: list[float], rate: float) -> None:
    adaptive = AdaptiveMiscoverage(rate=rate)
    for miss in misses:
        adaptive = adaptive.update([miss] * 4)
    assert min(adaptive.shares) >= -rate
    assert max(adaptive.shares) <= 1 + rate


def test_misses_that_nothing_could_prevent_are_forgotten_at_the_first_hits() -> None:
    adaptive = AdaptiveMiscoverage(rate=0.01)
    for _ in range(10_000):
        adaptive = adaptive.update([1.0] * 4)
    for _ in range(300):
        adaptive = adaptive.update([0.0] * 4)
    assert adaptive.shares[0] > 0.5


def test_wrong_number_of_intervals_is_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        AdaptiveMiscoverage().update([0.0] * 3)
