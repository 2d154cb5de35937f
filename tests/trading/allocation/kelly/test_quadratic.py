import cvxpy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.allocation.kelly.caps import Caps
from trading.allocation.kelly.quadratic import quadratic_weights, single_asset_fraction
from trading.errors import DataError, UsageError
from trading.indicators.rolling import FloatArray

NAMES = ("A", "B", "C", "D")


def market(seed: int, size: int = 4) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(seed)
    loads = rng.normal(size=(size, size + 2)) * 0.01
    return rng.normal(0.0003, 0.0006, size), loads @ loads.T / (size + 2)


def test_single_asset_holds_mean_over_variance() -> None:
    assert single_asset_fraction(0.0004, 0.02**2) == pytest.approx(1.0)
    assert single_asset_fraction(-0.0004, 0.02**2) == pytest.approx(-1.0)


def test_two_assets_by_hand() -> None:
    """Inverse of [[4, 2], [2, 5]] / 1e4 is [[5, -2], [-2, 4]] x 1e4 / 16; times (2, 3) / 1e4 is (4, 8) / 16."""
    covariance = np.array([[4.0, 2.0], [2.0, 5.0]]) * 1e-4
    weights = quadratic_weights(np.array([2.0, 3.0]) * 1e-4, covariance, ("A", "B"))
    assert weights == pytest.approx([0.25, 0.5])


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 10_000),
    low=st.sampled_from([-np.inf, -0.3, 0.0]),
    high=st.sampled_from([np.inf, 0.4, 0.0]),
    gross=st.sampled_from([np.inf, 0.05, 0.8]),
)
def test_capped_weights_are_those_of_a_general_solver(
    seed: int, low: float, high: float, gross: float
) -> None:
    mean, covariance = market(seed)
    weights = quadratic_weights(
        mean, covariance, NAMES, Caps(weight_min=low, weight_max=high, gross_max=gross)
    )
    variable = cvxpy.Variable(4)
    limits = [variable >= low] if np.isfinite(low) else []
    limits += [variable <= high] if np.isfinite(high) else []
    limits += [cvxpy.norm1(variable) <= gross] if np.isfinite(gross) else []
    scale = 1e4  # the solver's tolerance is absolute
    value = scale * (mean @ variable - cvxpy.quad_form(variable, cvxpy.psd_wrap(covariance)) / 2)
    best = cvxpy.Problem(cvxpy.Maximize(value), limits).solve(solver="CLARABEL") / scale
    ours = mean @ weights - weights @ covariance @ weights / 2
    assert ours == pytest.approx(best, rel=1e-5, abs=1e-10)
    assert (weights >= low).all()
    assert (weights <= high).all()
    assert np.abs(weights).sum() <= gross * (1 + 1e-12)


def test_wide_caps_give_the_closed_form() -> None:
    mean, covariance = market(1)
    free = quadratic_weights(mean, covariance, NAMES)
    wide = quadratic_weights(mean, covariance, NAMES, Caps(gross_max=1e4))
    assert wide == pytest.approx(np.linalg.inv(covariance) @ mean, abs=1e-4)
    assert free == pytest.approx(np.linalg.inv(covariance) @ mean)


def test_caps_per_asset_hold_each_on_its_own() -> None:
    mean, covariance = np.full(4, 1e-3), np.eye(4) * 1e-4
    caps = Caps(weight_min=0.0, weight_max=np.array([0.1, 0.2, 0.0, 50.0]))
    assert quadratic_weights(mean, covariance, NAMES, caps) == pytest.approx([0.1, 0.2, 0.0, 10.0])


def test_unfit_means_and_covariances_are_refused() -> None:
    mean, covariance = market(0)
    with pytest.raises(DataError, match="B: the mean return is nan"):
        quadratic_weights(np.array([0.0, np.nan, 0.0, 0.0]), covariance, NAMES)
    with pytest.raises(DataError, match=r"means have shape \(3,\)"):
        quadratic_weights(mean[:3], covariance, NAMES)
    with pytest.raises(DataError, match="covariance is singular"):
        quadratic_weights(mean, np.full((4, 4), 1e-4), NAMES)
    with pytest.raises(DataError, match="variance above 0"):
        single_asset_fraction(0.1, 0.0)


@pytest.mark.parametrize(
    ("caps", "message"),
    [
        (Caps(weight_min=0.1), r"A: weight_min 0.1 must be at most 0"),
        (Caps(weight_max=np.array([1.0, -1.0, 1.0, 1.0])), r"B: .* weight_max -1.0"),
        (Caps(weight_max=np.nan), "weight_max nan"),
        (Caps(gross_max=0.0), r"gross_max is 0\.0"),
        (Caps(weight_max=np.ones(3)), "one for each of 4 assets"),
    ],
)
def test_unfit_caps_are_refused(caps: Caps, message: str) -> None:
    mean, covariance = market(0)
    with pytest.raises(UsageError, match=message):
        quadratic_weights(mean, covariance, NAMES, caps)
