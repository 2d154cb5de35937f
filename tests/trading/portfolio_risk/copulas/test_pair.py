import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau, ks_2samp, kstest
from skfolio.distribution import ClaytonCopula as SkClayton
from skfolio.distribution import GumbelCopula as SkGumbel
from skfolio.distribution import JoeCopula as SkJoe
from skfolio.distribution.copula import CopulaRotation

from trading.errors import DataError, UsageError
from trading.portfolio_risk.copulas.conditions import above, at, below
from trading.portfolio_risk.copulas.pair import FAMILIES, PairCopula, fit_pair

NAMES = ("AAPL", "KO")
ROTATIONS = {
    0: CopulaRotation.R0,
    90: CopulaRotation.R90,
    180: CopulaRotation.R180,
    270: CopulaRotation.R270,
}
ORACLES = {"clayton": SkClayton, "gumbel": SkGumbel, "joe": SkJoe}

families = pytest.mark.parametrize("family", list(FAMILIES))
rotations = pytest.mark.parametrize("rotation", [0, 90, 180, 270])


def made(family, tau=0.4, rotation=0):
    return PairCopula(FAMILIES[family].of_tau(tau), NAMES, rotation)


def rng(seed=1):
    return np.random.default_rng(seed)


def standard_error(copula, uniforms):
    """Of the parameter, by the observed information."""
    theta, step = copula.base.parameter, 1e-3

    def likelihood(parameter):
        other = PairCopula(type(copula.base)(parameter), NAMES, copula.rotation)
        return other.log_density(uniforms).sum()

    bend = likelihood(theta + step) - 2.0 * likelihood(theta) + likelihood(theta - step)
    return (-bend / step**2) ** -0.5


@families
@rotations
def test_turned_density_and_distribution_are_those_of_skfolio(family, rotation):
    copula, points = made(family, 0.4, rotation), rng().random((200, 2))
    there = ORACLES[family]().fit(points)
    there.theta_, there.rotation_ = copula.base.parameter, ROTATIONS[rotation]
    np.testing.assert_allclose(copula.log_density(points), there.score_samples(points), atol=1e-9)
    np.testing.assert_allclose(copula.cdf(points), there.cdf(points), atol=1e-12)
    assert copula.tail_dependence().lower[0, 1] == pytest.approx(there.lower_tail_dependence)
    assert copula.tail_dependence().upper[0, 1] == pytest.approx(there.upper_tail_dependence)


@families
@rotations
def test_draws_are_uniform_and_have_kendalls_tau(family, rotation):
    copula = made(family, 0.4, rotation)
    draws = copula.sample(8000, rng())
    tau = kendalltau(*draws.T).statistic
    assert tau == pytest.approx(copula.tau, abs=0.03)
    assert copula.tau == pytest.approx(-0.4 if rotation in (90, 270) else 0.4)
    assert kstest(draws[:, 0], "uniform").pvalue > 1e-4
    assert kstest(draws[:, 1], "uniform").pvalue > 1e-4


@families
def test_kendalls_tau_of_draws_converges_with_the_root_of_their_count(family):
    copula = made(family, 0.5)
    errors = [
        [kendalltau(*copula.sample(count, rng(seed)).T).statistic - 0.5 for seed in range(30)]
        for count in (200, 3200)
    ]
    small, large = (float(np.sqrt(np.mean(np.square(each)))) for each in errors)
    assert small / large == pytest.approx(4.0, rel=0.5)


@families
@rotations
def test_fit_finds_rotation_and_parameter_within_three_standard_errors(family, rotation):
    planted = made(family, 0.4, rotation)
    uniforms = planted.sample(3000, rng(7))
    fitted = fit_pair(family, uniforms, NAMES)
    error = standard_error(fitted, uniforms)
    assert fitted.rotation == rotation
    assert 0.01 < error < 0.1
    assert abs(fitted.base.parameter - planted.base.parameter) < 3.0 * error


def test_fit_is_the_likeliest():
    uniforms = made("gumbel").sample(500, rng())
    fitted = fit_pair("gumbel", uniforms, NAMES)
    best = fitted.log_density(uniforms).sum()
    for factor in (0.99, 1.01):
        other = PairCopula(FAMILIES["gumbel"](fitted.base.parameter * factor), NAMES)
        assert other.log_density(uniforms).sum() < best


@families
def test_fit_to_independent_assets_is_near_independence(family):
    fitted = fit_pair(family, rng(3).random((2000, 2)), NAMES)
    assert abs(fitted.tau) < 0.05


@families
@rotations
@pytest.mark.parametrize(
    "conditions",
    [
        {"AAPL": below(0.2)},
        {"KO": above(0.9)},
        {"AAPL": below(0.3), "KO": below(0.4)},
        {"AAPL": above(0.6), "KO": below(0.5)},
    ],
)
def test_given_intervals_draws_are_those_of_a_long_sample_inside_them(family, rotation, conditions):
    copula = made(family, 0.4, rotation)
    draws = copula.sample_given(conditions, 3000, rng(1))
    many = copula.sample(40_000, rng(2))
    is_met = np.ones(len(many), dtype=bool)
    for name, interval in conditions.items():
        is_met &= interval.holds(many[:, NAMES.index(name)])
        assert interval.holds(draws[:, NAMES.index(name)]).all()
    assert is_met.sum() > 500
    assert ks_2samp(draws[:, 0], many[is_met, 0]).pvalue > 1e-4
    assert ks_2samp(draws[:, 1], many[is_met, 1]).pvalue > 1e-4
    assert ks_2samp(draws.sum(axis=1), many[is_met].sum(axis=1)).pvalue > 1e-4


