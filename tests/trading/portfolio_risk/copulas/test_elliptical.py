"""What the Gaussian and the t copula share."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau, ks_2samp, kstest, norm, t

from trading.errors import DataError, UsageError
from trading.portfolio_risk.copulas.conditions import above, at, below
from trading.portfolio_risk.copulas.elliptical import cdf, invertible, quantile
from trading.portfolio_risk.copulas.gaussian import GaussianCopula, fit_gaussian
from trading.portfolio_risk.copulas.student import StudentCopula, fit_student

NAMES = ("AAPL", "KO", "XOM")
CORRELATION = np.array([[1.0, 0.6, 0.3], [0.6, 1.0, -0.2], [0.3, -0.2, 1.0]])
COPULAS = {
    "gaussian": GaussianCopula(CORRELATION, NAMES),
    "student": StudentCopula(CORRELATION, 3.5, NAMES),
}
copulas = pytest.mark.parametrize("copula", COPULAS.values(), ids=list(COPULAS))
fits = pytest.mark.parametrize("fit", [fit_gaussian, fit_student])


def rng(seed=1):
    return np.random.default_rng(seed)


def assert_alike(draws, others):
    """Each margin, and the sum, which tells of the dependence."""
    for i in range(draws.shape[1]):
        if np.ptp(draws[:, i]) > 0.0:
            assert ks_2samp(draws[:, i], others[:, i]).pvalue > 1e-4
    assert ks_2samp(draws.sum(axis=1), others.sum(axis=1)).pvalue > 1e-4


@pytest.mark.parametrize("degrees", [1.0, 2.7, 8.0, 200.0])
def test_quantiles_and_probabilities_are_those_of_scipy(degrees):
    uniforms = np.array([[1e-12, 0.1, 0.1], [0.5, 0.9, 1.0 - 1e-12]])
    np.testing.assert_allclose(
        quantile(uniforms, degrees), t.ppf(uniforms, degrees), rtol=1e-10, atol=1e-15
    )
    np.testing.assert_allclose(cdf(quantile(uniforms, degrees), degrees), uniforms, rtol=1e-9)
    np.testing.assert_allclose(quantile(uniforms, np.inf), norm.ppf(uniforms), rtol=1e-10)


@pytest.mark.parametrize("degrees", [3.0, np.inf])
def test_quantiles_of_certainty_are_infinite(degrees):
    assert quantile(np.array([0.0, 1.0]), degrees).tolist() == [-np.inf, np.inf]


@copulas
def test_draws_are_uniform_and_have_kendalls_tau(copula):
    draws = copula.sample(8000, rng())
    assert draws.shape == (8000, 3)
    for i in range(3):
        assert kstest(draws[:, i], "uniform").pvalue > 1e-4
        for j in range(i):
            tau = kendalltau(draws[:, i], draws[:, j]).statistic
            assert tau == pytest.approx(2.0 / np.pi * np.arcsin(CORRELATION[i, j]), abs=0.03)
            assert copula.kendall_tau()[i, j] == pytest.approx(
                2.0 / np.pi * np.arcsin(CORRELATION[i, j])
            )


@copulas
@pytest.mark.parametrize(
    "conditions",
    [
        {"KO": below(0.05)},
        {"AAPL": below(0.1), "KO": below(0.2)},
        {"AAPL": below(0.2), "XOM": above(0.7)},
        {"AAPL": below(0.4), "KO": below(0.4), "XOM": below(0.5)},
    ],
)
def test_given_intervals_draws_are_those_of_a_long_sample_inside_them(copula, conditions):
    draws = copula.sample_given(conditions, 4000, rng(1))
    many = copula.sample(150_000, rng(2))
    is_met = np.ones(len(many), dtype=bool)
    for name, interval in conditions.items():
        assert interval.holds(draws[:, NAMES.index(name)]).all()
        is_met &= interval.holds(many[:, NAMES.index(name)])
    assert is_met.sum() > 1000
    assert_alike(draws, many[is_met])


@copulas
def test_given_points_draws_follow_the_density(copula):
    """The mean of c(other point, rest) / c(point, rest) over draws is the ratio of the densities of the points."""
    draws = copula.sample_given({"AAPL": at(0.1), "KO": at(0.3)}, 20_000, rng())
    assert (draws[:, :2] == [0.1, 0.3]).all()
    moved = draws.copy()
    moved[:, :2] = [0.12, 0.25]
    ratio = np.exp(copula.log_density(moved) - copula.log_density(draws))
    pair = (
        GaussianCopula(CORRELATION[:2, :2], NAMES[:2])
        if copula.family == "gaussian"
        else StudentCopula(CORRELATION[:2, :2], 3.5, NAMES[:2])
    )
    new, old = np.exp(pair.log_density(np.array([[0.12, 0.25], [0.1, 0.3]])))
    assert ratio.mean() == pytest.approx(new / old, abs=4.0 * ratio.std() / 20_000**0.5)


@copulas
def test_a_point_and_an_interval_hold_together(copula):
    conditions = {"AAPL": at(0.05), "KO": below(0.3)}
    draws = copula.sample_given(conditions, 4000, rng(1))
    free = copula.sample_given({"AAPL": at(0.05)}, 40_000, rng(2))
    assert (draws[:, 0] == 0.05).all()
    assert_alike(draws, free[free[:, 1] <= 0.3])


@copulas
@pytest.mark.parametrize("correlation", [0.95, 0.99])
def test_two_assets_that_move_as_one_are_drawn_right(copula, correlation):
    """The chains of Gibbs sampling forget slowly here."""
    both = np.array([[1.0, correlation], [correlation, 1.0]])
    pair = (
        GaussianCopula(both, NAMES[:2])
        if copula.family == "gaussian"
        else StudentCopula(both, 3.5, NAMES[:2])
    )
    draws = pair.sample_given({"AAPL": below(0.05), "KO": below(0.02)}, 4000, rng(1))
    many = pair.sample(200_000, rng(2))
    assert_alike(draws, many[(many[:, 0] <= 0.05) & (many[:, 1] <= 0.02)])


def test_ten_assets_below_a_quantile_are_those_of_a_long_sample():
    names = tuple(f"S{i}" for i in range(11))
    copula = StudentCopula(np.full((11, 11), 0.5) + 0.5 * np.eye(11), 4.0, names)
    draws = copula.sample_given(dict.fromkeys(names[:10], below(0.25)), 3000, rng(1))
    many = copula.sample(60_000, rng(2))
    assert_alike(draws, many[(many[:, :10] <= 0.25).all(axis=1)])


@copulas
@given(
    first=st.floats(1e-6, 1.0 - 1e-6), second=st.floats(1e-6, 1.0 - 1e-6), seed=st.integers(0, 99)
)
@settings(deadline=None, max_examples=25)
def test_any_condition_holds_and_same_seed_gives_same_bits(copula, first, second, seed):
    conditions = {"KO": at(first), "XOM": above(second)}
    draws = copula.sample_given(conditions, 10, rng(seed))
    assert (draws[:, 1] == first).all()
    assert (draws[:, 2] >= second).all()
    assert ((draws > 0.0) & (draws < 1.0)).all()
    assert draws.tobytes() == copula.sample_given(conditions, 10, rng(seed)).tobytes()
    assert copula.sample(10, rng(seed)).tobytes() == copula.sample(10, rng(seed)).tobytes()


def test_pairs_that_do_not_fit_together_are_repaired():
    impossible = np.array([[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]])
    repaired = invertible(impossible)
    assert np.linalg.eigvalsh(repaired)[0] > 0.0
    np.testing.assert_allclose(np.diag(repaired), 1.0)
    assert invertible(CORRELATION) is CORRELATION


@fits
def test_bad_uniforms_are_refused(fit):
    good = rng().random((40, 3))
    assert len(fit(good, NAMES).names) == 3
    for bad, message in ((np.nan, "is nan"), (0.0, "is 0.0, must be"), (1.0, "is 1.0, must be")):
        spoiled = good.copy()
        spoiled[7, 2] = bad
        with pytest.raises(DataError, match=f"XOM: value 7 {message}"):
            fit(spoiled, NAMES)
    still = good.copy()
    still[:, 1] = 0.5
    with pytest.raises(DataError, match="KO does not move"):
        fit(still, NAMES)
    with pytest.raises(DataError, match="there are 1 observations"):
        fit(good[:1], NAMES)
    with pytest.raises(UsageError, match="KO is there twice"):
        fit(good, ("KO", "AAPL", "KO"))


@copulas
def test_wrong_use_is_refused(copula):
    with pytest.raises(UsageError, match="TSLA is not in the copula"):
        copula.sample_given({"TSLA": at(0.1)}, 10, rng())
    with pytest.raises(UsageError, match="0 draws"):
        copula.sample(0, rng())
    with pytest.raises(UsageError, match="-1 draws"):
        copula.sample_given({"KO": at(0.1)}, -1, rng())
    with pytest.raises(DataError, match="must be between 0 and 1"):
        copula.log_density(np.ones((1, 3)))


@pytest.mark.parametrize(
    ("correlation", "message"),
    [
        (np.ones((3, 3)), "singular"),
        (2.0 * np.eye(3), "diagonal of a correlation must be 1"),
        (np.eye(2), "finite matrix of shape"),
        (np.full((3, 3), np.nan), "finite matrix of shape"),
        (np.array([[1.0, 0.5, 0.0], [0.4, 1.0, 0.0], [0.0, 0.0, 1.0]]), "not symmetric"),
    ],
)
def test_a_matrix_that_is_no_correlation_is_refused(correlation, message):
    for make in (
        lambda: GaussianCopula(correlation, NAMES),
        lambda: StudentCopula(correlation, 4.0, NAMES),
    ):
        with pytest.raises(DataError, match=message):
            make()
