from itertools import combinations

import numpy as np
import pytest
from scipy.stats import kendalltau, ks_2samp, kstest

from trading.errors import DataError, UsageError
from trading.portfolio_risk.copulas.clayton import Clayton
from trading.portfolio_risk.copulas.conditions import above, at, below
from trading.portfolio_risk.copulas.pair import PairCopula
from trading.portfolio_risk.copulas.student import StudentCopula, fit_student
from trading.portfolio_risk.copulas.vine import fit_vine

NAMES = ("AAPL", "GE", "JPM", "KO", "XOM")
CORRELATION = np.array(
    [
        [1.0, 0.5, 0.4, 0.2, 0.3],
        [0.5, 1.0, 0.6, 0.3, 0.4],
        [0.4, 0.6, 1.0, 0.3, 0.3],
        [0.2, 0.3, 0.3, 1.0, 0.2],
        [0.3, 0.4, 0.3, 0.2, 1.0],
    ]
)


def rng(seed=1):
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def uniforms():
    return StudentCopula(CORRELATION, 4.0, NAMES).sample(1000, rng(5))


@pytest.fixture(scope="module")
def vine(uniforms):
    return fit_vine(uniforms, NAMES, central=("JPM", "KO"))


@pytest.fixture(scope="module")
def draws(vine):
    return vine.sample(40_000, rng(2))


def assert_alike(some, others):
    for i in range(some.shape[1]):
        if np.ptp(some[:, i]) > 0.0:
            assert ks_2samp(some[:, i], others[:, i]).pvalue > 1e-4
    assert ks_2samp(some.sum(axis=1), others.sum(axis=1)).pvalue > 1e-4


def first_pair(vine, first, second):
    """The copula that skfolio found for two assets of the first tree."""
    wanted = {NAMES.index(first), NAMES.index(second)}
    edges = vine._vine.trees_[0].edges
    return next(each.copula for each in edges if {each.node1.ref, each.node2.ref} == wanted)


def test_draws_are_uniform_and_have_kendalls_tau(draws):
    some = draws[:5000]
    for i in range(5):
        assert kstest(some[:, i], "uniform").pvalue > 1e-4
        for j in range(i):
            tau = kendalltau(some[:, i], some[:, j]).statistic
            assert tau == pytest.approx(2.0 / np.pi * np.arcsin(CORRELATION[i, j]), abs=0.07)


def test_draws_of_the_same_seed_are_the_same_and_do_not_repeat(vine):
    generator = rng(9)
    first, second = vine.sample(50, generator), vine.sample(50, generator)
    assert first.tobytes() == vine.sample(50, rng(9)).tobytes()
    assert not (first == second).any()
    conditions = {"KO": at(0.1), "GE": below(0.5)}
    again = [vine.sample_given(conditions, 20, rng(9)).tobytes() for _ in range(2)]
    assert again[0] == again[1]


def test_density_explains_the_data_about_as_well_as_their_own_copula(vine, uniforms):
    found = vine.log_density(uniforms).sum()
    true = fit_student(uniforms, NAMES).log_density(uniforms).sum()
    assert found == pytest.approx(true, rel=0.05)


def test_density_has_the_mean_one_under_independence(vine):
    """It integrates to 1."""
    density = np.exp(vine.log_density(rng(4).random((100_000, 5))))
    assert density.mean() == pytest.approx(1.0, abs=5.0 * density.std() / 100_000**0.5)


def test_parameters_are_those_of_its_pairs(vine):
    trees = vine._vine.trees_
    assert [len(tree.edges) for tree in trees] == [4, 3, 2, 1]
    kinds = {"GaussianCopula": 1, "StudentTCopula": 2, "IndependentCopula": 0}
    names = [type(edge.copula).__name__ for tree in trees for edge in tree.edges]
    assert vine.parameter_count == sum(kinds.get(name, 1) for name in names)


def test_tail_dependence_is_known_of_the_first_tree_alone(vine):
    lower, upper = vine.tail_dependence()
    assert np.isnan(lower).sum() == np.isnan(upper).sum() == 2 * (10 - 4)
    assert (np.diag(lower) == 1.0).all()
    assert lower[2, 3] == lower[3, 2] == first_pair(vine, "JPM", "KO").lower_tail_dependence


@pytest.mark.parametrize(
    ("held", "moved"),
    [
        ({"JPM": 0.1}, {"JPM": 0.12}),
        ({"KO": 0.3}, {"KO": 0.25}),
        ({"JPM": 0.1, "KO": 0.3}, {"JPM": 0.12, "KO": 0.28}),
    ],
)
def test_given_points_draws_follow_the_density(vine, held, moved):
    """The mean of c(other point, rest) / c(point, rest) over draws is the ratio of the densities of the points."""
    conditions = {name: at(each) for name, each in held.items()}
    found = vine.sample_given(conditions, 8000, rng())
    other = found.copy()
    for name, each in held.items():
        assert (found[:, NAMES.index(name)] == each).all()
        other[:, NAMES.index(name)] = moved[name]
    ratio = np.exp(vine.log_density(other) - vine.log_density(found))
    expected = 1.0
    if len(held) == 2:
        points = np.array([list(moved.values()), list(held.values())])
        new, old = np.exp(first_pair(vine, "JPM", "KO").score_samples(points))
        expected = new / old
    assert ratio.mean() == pytest.approx(expected, abs=4.0 * ratio.std() / 8000**0.5)


