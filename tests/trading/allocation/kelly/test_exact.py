import cvxpy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from actors.feeds.sources import load_prices
from trading.allocation.kelly.bet import bet_fraction
from trading.allocation.kelly.caps import Caps
from trading.allocation.kelly.exact import growth_optimal_weights, growth_rate
from trading.allocation.kelly.quadratic import quadratic_weights
from trading.errors import DataError
from trading.indicators.rolling import FloatArray

NAMES = ("A", "B", "C")


def market(seed: int, bars: int = 300, scale: float = 0.02) -> FloatArray:
    rng = np.random.default_rng(seed)
    mix = np.linalg.qr(rng.normal(size=(3, 3)))[0] * rng.uniform(0.5, 1.5, 3)
    shocks = np.clip(rng.standard_t(4, (bars, 3)), -15.0, 15.0) @ mix
    return np.maximum(scale * (0.1 * rng.normal(size=3) + shocks / 2.0), -0.9)


@pytest.mark.parametrize(("wins", "odds"), [(60, 1.0), (40, 3.0), (95, 0.5), (55, 1.0)])
def test_coin_is_held_as_by_hand(wins: int, odds: float) -> None:
    flips = np.where(np.arange(100) < wins, odds, -1.0)[:, None]
    assert growth_optimal_weights(flips, ("coin",)) == pytest.approx(
        [bet_fraction(wins / 100, odds)], abs=1e-7
    )


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    low=st.sampled_from([-np.inf, -0.5, 0.0]),
    high=st.sampled_from([np.inf, 0.7, 0.0]),
    gross=st.sampled_from([np.inf, 0.01, 1.0]),
)
def test_no_weights_within_the_caps_grow_more(
    seed: int, low: float, high: float, gross: float
) -> None:
    returns = market(seed)
    caps = Caps(weight_min=low, weight_max=high, gross_max=gross)
    weights = growth_optimal_weights(returns, NAMES, caps)
    assert (weights >= low).all()
    assert (weights <= high).all()
    assert np.abs(weights).sum() <= gross * (1 + 1e-12)
    rng = np.random.default_rng(seed)
    best = growth_rate(returns, weights)
    for size in (1e-4, 1e-2, 0.3):
        for _ in range(30):
            other = np.clip(weights + size * rng.normal(size=3), low, high)
            other *= min(1.0, gross / max(np.abs(other).sum(), 1e-300))
            assert growth_rate(returns, other) <= best + 1e-10


@pytest.mark.filterwarnings("ignore:Solution may be inaccurate")
@settings(deadline=None, max_examples=12)
@given(seed=st.integers(0, 10_000), gross=st.sampled_from([0.5, 2.0]))
def test_weights_grow_as_those_of_a_general_solver(seed: int, gross: float) -> None:
    returns = market(seed)
    weights = growth_optimal_weights(returns, NAMES, Caps(weight_min=-0.6, gross_max=gross))
    variable = cvxpy.Variable(3)
    value = cvxpy.sum(cvxpy.log(1 + returns @ variable)) / len(returns)
    limits = [variable >= -0.6, cvxpy.norm1(variable) <= gross]
    best = cvxpy.Problem(cvxpy.Maximize(value), limits).solve(solver="CLARABEL")
    assert growth_rate(returns, weights) == pytest.approx(best, abs=1e-7)


def test_slope_of_free_weights_is_zero_on_twenty_stocks() -> None:
    names = ("AAPL", "KO", "JPM", "XOM", "WMT", "GE", "MSFT", "PFE")
    close = np.asarray(load_prices("sp500", names).close)
    returns = close[1:] / close[:-1] - 1.0
    weights = growth_optimal_weights(returns, names)
    slope = (returns / (1.0 + returns @ weights)[:, None]).mean(axis=0)
    assert np.abs(slope).max() < 1e-12