@families
@rotations
@pytest.mark.parametrize("held", [0, 1])
def test_given_a_point_the_other_follows_the_slope_of_the_distribution(family, rotation, held):
    """P(V <= v | U = u) is the derivative of C(u, v) by u."""
    copula, step = made(family, 0.4, rotation), 1e-6
    draws = copula.sample_given({NAMES[held]: at(0.05)}, 2000, rng())
    assert (draws[:, held] == 0.05).all()
    low, high = draws.copy(), draws.copy()
    low[:, held] -= step
    high[:, held] += step
    chance = (copula.cdf(high) - copula.cdf(low)) / (2.0 * step)
    assert kstest(chance, "uniform").pvalue > 1e-4


@families
def test_given_a_point_and_an_interval_both_hold(family):
    copula = made(family, 0.4, 90)
    for conditions in ({"AAPL": at(0.2), "KO": above(0.7)}, {"AAPL": above(0.7), "KO": at(0.2)}):
        draws = copula.sample_given(conditions, 500, rng())
        for i, name in enumerate(NAMES):
            assert conditions[name].holds(draws[:, i]).all()
        free = 1 if conditions["AAPL"].is_point else 0
        step = 1e-6
        ends = np.array([[0.2, 0.7], [0.2, 1.0 - 1e-12], [0.2, np.median(draws[:, free])]])
        ends = ends[:, ::-1] if free == 0 else ends
        shift = np.where(np.arange(2) == free, 0.0, step)
        low, high, middle = copula.cdf(ends + shift) - copula.cdf(ends - shift)
        assert (middle - low) / (high - low) == pytest.approx(0.5, abs=0.1)


def test_two_points_are_returned():
    draws = made("clayton").sample_given({"AAPL": at(0.1), "KO": at(0.3)}, 4, rng())
    np.testing.assert_array_equal(draws, np.tile([0.1, 0.3], (4, 1)))


@given(
    family=st.sampled_from(list(FAMILIES)),
    rotation=st.sampled_from([0, 90, 180, 270]),
    tau=st.floats(0.01, 0.9),
    first=st.floats(0.02, 0.98),
    second=st.floats(0.02, 0.98),
    seed=st.integers(0, 2**32),
)
@settings(deadline=None, max_examples=60)
def test_draws_honour_any_condition_and_same_seed_gives_same_bits(
    family, rotation, tau, first, second, seed
):
    copula = made(family, tau, rotation)
    conditions = {"AAPL": below(first), "KO": at(second)}
    try:
        draws = copula.sample_given(conditions, 20, rng(seed))
    except UsageError as error:
        assert "exclude each other" in str(error)  # noqa: PT017 - the only refusal that is right
        return
    assert (draws[:, 0] <= first).all()
    assert (draws[:, 1] == second).all()
    assert ((draws > 0.0) & (draws < 1.0)).all()
    assert draws.tobytes() == copula.sample_given(conditions, 20, rng(seed)).tobytes()
    assert copula.sample(20, rng(seed)).tobytes() == copula.sample(20, rng(seed)).tobytes()


def test_conditions_that_exclude_each_other_are_refused():
    copula = made("clayton", 0.95)
    with pytest.raises(UsageError, match="AAPL and KO exclude each other"):
        copula.sample_given({"AAPL": below(0.001), "KO": above(0.9)}, 10, rng())
    with pytest.raises(UsageError, match="exclude each other"):
        copula.sample_given({"AAPL": at(0.001), "KO": above(0.9)}, 10, rng())


def test_wrong_use_is_refused():
    base = FAMILIES["joe"](2.0)
    with pytest.raises(UsageError, match="joins two assets, not 3; use gaussian"):
        PairCopula(base, ("AAPL", "KO", "XOM"))
    with pytest.raises(UsageError, match="must be 0, 90, 180 or 270"):
        PairCopula(base, NAMES, 45)
    with pytest.raises(UsageError, match="frank is no family of pairs"):
        fit_pair("frank", rng().random((50, 2)), NAMES)
    with pytest.raises(UsageError, match="joins two assets, not 3"):
        fit_pair("joe", rng().random((50, 3)), ("AAPL", "KO", "XOM"))
    with pytest.raises(UsageError, match="0 draws"):
        made("joe").sample(0, rng())


def test_bad_uniforms_are_refused():
    copula = made("joe")
    for call in (copula.log_density, copula.cdf, lambda u: fit_pair("joe", u, NAMES)):
        with pytest.raises(DataError, match=r"KO: value 11 is 1\.5, must be between 0 and 1"):
            call(np.vstack([rng().random((11, 2)), [[0.5, 1.5]]]))
        with pytest.raises(DataError, match="AAPL: value 0 is nan"):
            call(np.full((12, 2), np.nan))
    with pytest.raises(DataError, match="AAPL does not move"):
        fit_pair("joe", np.column_stack([np.full(20, 0.5), rng().random(20)]), NAMES)
    with pytest.raises(DataError, match="there are 1 observations"):
        fit_pair("joe", np.full((1, 2), 0.5), NAMES)