@pytest.mark.parametrize(
    "conditions",
    [
        {"JPM": below(0.1)},
        {"GE": below(0.2)},
        {"JPM": below(0.2), "KO": below(0.3)},
        {"JPM": below(0.3), "XOM": above(0.5)},
    ],
)
def test_given_intervals_draws_are_those_of_a_long_sample_inside_them(vine, draws, conditions):
    found = vine.sample_given(conditions, 2000, rng(1))
    is_met = np.ones(len(draws), dtype=bool)
    for name, interval in conditions.items():
        assert interval.holds(found[:, NAMES.index(name)]).all()
        is_met &= interval.holds(draws[:, NAMES.index(name)])
    assert found.shape == (2000, 5)
    assert is_met.sum() > 1000
    assert_alike(found, draws[is_met])


def test_a_point_and_intervals_hold_together(vine):
    found = vine.sample_given({"KO": at(0.05), "JPM": below(0.5), "AAPL": below(0.4)}, 500, rng())
    assert (found[:, 3] == 0.05).all()
    assert (found[:, 2] <= 0.5).all()
    assert (found[:, 0] <= 0.4).all()


@pytest.mark.parametrize(("assets", "depth"), [(4, 3), (5, 3), (5, 4)])
def test_one_or_all_central_assets_come_first_in_the_order_of_draws(uniforms, assets, depth):
    """Only then do the others depend on them: skfolio puts the rest where they are and draws wrongly."""
    for central in combinations(NAMES[:assets], 3):
        vine = fit_vine(uniforms[:200, :assets], NAMES[:assets], central, depth)
        columns = {NAMES.index(name) for name in central}
        for held in ({each} for each in columns):
            assert order_of_draws(vine, held)[:1] == [*held]
        assert set(order_of_draws(vine, columns)[:3]) == columns


def order_of_draws(vine, held):
    order = vine._vine._sampling_order(held)
    return [node.ref if left is None else node.get_var(left) for node, left in order]


def test_asset_that_is_not_central_cannot_be_held_at_a_quantile(vine, uniforms):
    with pytest.raises(UsageError, match=r"one or all of its central assets \(JPM, KO\)"):
        vine.sample_given({"GE": at(0.1)}, 10, rng())
    with pytest.raises(UsageError, match=r"it has none.*central=\('GE',\)"):
        fit_vine(uniforms[:100], NAMES).sample_given({"GE": at(0.1)}, 10, rng())
    three = fit_vine(uniforms[:100], NAMES, central=("AAPL", "GE", "JPM"))
    with pytest.raises(UsageError, match="one or all of its central assets"):
        three.sample_given({"AAPL": at(0.1), "GE": at(0.1)}, 10, rng())


def test_conditions_that_are_hardly_ever_met_are_refused(monkeypatch):
    monkeypatch.setattr("trading.portfolio_risk.copulas.vine._DRAWS_MAX", 20_000)
    pair = PairCopula(Clayton(30.0), ("A", "B")).sample(300, rng())
    vine = fit_vine(np.column_stack([pair, rng(2).random(300)]), ("A", "B", "C"))
    with pytest.raises(UsageError, match=r"of \d+ draws of the vine 0 meet the conditions, 100"):
        vine.sample_given({"A": below(0.001), "B": above(0.99)}, 100, rng())


def test_wrong_use_is_refused(uniforms, vine):
    with pytest.raises(UsageError, match="at least three assets, not 2"):
        fit_vine(uniforms[:, :2], NAMES[:2])
    with pytest.raises(UsageError, match="TSLA is not in the copula"):
        fit_vine(uniforms, NAMES, central=("TSLA",))
    with pytest.raises(UsageError, match="all assets are central"):
        fit_vine(uniforms[:, :3], NAMES[:3], central=NAMES[:3])
    with pytest.raises(UsageError, match="1 trees, must have at least 2"):
        fit_vine(uniforms, NAMES, depth=1)
    with pytest.raises(UsageError, match="2 trees, must have at least 3"):
        fit_vine(uniforms, NAMES, central=NAMES[:3], depth=2)
    with pytest.raises(UsageError, match="0 draws"):
        vine.sample(0, rng())
    with pytest.raises(DataError, match="KO: value 0 is nan"):
        vine.log_density(np.array([[0.5, 0.5, 0.5, np.nan, 0.5]]))
    with pytest.raises(DataError, match="there are 1 observations"):
        fit_vine(uniforms[:1], NAMES)