def test_exact_comes_to_the_quadratic_as_returns_get_small() -> None:
    """Halving bars to a quarter of the time: means by 4, deviations by 2; weights stay, differences shrink."""
    rng = np.random.default_rng(5)
    shocks = rng.normal(size=(4000, 3))
    shocks = (shocks - shocks.mean(axis=0)) / shocks.std(axis=0)
    distance = []
    for deviation in (0.04, 0.02, 0.01):
        returns = deviation * shocks + deviation**2 * np.array([0.8, -0.4, 0.2])
        covariance = np.cov(returns, rowvar=False, ddof=0)
        quadratic = quadratic_weights(returns.mean(axis=0), covariance, NAMES)
        exact = growth_optimal_weights(returns, NAMES)
        distance.append(float(np.abs(exact - quadratic).max()))
    assert distance[0] > 1.7 * distance[1] > 2.89 * distance[2]
    assert distance[2] < 0.02


def test_unlike_the_quadratic_it_never_risks_ruin() -> None:
    returns = np.array([0.02] * 99 + [-0.8])[:, None]
    mean, variance = returns.mean(axis=0), np.atleast_2d(returns.var())
    exact = growth_optimal_weights(returns, ("A",))
    assert quadratic_weights(mean, variance, ("A",)) > 1.5
    assert growth_rate(returns, exact) > 0.0
    assert -0.8 * exact[0] > -1.0


def test_total_loss_grows_by_minus_infinity() -> None:
    assert growth_rate(np.array([[0.1], [-0.5]]), np.array([2.0])) == -np.inf


def test_frozen_assets_stay_out() -> None:
    returns = market(3)
    weights = growth_optimal_weights(
        returns, NAMES, Caps(weight_min=np.array([-1.0, 0.0, -1.0]), weight_max=np.array([1, 0, 1]))
    )
    alone = growth_optimal_weights(
        returns[:, [0, 2]], ("A", "C"), Caps(weight_min=-1, weight_max=1)
    )
    assert weights[1] == 0.0
    assert weights[[0, 2]] == pytest.approx(alone, abs=1e-9)


def test_copies_of_an_asset_need_caps() -> None:
    one = market(0)[:, :1]
    twice = np.hstack([one, one])
    with pytest.raises(DataError, match="combinations of others"):
        growth_optimal_weights(twice, ("A", "B"))
    capped = growth_optimal_weights(twice, ("A", "B"), Caps(gross_max=0.4))
    alone = growth_optimal_weights(one, ("A",), Caps(gross_max=0.4))
    assert capped.sum() == pytest.approx(alone[0], abs=1e-6)


@pytest.mark.parametrize("caps", [Caps(), Caps(weight_min=0.0)])
def test_gain_without_risk_is_refused_until_it_is_capped(caps: Caps) -> None:
    returns = np.abs(market(0)) + 1e-4
    with pytest.raises(DataError, match="no upper bound"):
        growth_optimal_weights(returns, NAMES, caps)
    held = growth_optimal_weights(returns, NAMES, Caps(weight_max=2.0, weight_min=0.0))
    assert held == pytest.approx([2.0, 2.0, 2.0])


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10_000), low=st.sampled_from([-np.inf, 0.0]))
def test_growth_without_bound_is_what_a_linear_programme_finds(seed: int, low: float) -> None:
    """Of few bars some have a portfolio that never loses, and some have none."""
    rng = np.random.default_rng(seed)
    returns = 0.02 * (rng.normal(size=(9, 3)) + rng.normal(size=3) / 2.0)
    side = (max(low, -1.0), 1.0)
    found = linprog(-returns.sum(axis=0), A_ub=-returns, b_ub=np.zeros(9), bounds=[side] * 3)
    if found.fun < -1e-9:
        with pytest.raises(DataError, match="no upper bound"):
            growth_optimal_weights(returns, NAMES, Caps(weight_min=low))
    else:
        assert np.isfinite(
            growth_rate(returns, growth_optimal_weights(returns, NAMES, Caps(weight_min=low)))
        )


def test_unfit_returns_are_refused() -> None:
    returns = market(0)
    returns[7, 1] = np.nan
    with pytest.raises(DataError, match="B: return 7 is nan"):
        growth_optimal_weights(returns, NAMES)
    with pytest.raises(DataError, match="B has no returns at all"):
        growth_optimal_weights(np.where([False, True, False], np.nan, market(0)), NAMES)
    with pytest.raises(DataError, match="there are 1 returns"):
        growth_optimal_weights(market(0)[:1], NAMES)
    with pytest.raises(DataError, match="C does not move"):
        growth_optimal_weights(market(0) * [1.0, 1.0, 0.0], NAMES)
