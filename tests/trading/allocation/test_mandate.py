import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.allocation.mandate import Mandate, onto_bounds
from trading.errors import DataError, UsageError

NAMES = ("A", "B", "C")


def test_one_bound_is_that_of_every_asset() -> None:
    low, high = Mandate(weight_min=-0.1, weight_max=np.array([0.5, 0.6, 0.7])).bounds(NAMES)
    np.testing.assert_array_equal(low, [-0.1, -0.1, -0.1])
    np.testing.assert_array_equal(high, [0.5, 0.6, 0.7])


@pytest.mark.parametrize(
    ("mandate", "error", "message"),
    [
        (
            Mandate(weight_min=0.5, weight_max=0.4),
            UsageError,
            "A: weight_min 0.5 is above weight_max 0.4",
        ),
        (
            Mandate(weight_max=np.array([1.0, 1.0])),
            UsageError,
            "weight_max must be .* each of 3 assets",
        ),
        (Mandate(weight_min=np.nan), UsageError, "weight_min must be a finite number"),
        (Mandate(budget=-1.0), UsageError, "budget must be a number, 0 or more, got -1.0"),
        (Mandate(budget=np.nan), UsageError, "got nan"),
        (Mandate(weight_max=0.3), DataError, "between 0 and 0.9, never to the budget 1"),
        (Mandate(weight_min=0.4), DataError, "between 1.2 and 3, never to the budget 1"),
    ],
)
def test_mandate_that_nobody_can_keep_is_refused(
    mandate: Mandate, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        mandate.bounds(NAMES)


@given(data=st.data(), size=st.integers(1, 8), budget=st.floats(0.05, 2.0))
@settings(deadline=None, max_examples=200)
def test_noise_of_a_solver_is_taken_off_to_the_last_digit(
    data: st.DataObject, size: int, budget: float
) -> None:
    shares = np.array(data.draw(st.lists(st.integers(0, 1_000), min_size=size, max_size=size)))
    shares = shares if shares.sum() > 0 else np.ones(size)
    exact = budget * shares / shares.sum()
    low, high = np.full(size, 0.0), np.full(size, max(exact.max(), budget / size))
    noise = data.draw(st.lists(st.floats(-5e-6, 5e-6), min_size=size, max_size=size))
    weights = onto_bounds(exact + np.array(noise), low, high, budget)
    assert weights.sum() == pytest.approx(budget, abs=1e-14)
    assert (weights >= low).all()
    assert (weights <= high).all()
    np.testing.assert_allclose(weights, exact, rtol=0, atol=size * 1e-5)


def test_what_is_nearly_nothing_becomes_nothing() -> None:
    low, high = np.full(3, -0.5), np.full(3, 1.0)
    weights = onto_bounds(np.array([0.7000003, 0.2999996, 1e-8]), low, high, 1.0)
    assert weights[2] == 0.0
    assert weights.sum() == 1.0
