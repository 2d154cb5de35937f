import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import genpareto, kstest, norm
from scipy.stats import t as student

from trading.errors import DataError, UsageError
from trading.portfolio_risk.copulas.student import StudentCopula
from trading.portfolio_risk.margins import (
    MARGINS,
    EmpiricalMargin,
    NormalMargin,
    ParetoMargin,
    StudentMargin,
    fit_margins,
    uniforms_of,
)
from trading.portfolio_risk.return_models import Joint

RETURNS = student.rvs(4.0, 5e-4, 0.01, 2000, random_state=np.random.default_rng(1))
FITTED = {kind: margin.fit(RETURNS, "KO") for kind, margin in MARGINS.items()}
kinds = pytest.mark.parametrize("kind", list(MARGINS))
GRID = np.linspace(1e-6, 1.0 - 1e-6, 2001)


def rng(seed=1):
    return np.random.default_rng(seed)


@kinds
def test_probabilities_and_quantiles_grow_and_invert_each_other(kind):
    margin = FITTED[kind]
    quantiles = margin.quantile(GRID)
    assert (np.diff(quantiles) >= 0.0).all()
    assert (np.diff(margin.cdf(np.linspace(-0.2, 0.2, 2001))) >= 0.0).all()
    inside = (GRID > 0.001) & (GRID < 0.999)
    np.testing.assert_allclose(margin.cdf(quantiles)[inside], GRID[inside], atol=1e-9)


@given(u=st.floats(1e-9, 1.0 - 1e-9), kind=st.sampled_from(["normal", "student", "pareto"]))
@settings(deadline=None, max_examples=100)
def test_any_probability_comes_back(u, kind):
    margin = FITTED[kind]
    assert margin.cdf(margin.quantile(np.array([u])))[0] == pytest.approx(u, rel=1e-6, abs=1e-13)


@kinds
def test_probabilities_of_other_draws_are_uniform_where_the_margin_is_right(kind):
    others = student.rvs(4.0, 5e-4, 0.01, 1000, random_state=rng(2))
    pvalue = kstest(FITTED[kind].cdf(others), "uniform").pvalue
    assert (pvalue < 0.05) if kind == "normal" else (pvalue > 0.01)


@kinds
def test_drawn_quantiles_have_the_distribution_of_the_returns(kind):
    drawn = FITTED[kind].quantile(rng(3).uniform(1e-12, 1.0, 4000))
    assert np.median(drawn) == pytest.approx(np.median(RETURNS), abs=1e-3)
    assert np.std(drawn) == pytest.approx(np.std(RETURNS), rel=0.15)


def test_empirical_margin_gives_each_rank_its_share_and_no_more_than_the_extremes():
    margin = EmpiricalMargin.fit(np.array([0.03, 0.01, 0.02]), "KO")
    np.testing.assert_allclose(margin.cdf(np.array([0.01, 0.015, 0.03])), [0.25, 0.375, 0.75])
    np.testing.assert_allclose(margin.quantile(np.array([0.01, 0.5, 0.99])), [0.01, 0.02, 0.03])


def test_equal_returns_share_their_mean_rank():
    margin = EmpiricalMargin.fit(np.array([0.0, 0.0, 0.0, 1.0]), "KO")
    np.testing.assert_allclose(margin.cdf(np.array([0.0, 1.0])), [0.4, 0.8])


def test_normal_margin_is_that_of_scipy():
    margin = NormalMargin.fit(RETURNS, "KO")
    there = norm(RETURNS.mean(), RETURNS.std(ddof=1))
    np.testing.assert_allclose(margin.quantile(GRID), there.ppf(GRID))
    np.testing.assert_allclose(margin.cdf(RETURNS), there.cdf(RETURNS))


