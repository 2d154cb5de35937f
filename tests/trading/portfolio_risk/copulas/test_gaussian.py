import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from trading.errors import DataError
from trading.portfolio_risk.copulas.conditions import at, below
from trading.portfolio_risk.copulas.gaussian import GaussianCopula, fit_gaussian

NAMES = ("AAPL", "KO", "XOM")
CORRELATION = np.array([[1.0, 0.6, 0.3], [0.6, 1.0, -0.2], [0.3, -0.2, 1.0]])
COPULA = GaussianCopula(CORRELATION, NAMES)


def rng(seed=1):
    return np.random.default_rng(seed)


def test_density_is_that_of_scipy_over_its_margins():
    uniforms = rng().random((200, 3))
    scores = norm.ppf(uniforms)
    expected = multivariate_normal.logpdf(scores, cov=CORRELATION) - norm.logpdf(scores).sum(axis=1)
    np.testing.assert_allclose(COPULA.log_density(uniforms), expected, atol=1e-10)


def test_independence_has_density_one():
    uniforms = rng().random((20, 3))
    flat = GaussianCopula(np.eye(3), NAMES).log_density(uniforms)
    np.testing.assert_allclose(flat, 0.0, atol=1e-12)


def test_there_is_no_tail_dependence():
    lower, upper = COPULA.tail_dependence()
    assert lower.tolist() == upper.tolist() == np.eye(3).tolist()


def test_parameters_are_the_pairs():
    assert COPULA.parameter_count == 3


def test_fit_recovers_the_correlation_within_four_standard_errors():
    count = 4000
    fitted = fit_gaussian(COPULA.sample(count, rng()), NAMES)
    error = (1.0 - CORRELATION**2) / count**0.5
    assert (np.abs(fitted.correlation - CORRELATION) <= 4.0 * error).all()


def test_fifty_assets_are_fitted_and_drawn():
    loadings = rng(3).standard_normal((50, 3))
    covariance = loadings @ loadings.T + 2.0 * np.eye(50)
    scale = np.sqrt(np.diag(covariance))
    planted = covariance / np.outer(scale, scale)
    names = tuple(f"S{i}" for i in range(50))
    fitted = fit_gaussian(GaussianCopula(planted, names).sample(4000, rng()), names)
    assert np.abs(fitted.correlation - planted).max() < 4.5 / 4000**0.5
    assert fitted.parameter_count == 1225


def test_fit_to_assets_that_are_combinations_is_refused():
    first = rng().random((30, 1))
    with pytest.raises(DataError, match="singular"):
        fit_gaussian(np.hstack([first, first, rng(2).random((30, 1))]), NAMES)


def test_given_a_point_the_rest_has_the_normal_regression():
    draws = norm.ppf(COPULA.sample_given({"AAPL": at(0.01)}, 40_000, rng()))[:, 1:]
    weights = CORRELATION[1:, 0]
    expected = weights * norm.ppf(0.01)
    remaining = CORRELATION[1:, 1:] - np.outer(weights, weights)
    np.testing.assert_allclose(draws.mean(axis=0), expected, atol=0.02)
    np.testing.assert_allclose(np.cov(draws.T), remaining, atol=0.03)


def test_given_a_loss_the_mean_of_the_rest_is_the_tail_mean_times_the_correlation():
    draws = norm.ppf(COPULA.sample_given({"AAPL": below(0.05)}, 40_000, rng()))
    tail_mean = -norm.pdf(norm.ppf(0.05)) / 0.05
    np.testing.assert_allclose(draws.mean(axis=0), CORRELATION[0] * tail_mean, atol=0.03)


def test_given_two_losses_the_means_are_those_of_the_truncated_normal():
    """Rosenbaum (1961), Journal of the Royal Statistical Society B 23, for both below the same bound."""
    r, bound = 0.6, norm.ppf(0.1)
    draws = norm.ppf(COPULA.sample_given({"AAPL": below(0.1), "KO": below(0.1)}, 40_000, rng()))
    joint = multivariate_normal.cdf([bound, bound], cov=CORRELATION[:2, :2])
    inner = norm.cdf((bound - r * bound) / np.sqrt(1.0 - r * r))
    expected = -(1.0 + r) * norm.pdf(bound) * inner / joint
    np.testing.assert_allclose(draws[:, :2].mean(axis=0), expected, atol=0.02)
