import numpy as np
import pytest
from scipy.stats import multivariate_t, t
from skfolio.distribution import StudentTCopula

from trading.errors import UsageError
from trading.portfolio_risk.copulas.conditions import at
from trading.portfolio_risk.copulas.gaussian import GaussianCopula
from trading.portfolio_risk.copulas.student import StudentCopula, fit_student

NAMES = ("AAPL", "KO", "XOM")
CORRELATION = np.array([[1.0, 0.6, 0.3], [0.6, 1.0, -0.2], [0.3, -0.2, 1.0]])
COPULA = StudentCopula(CORRELATION, 3.5, NAMES)


def rng(seed=1):
    return np.random.default_rng(seed)


def pair(correlation, degrees):
    return StudentCopula(np.array([[1.0, correlation], [correlation, 1.0]]), degrees, NAMES[:2])


def test_density_is_that_of_scipy_over_its_margins():
    uniforms = rng().random((200, 3))
    scores = t.ppf(uniforms, 3.5)
    joint = multivariate_t.logpdf(scores, shape=CORRELATION, df=3.5)
    expected = joint - t.logpdf(scores, 3.5).sum(axis=1)
    np.testing.assert_allclose(COPULA.log_density(uniforms), expected, atol=1e-9)


def test_density_of_a_pair_is_that_of_skfolio():
    uniforms = rng().random((100, 2))
    there = StudentTCopula().fit(uniforms)
    there.rho_, there.dof_ = 0.6, 3.5
    np.testing.assert_allclose(
        pair(0.6, 3.5).log_density(uniforms), there.score_samples(uniforms), atol=1e-8
    )


def test_many_degrees_of_freedom_are_the_gaussian_copula():
    uniforms = rng().random((100, 3))
    almost = StudentCopula(CORRELATION, 1e6, NAMES).log_density(uniforms)
    gaussian = GaussianCopula(CORRELATION, NAMES).log_density(uniforms)
    np.testing.assert_allclose(almost, gaussian, atol=1e-3)


@pytest.mark.parametrize(
    ("degrees", "expected"),
    [
        (2.0, [0.06, 0.18, 0.39, 0.72]),
        (4.0, [0.01, 0.08, 0.25, 0.63]),
        (10.0, [0.00, 0.01, 0.08, 0.46]),
    ],
)
def test_tail_dependence_is_that_of_the_book(degrees, expected):
    """McNeil, Frey and Embrechts (2015), table 7.1: correlations of -0.5, 0, 0.5 and 0.9."""
    found = [pair(each, degrees).tail_dependence() for each in (-0.5, 0.0, 0.5, 0.9)]
    assert [round(each.lower[0, 1], 2) for each in found] == expected
    assert all((each.lower == each.upper).all() for each in found)
    assert all(each.lower[0, 0] == 1.0 for each in found)


def test_fit_recovers_correlation_and_degrees_within_their_standard_errors():
    """Errors by repetition, so that both steps of the fit are in them."""
    fits = [fit_student(COPULA.sample(600, rng(seed)), NAMES) for seed in range(12)]
    correlations = np.array([each.correlation[np.triu_indices(3, 1)] for each in fits])
    logs = np.log([each.degrees for each in fits])
    for found, planted in (
        *zip(correlations.T, CORRELATION[np.triu_indices(3, 1)], strict=True),
        (logs, np.log(3.5)),
    ):
        error = found.std(ddof=1) / len(fits) ** 0.5
        assert 0.0 < error < 0.1
        assert abs(found.mean() - planted) < 4.0 * error


def test_degrees_are_the_likeliest():
    uniforms = COPULA.sample(800, rng())
    fitted = fit_student(uniforms, NAMES)
    best = fitted.log_density(uniforms).sum()
    for factor in (0.97, 1.03):
        other = StudentCopula(fitted.correlation, fitted.degrees * factor, NAMES)
        assert other.log_density(uniforms).sum() < best


def test_gaussian_data_have_many_degrees():
    uniforms = GaussianCopula(CORRELATION, NAMES).sample(2000, rng())
    assert fit_student(uniforms, NAMES).degrees > 30.0


def test_fifteen_assets_are_fitted():
    names = tuple(f"S{i}" for i in range(15))
    planted = StudentCopula(np.full((15, 15), 0.4) + 0.6 * np.eye(15), 5.0, names)
    fitted = fit_student(planted.sample(1000, rng()), names)
    assert fitted.degrees == pytest.approx(5.0, rel=0.15)
    assert np.abs(fitted.correlation - planted.correlation).max() < 0.15
    assert fitted.parameter_count == 106


def test_given_a_point_the_rest_is_student_with_one_more_degree():
    """McNeil, Frey and Embrechts (2015), section 6.4: scale grows with the distance of the point."""
    draws = t.ppf(pair(0.6, 4.0).sample_given({"AAPL": at(0.01)}, 20_000, rng())[:, 1], 4.0)
    held = t.ppf(0.01, 4.0)
    scale = np.sqrt((4.0 + held**2) / 5.0 * (1.0 - 0.36))
    quantiles = np.quantile(draws, [0.1, 0.5, 0.9])
    expected = 0.6 * held + scale * t.ppf([0.1, 0.5, 0.9], 5.0)
    np.testing.assert_allclose(quantiles, expected, atol=0.1)


@pytest.mark.parametrize("degrees", [0.0, -1.0, np.nan, np.inf])
def test_degrees_out_of_range_are_refused(degrees):
    with pytest.raises(UsageError, match="degrees of freedom, must be above 0"):
        pair(0.5, degrees)
