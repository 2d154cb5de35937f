"""Each method against its own definition, written here; the mandate holds for all of them."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.optimize import linprog, minimize
from scipy.spatial.distance import squareform

from actors.feeds.sources import load_prices
from trading.allocation.assumptions import Assumptions, View
from trading.allocation.construction import METHODS, construct
from trading.allocation.mandate import Mandate
from trading.errors import DataError, UsageError
from trading.indicators.rolling import FloatArray

LONG_ONLY = ("hierarchical_risk_parity", "risk_parity")
WIDE = Mandate(weight_min=-5.0, weight_max=5.0)


@pytest.fixture(scope="module")
def history() -> tuple[FloatArray, tuple[str, ...]]:
    """A year of twenty stocks."""
    table = load_prices("sp500", ())
    close = table.close[-253:]
    return close[1:] / close[:-1] - 1.0, tuple(map(str, table.instrument_ids))


def covariance_of(returns: FloatArray) -> FloatArray:
    covariance: FloatArray = np.cov(returns, rowvar=False)
    return covariance


def assumptions_for(method: str, names: tuple[str, ...], **changes: Any) -> Assumptions:
    views = (View({names[0]: 1.0, names[1]: -1.0}, 0.001),) if method == "black_litterman" else ()
    return Assumptions(views=views, **changes)


def test_minimum_variance_is_the_closed_form(history: tuple[FloatArray, tuple[str, ...]]) -> None:
    returns, names = history
    exact = np.linalg.solve(covariance_of(returns), np.ones(len(names)))
    weights = construct("minimum_variance", returns, names, WIDE)
    np.testing.assert_allclose(weights, exact / exact.sum(), atol=1e-4)


def test_mean_variance_is_the_closed_form(history: tuple[FloatArray, tuple[str, ...]]) -> None:
    """mean - aversion / 2 x variance under the budget: aversion C w = mean - l 1."""
    returns, names = history
    covariance, ones = covariance_of(returns), np.ones(len(names))
    to_mean, to_ones = np.linalg.solve(covariance, np.column_stack([returns.mean(axis=0), ones])).T
    exact = to_mean / 40.0 + to_ones * (1.0 - to_mean.sum() / 40.0) / to_ones.sum()
    weights = construct("mean_variance", returns, names, WIDE, Assumptions(risk_aversion=40.0))
    np.testing.assert_allclose(weights, exact, atol=1e-3)


def test_minimum_cvar_is_the_linear_programme(history: tuple[FloatArray, tuple[str, ...]]) -> None:
    """Rockafellar and Uryasev: minimise a + mean(max(loss - a, 0)) / (1 - confidence)."""
    returns, names = history
    rows, count = returns.shape
    costs = np.r_[np.zeros(count), 1.0, np.full(rows, 1.0 / rows / 0.1)]
    above = np.hstack([-returns, -np.ones((rows, 1)), -np.eye(rows)])
    budget = np.r_[np.ones(count), np.zeros(rows + 1)][None, :]
    limits = [(0.0, 0.3)] * count + [(None, None)] + [(0.0, None)] * rows
    best = linprog(costs, above, np.zeros(rows), budget, [1.0], limits)
    weights = construct(
        "minimum_cvar", returns, names, Mandate(weight_max=0.3), Assumptions(confidence=0.9)
    )
    losses = np.sort(-(returns @ weights))[::-1]
    tail, part = int(rows * 0.1), rows * 0.1 - int(rows * 0.1)
    assert (losses[:tail].sum() + part * losses[tail]) / (rows * 0.1) == pytest.approx(
        best.fun, rel=1e-6
    )


def test_risk_parity_gives_every_asset_the_same_share_of_the_variance(
    history: tuple[FloatArray, tuple[str, ...]],
) -> None:
    returns, names = history
    weights = construct("risk_parity", returns, names)
    shares = weights * (covariance_of(returns) @ weights)
    np.testing.assert_allclose(shares / shares.sum(), 1.0 / len(names), rtol=2e-4)


def test_maximum_diversification_is_the_closed_form(
    history: tuple[FloatArray, tuple[str, ...]],
) -> None:
    returns, names = history
    covariance = covariance_of(returns)
    exact = np.linalg.solve(covariance, np.sqrt(np.diag(covariance)))
    weights = construct("maximum_diversification", returns, names, WIDE)
    np.testing.assert_allclose(weights, exact / exact.sum(), atol=5e-4)


def test_hierarchical_risk_parity_is_the_naive_recursion(
    history: tuple[FloatArray, tuple[str, ...]],
) -> None:
    returns, names = history
    covariance = covariance_of(returns)
    distance = np.sqrt(np.clip(0.5 * (1.0 - np.corrcoef(returns, rowvar=False)), 0.0, 1.0))
    condensed = squareform(distance, checks=False)
    order = leaves_list(linkage(condensed, "ward", optimal_ordering=True)).tolist()
    exact = np.ones(len(names))

    def variance(part: list[int]) -> float:
        block = covariance[np.ix_(part, part)]
        inverse = 1.0 / np.diag(block)
        inverse /= inverse.sum()
        return float(inverse @ block @ inverse)

    def bisect(part: list[int]) -> None:
        if len(part) > 1:
            left, right = part[: len(part) // 2], part[len(part) // 2 :]
            to_left = variance(right) / (variance(left) + variance(right))
            exact[left] *= to_left
            exact[right] *= 1.0 - to_left
            bisect(left)
            bisect(right)

    bisect(order)
    np.testing.assert_allclose(
        construct("hierarchical_risk_parity", returns, names), exact, rtol=1e-9
    )


def test_black_litterman_is_its_own_formula(history: tuple[FloatArray, tuple[str, ...]]) -> None:
    """Posterior by inverses, then the best weights by another optimiser."""
    returns, names = history[0][:, :4], history[1][:4]
    covariance, market = covariance_of(returns), np.array([0.4, 0.3, 0.2, 0.1])
    pick = np.array([[1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]])
    opinion, tau = np.array([0.0005, 0.001]), 0.1
    unsure = np.diag(tau * np.diag(pick @ covariance @ pick.T) * (1.0 / np.array([0.5, 0.8]) - 1.0))
    prior = np.linalg.inv(tau * covariance)
    spread = np.linalg.inv(prior + pick.T @ np.linalg.inv(unsure) @ pick)
    mean = spread @ (prior @ (5.0 * covariance @ market) + pick.T @ np.linalg.inv(unsure) @ opinion)
    total = covariance + spread
    best = minimize(
        lambda w: 2.5 * w @ total @ w * 1e4 - mean @ w * 1e4,
        np.full(4, 0.25),
        bounds=[(0.0, 1.0)] * 4,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1.0},
        options={"ftol": 1e-14},
    )
    views = (
        View({names[0]: 1.0, names[1]: -1.0}, 0.0005),
        View({names[2]: 1.0}, 0.001, 0.8),
    )
    told = Assumptions(risk_aversion=5.0, views=views, market_weights=market, tau=tau)
    weights = construct("black_litterman", returns, names, assumptions=told)
    np.testing.assert_allclose(weights, best.x, atol=2e-4)


def test_view_moves_weight_to_the_asset_that_it_favours(
    history: tuple[FloatArray, tuple[str, ...]],
) -> None:
    returns, names = history
    low, high = (
        construct(
            "black_litterman",
            returns,
            names,
            assumptions=Assumptions(views=(View({names[7]: 1.0, names[2]: -1.0}, expected),)),
        )
        for expected in (-0.002, 0.002)
    )
    assert high[7] > low[7]
    assert high[2] < low[2]


def test_cost_keeps_weights_where_the_gain_is_below_it(
    history: tuple[FloatArray, tuple[str, ...]],
) -> None:
    returns, names = history
    held = np.full(len(names), 1.0 / len(names))
    weights = [
        construct(
            "mean_variance",
            returns,
            names,
            assumptions=Assumptions(previous=held, cost_per_bar=cost),
        )
        for cost in (0.0, 5e-4, 1.0)
    ]
    moved = [float(np.abs(each - held).sum()) for each in weights]
    assert moved[0] > moved[1] > 0.0
    np.testing.assert_allclose(weights[2], held, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("covariance", ["sample", "ledoit_wolf"])
def test_same_history_gives_the_same_bits(
    history: tuple[FloatArray, tuple[str, ...]], method: str, covariance: Any
) -> None:
    returns, names = history
    told = assumptions_for(method, names, covariance=covariance)
    first = construct(method, returns, names, assumptions=told)
    longer = np.vstack([returns, returns])
    for same in (returns.copy(), np.asfortranarray(returns), longer[len(returns) :]):
        np.testing.assert_array_equal(construct(method, same, names, assumptions=told), first)
    assert returns.flags.writeable


@pytest.mark.parametrize("method", METHODS)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(2, 8),
    budget=st.floats(0.2, 1.5),
    spread=st.floats(0.0, 1.0),
    is_long=st.booleans(),
)
@settings(deadline=None, max_examples=12)
def test_weights_sum_to_the_budget_within_their_bounds(
    method: str, seed: int, count: int, budget: float, spread: float, is_long: bool
) -> None:
    generator = np.random.default_rng(seed)
    mixing = generator.normal(0.0, 1.0, (count, count)) + 1.5 * np.eye(count)
    returns = np.clip(generator.normal(0.0004, 0.01, (80, count)) @ mixing, -0.5, 0.5)
    names = tuple(f"S{column}" for column in range(count))
    low = 0.3 * budget / count if is_long or method in LONG_ONLY else -0.5
    high = budget / count + spread
    mandate = Mandate(weight_min=low, weight_max=high, budget=budget)
    weights = construct(method, returns, names, mandate, assumptions_for(method, names))
    assert weights.sum() == pytest.approx(budget, abs=1e-13)
    assert (weights >= low).all()
    assert (weights <= high).all()


def test_market_neutral_weights_sum_to_nothing(history: tuple[FloatArray, tuple[str, ...]]) -> None:
    returns, names = history
    mandate = Mandate(weight_min=-0.2, weight_max=0.2, budget=0.0)
    weights = construct("mean_variance", returns, names, mandate)
    assert weights.sum() == pytest.approx(0.0, abs=1e-14)
    assert np.abs(weights).sum() > 1.0


def test_single_asset_gets_the_whole_budget() -> None:
    weights = construct("risk_parity", np.array([[0.01], [0.02]]), ("A",), Mandate(budget=0.6))
    np.testing.assert_array_equal(weights, [0.6])


def test_more_assets_than_returns_need_shrinkage(
    history: tuple[FloatArray, tuple[str, ...]],
) -> None:
    returns, names = history[0][:15], history[1]
    with pytest.raises(DataError, match="covariance is singular"):
        construct("minimum_variance", returns, names)
    shrunk = construct(
        "minimum_variance", returns, names, assumptions=Assumptions(covariance="ledoit_wolf")
    )
    assert shrunk.sum() == pytest.approx(1.0, abs=1e-14)


def test_bad_returns_are_named(history: tuple[FloatArray, tuple[str, ...]]) -> None:
    returns, names = history[0][:, :3].copy(), ("A", "B", "C")
    gone, hole, twin, still = (returns.copy() for _ in range(4))
    gone[:, 1] = np.nan
    hole[5, 2] = np.nan
    twin[:, 2] = twin[:, 0]
    still[:, 1] = 0.0
    cases = [
        (gone, "B has no returns at all"),
        (hole, "C: return 5 is nan"),
        (twin, "covariance is singular"),
        (still, "B does not move"),
        (returns[:1], "1 returns, at least 2"),
        (returns[:, :2], r"must be \(time, 3\)"),
    ]
    for bad, message in cases:
        with pytest.raises(DataError, match=message):
            construct("hierarchical_risk_parity", bad, names)


@pytest.mark.parametrize(
    ("method", "mandate", "assumptions", "message"),
    [
        ("markowitz", Mandate(), Assumptions(), "no method 'markowitz'; known are: mean_variance"),
        ("risk_parity", Mandate(weight_min=-0.1), Assumptions(), "A: risk_parity knows no short"),
        ("hierarchical_risk_parity", Mandate(weight_min=-0.1), Assumptions(), "knows no short"),
        ("minimum_variance", Mandate(weight_min=-1.0, budget=0.0), Assumptions(), "budget above 0"),
        ("black_litterman", Mandate(), Assumptions(), "at least one view"),
        (
            "black_litterman",
            Mandate(),
            Assumptions(views=(View({"Z": 1.0}, 0.0),)),
            r"unknown assets \(Z\)",
        ),
        (
            "black_litterman",
            Mandate(),
            Assumptions(views=(View({"A": 0.0}, 0.0),)),
            "no asset at all",
        ),
        (
            "black_litterman",
            Mandate(),
            Assumptions(views=(View({"A": 1.0}, np.nan),)),
            "finite numbers",
        ),
        (
            "black_litterman",
            Mandate(),
            Assumptions(views=(View({"A": 1.0}, 0.0, 0.0),)),
            "confidence 0.0",
        ),
        (
            "mean_variance",
            Mandate(),
            Assumptions(risk_aversion=0.0),
            "risk_aversion must be a positive",
        ),
        ("mean_variance", Mandate(), Assumptions(tau=-1.0), "tau must be a positive"),
        ("mean_variance", Mandate(), Assumptions(cost_per_bar=np.nan), "cost_per_bar must be"),
        (
            "mean_variance",
            Mandate(),
            Assumptions(previous=np.ones(2)),
            "previous must hold one finite",
        ),
        ("mean_variance", Mandate(), Assumptions(covariance="odd"), "no covariance 'odd'"),  # type: ignore[arg-type]
        ("minimum_cvar", Mandate(), Assumptions(confidence=1.0), "between 0 and 1"),
    ],
)
def test_impossible_wish_is_refused(
    history: tuple[FloatArray, tuple[str, ...]],
    method: str,
    mandate: Mandate,
    assumptions: Assumptions,
    message: str,
) -> None:
    with pytest.raises(UsageError, match=message):
        construct(method, history[0][:, :3], ("A", "B", "C"), mandate, assumptions)
