"""Clayton, Gumbel and Joe before they are turned."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from skfolio.distribution import ClaytonCopula, GumbelCopula, JoeCopula
from skfolio.distribution.copula import CopulaRotation

from trading.errors import UsageError
from trading.portfolio_risk.copulas.clayton import Clayton
from trading.portfolio_risk.copulas.gumbel import Gumbel
from trading.portfolio_risk.copulas.joe import Joe
from trading.portfolio_risk.copulas.uniforms import inside

FAMILIES = [Clayton, Gumbel, Joe]
ORACLES = {"clayton": ClaytonCopula, "gumbel": GumbelCopula, "joe": JoeCopula}
TAUS = [0.05, 0.3, 0.6, 0.9]
LEVELS = np.array([1e-6, 0.01, 0.2, 0.5, 0.8, 0.99, 1.0 - 1e-6])
U, V = (each.ravel() for each in np.meshgrid(LEVELS, LEVELS))

families = pytest.mark.parametrize("family", FAMILIES, ids=lambda each: each.name)
inner = st.floats(0.01, 0.99)


def oracle(copula):
    """The same copula of skfolio."""
    there = ORACLES[copula.name]()
    there.fit(np.random.default_rng(1).random((20, 2)))
    there.theta_, there.rotation_ = copula.parameter, CopulaRotation.R0
    return there


def generator(copula, t):
    """The generator of Nelsen (2006), table 4.1, over its derivative."""
    theta = copula.parameter
    if copula.name == "clayton":
        return (t ** (theta + 1.0) - t) / theta
    if copula.name == "gumbel":
        return t * math.log(t) / theta
    power = (1.0 - t) ** theta
    return (1.0 - power) * math.log1p(-power) / (theta * (1.0 - t) ** (theta - 1.0))


@families
@pytest.mark.parametrize("tau", [1e-4, *TAUS, 0.98])
def test_kendalls_tau_and_parameter_lead_to_each_other(family, tau):
    assert family.of_tau(tau).tau == pytest.approx(tau, abs=1e-10)


@families
@pytest.mark.parametrize("tau", TAUS)
def test_kendalls_tau_is_the_integral_of_the_generator(family, tau):
    """Genest and MacKay (1986): tau = 1 + 4 times the integral of generator / derivative."""
    copula = family.of_tau(tau)
    integral, _ = quad(lambda t: generator(copula, t), 1e-12, 1.0 - 1e-9, limit=200)
    assert copula.tau == pytest.approx(1.0 + 4.0 * integral, abs=1e-5)


@families
@pytest.mark.parametrize("tau", TAUS)
def test_density_distribution_and_conditional_are_those_of_skfolio(family, tau):
    copula = family.of_tau(tau)
    there, points = oracle(copula), np.column_stack([U, V])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # skfolio overflows in a corner
        density = there.score_samples(points)
    known = np.isfinite(density)
    assert known.sum() > 40
    np.testing.assert_allclose(copula.log_density(U, V)[known], density[known], atol=1e-7)
    np.testing.assert_allclose(copula.cdf(U, V), there.cdf(points), rtol=1e-9, atol=1e-15)
    expected = there.partial_derivative(points, first_margin=True)
    np.testing.assert_allclose(copula.conditional(V, U), expected, atol=1e-9)


@families
@given(u=inner, v=inner, tau=st.floats(0.01, 0.8))
@settings(deadline=None, max_examples=60)
def test_density_is_the_slope_of_the_conditional_and_that_of_the_distribution(family, u, v, tau):
    copula, step = family.of_tau(tau), 1e-6
    around = np.array([v - step, v + step])
    low, high = copula.conditional(around, np.full(2, u))
    density = np.exp(copula.log_density(np.array([u]), np.array([v])))[0]
    assert density == pytest.approx((high - low) / (2 * step), rel=1e-3, abs=1e-4)
    low, high = copula.cdf(np.array([u - step, u + step]), np.full(2, v))
    slope = copula.conditional(np.array([v]), np.array([u]))[0]
    assert slope == pytest.approx((high - low) / (2 * step), rel=1e-3, abs=1e-4)


@families
@given(p=inner, u=inner, tau=st.floats(1e-4, 0.9))
@settings(deadline=None, max_examples=60)
def test_conditional_quantile_inverts_the_conditional(family, p, u, tau):
    copula = family.of_tau(tau)
    v = copula.conditional_quantile(np.array([p]), np.array([u]))
    assert copula.conditional(inside(v), np.array([u]))[0] == pytest.approx(p, abs=1e-9)


@families
@given(u=st.floats(1e-9, 1 - 1e-9), v=st.floats(1e-9, 1 - 1e-9), tau=st.floats(1e-4, 0.98))
@settings(deadline=None, max_examples=100)
def test_distribution_lies_between_independence_and_comonotonicity(family, u, v, tau):
    value = family.of_tau(tau).cdf(np.array([u]), np.array([v]))[0]
    assert u * v * (1.0 - 1e-9) <= value <= min(u, v) * (1.0 + 1e-9)


@families
@pytest.mark.parametrize("tau", [1e-4, 0.5, 0.98])
def test_nothing_overflows_in_the_corners(family, tau):
    copula = family.of_tau(tau)
    ends = inside(np.array([0.0, 1e-12, 0.5, 1.0 - 1e-12, 1.0]))
    u, v = (each.ravel() for each in np.meshgrid(ends, ends))
    assert np.isfinite(copula.log_density(u, v)).all()
    conditional = copula.conditional(v, u)
    assert ((conditional >= 0.0) & (conditional <= 1.0 + 1e-12)).all()
    quantile = copula.conditional_quantile(inside(v), u)
    assert ((quantile >= 0.0) & (quantile <= 1.0)).all()


@families
@pytest.mark.parametrize("tau", TAUS)
def test_tail_dependence_is_the_limit_of_the_distribution(family, tau):
    copula = family.of_tau(tau)
    near = np.array([1e-200])
    lower = copula.cdf(near, near)[0] / 1e-200
    assert lower == pytest.approx(copula.lower_tail, abs=1e-9)
    q = 1e-5
    at_top = np.array([1.0 - q])
    upper = (2 * q - 1.0 + copula.cdf(at_top, at_top)[0]) / q
    assert upper == pytest.approx(copula.upper_tail, abs=1e-3)


def test_known_values():
    """Nelsen (2006), examples 5.4 and 5.22; Joe (2014), sections 4.6 to 4.8."""
    assert Clayton(2.0).tau == 0.5
    assert Clayton(2.0).lower_tail == pytest.approx(1.0 / math.sqrt(2.0))
    assert Gumbel(2.0).tau == 0.5
    assert Gumbel(2.0).upper_tail == pytest.approx(2.0 - math.sqrt(2.0))
    assert Joe(2.0).tau == pytest.approx(2.0 - math.pi**2 / 6.0)
    assert Joe(2.0 + 1e-5).tau == pytest.approx(Joe(2.0).tau, abs=1e-5)
    assert Joe(2.0).upper_tail == Gumbel(2.0).upper_tail
    assert Clayton(1.0).cdf(np.array([0.5]), np.array([0.5]))[0] == pytest.approx(1.0 / 3.0)


@families
@pytest.mark.parametrize("parameter", [0.0, -1.0, math.nan, math.inf])
def test_parameter_out_of_range_is_refused(family, parameter):
    with pytest.raises(UsageError, match="must be above"):
        family(parameter)