def test_student_margin_is_that_of_scipy():
    margin = StudentMargin.fit(RETURNS, "KO")
    degrees, location, scale = student.fit(RETURNS)
    assert margin.degrees == pytest.approx(degrees, rel=1e-2)
    assert margin.location == pytest.approx(location, abs=1e-5)
    assert margin.scale == pytest.approx(scale, rel=1e-2)
    there = student(margin.degrees, margin.location, margin.scale)
    np.testing.assert_allclose(margin.quantile(GRID), there.ppf(GRID), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(margin.cdf(RETURNS), there.cdf(RETURNS), atol=1e-12)


def test_student_fit_is_the_likeliest():
    margin = StudentMargin.fit(RETURNS, "KO")
    point = np.array([margin.degrees, margin.location, margin.scale])

    def likelihood(parameters):
        return student.logpdf(RETURNS, *parameters).sum()

    for step in np.diag([0.05, 1e-4, 1e-4]):
        assert likelihood(point + step) < likelihood(point) > likelihood(point - step)


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_student_fit_recovers_what_was_planted_in_any_unit(unit):
    """Errors by repetition."""
    samples = [5.0 + 2.0 * student.rvs(3.0, size=500, random_state=rng(seed)) for seed in range(15)]
    fits = [StudentMargin.fit(unit * each, "KO") for each in samples]
    for found, planted in (
        (np.log([each.degrees for each in fits]), np.log(3.0)),
        (np.array([each.location for each in fits]) / unit, 5.0),
        (np.array([each.scale for each in fits]) / unit, 2.0),
    ):
        assert abs(found.mean() - planted) < 4.0 * found.std(ddof=1) / len(fits) ** 0.5


def test_pareto_margin_is_that_of_scipy_in_its_tails_and_empirical_between():
    margin = ParetoMargin.fit(RETURNS, "KO")
    ascending = np.sort(RETURNS)
    upper = genpareto(margin.upper.shape, margin.upper.threshold, margin.upper.scale)
    lower = genpareto(margin.lower.shape, margin.lower.threshold, margin.lower.scale)
    worst = np.array([1e-9, 1e-4, 0.05])
    np.testing.assert_allclose(margin.quantile(worst), -lower.isf(worst / 0.1), rtol=1e-9)
    np.testing.assert_allclose(margin.quantile(1.0 - worst), upper.isf(worst / 0.1), rtol=1e-6)
    np.testing.assert_allclose(margin.cdf(-lower.isf(worst / 0.1)), worst, rtol=1e-6)
    assert margin.quantile(np.array([0.5]))[0] == pytest.approx(np.median(ascending), abs=1e-4)
    np.testing.assert_allclose(
        margin.quantile(np.array([0.1, 0.9])), [ascending[200], ascending[-201]]
    )


def test_pareto_tails_meet_the_middle_without_a_step():
    margin = ParetoMargin.fit(RETURNS, "KO")
    for edge in (0.1, 0.9):
        below, above = margin.quantile(np.array([edge - 1e-9, edge + 1e-9]))
        assert above - below < 1e-7
        below, above = margin.cdf(margin.quantile(np.array([edge])) + np.array([-1e-9, 1e-9]))
        assert above - below < 1e-5


def test_a_tail_that_ends_has_probability_one_beyond():
    margin = ParetoMargin.fit(rng().random(2000), "KO")
    assert margin.upper.shape < 0.0
    assert margin.cdf(np.array([-5.0, 5.0])).tolist() == [0.0, 1.0]


def test_pareto_tail_reaches_beyond_the_worst_of_the_past_and_the_empirical_does_not():
    worst = np.array([1e-6])
    assert FITTED["pareto"].quantile(worst)[0] < RETURNS.min()
    assert FITTED["empirical"].quantile(worst)[0] == RETURNS.min()


@kinds
def test_margins_of_all_assets_join_with_a_copula(kind):
    names = ("AAPL", "KO")
    pair = StudentCopula(np.array([[1.0, 0.5], [0.5, 1.0]]), 4.0, names)
    returns = 0.01 * student.ppf(pair.sample(1000, rng(4)), 4.0)
    margins = fit_margins(kind, returns, names)
    uniforms = uniforms_of(returns, margins)
    assert uniforms.shape == (1000, 2)
    assert ((uniforms > 0.0) & (uniforms < 1.0)).all()
    drawn = Joint("student", pair, margins).drawn(500, rng(5))
    assert drawn.shape == (500, 2)
    assert np.corrcoef(drawn.T)[0, 1] == pytest.approx(0.5, abs=0.2)


@kinds
def test_bad_returns_are_refused_with_the_name_of_the_asset(kind):
    fit = MARGINS[kind].fit
    with pytest.raises(DataError, match="KO does not move"):
        fit(np.full(500, 0.01), "KO")
    with pytest.raises(DataError, match="KO: the values have shape"):
        fit(np.array([0.01]), "KO")
    for bad in (np.nan, np.inf):
        with pytest.raises(DataError, match="KO: value 3 is"):
            fit(np.where(np.arange(500) == 3, bad, RETURNS[:500]), "KO")


@kinds
@pytest.mark.parametrize("bad", [0.0, 1.0, -0.1, np.nan])
def test_quantile_of_no_probability_is_refused(kind, bad):
    with pytest.raises(DataError, match="not between 0 and 1"):
        FITTED[kind].quantile(np.array([0.5, bad]))


def test_wrong_use_is_refused():
    with pytest.raises(UsageError, match="no margin cauchy; choose one of empirical"):
        fit_margins("cauchy", RETURNS[:, None], ("KO",))
    with pytest.raises(DataError, match="shape"):
        fit_margins("normal", RETURNS, ("KO",))
    with pytest.raises(UsageError, match="between 0 and 0"):
        ParetoMargin.fit(RETURNS, "KO", share=0.5)
    with pytest.raises(DataError, match="KO: the worst"):
        ParetoMargin.fit(RETURNS[:100], "KO")
    halted = np.where(np.abs(RETURNS) < np.quantile(np.abs(RETURNS), 0.7), 0.0, RETURNS)
    with pytest.raises(DataError, match="KO: all values between its tails are equal"):
        ParetoMargin.fit(halted, "KO", 0.16)
    with pytest.raises(DataError, match=r"KO: too many .* The empirical margin needs no tail"):
        ParetoMargin.fit(np.minimum(RETURNS, 0.0), "KO")
    with pytest.raises(DataError, match="KO: half of its values are equal"):
        StudentMargin.fit(halted, "KO")
