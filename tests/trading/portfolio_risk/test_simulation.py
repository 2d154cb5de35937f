import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from scipy.stats import t as student

from trading.errors import DataError, UsageError
from trading.portfolio_risk.normal import standard_tail
from trading.portfolio_risk.place import Place
from trading.portfolio_risk.return_models import (
    Joint,
    fit_normal,
    fit_student,
    normal_model,
    student_model,
)
from trading.portfolio_risk.simulation import monte_carlo, simulated_returns

NAMES = ("AAPL", "KO", "XOM")
MEAN = np.array([4e-4, 2e-4, -1e-4])
COVARIANCE = np.array([[4.0, 1.0, 0.8], [1.0, 1.0, 0.3], [0.8, 0.3, 2.25]]) * 1e-4
MONEY = np.array([50_000.0, 80_000.0, -30_000.0])
DEVIATION = math.sqrt(MONEY @ COVARIANCE @ MONEY)


def rng(seed=1):
    return np.random.default_rng(seed)


class Together:
    """All assets at the same probability."""

    def sample(self, count, rng):
        return np.repeat(rng.random((count, 1)), 3, axis=1)


class NormalMargin:
    def __init__(self, deviation):
        self.deviation = deviation

    def quantile(self, u):
        return norm.ppf(u, scale=self.deviation)


def closed_form(degrees, confidence):
    """Return value at risk and shortfall of the portfolio under normal or Student's t returns."""
    if math.isinf(degrees):
        quantile, mean = standard_tail(confidence)
    else:
        scale = math.sqrt((degrees - 2) / degrees)
        q = student.ppf(confidence, degrees)
        density = student.pdf(q, degrees) / (1 - confidence)
        quantile, mean = scale * q, scale * density * (degrees + q * q) / (degrees - 1)
    return (quantile * DEVIATION - MEAN @ MONEY, mean * DEVIATION - MEAN @ MONEY)


def model_of(degrees, place=None):
    more = {} if place is None else {"place": place}
    if math.isinf(degrees):
        return normal_model(MEAN, COVARIANCE, NAMES, **more)
    return student_model(MEAN, COVARIANCE, NAMES, degrees, **more)


@pytest.mark.parametrize("degrees", [math.inf, 5.0])
def test_simulation_converges_to_the_closed_form_with_the_root_of_paths(degrees):
    truth = np.array(closed_form(degrees, 0.95))
    errors = []
    for paths in (1_000, 16_000):
        found = [
            monte_carlo(model_of(degrees), MONEY, NAMES, 0.95, rng=rng(seed), paths=paths)
            for seed in range(80)
        ]
        values = np.array([(one.value_at_risk, one.expected_shortfall) for one in found])
        errors.append(np.sqrt(np.mean((values - truth) ** 2, axis=0)))
    # Sixteen times the paths, a quarter of the error.
    assert errors[0] / errors[1] == pytest.approx(np.array([4.0, 4.0]), rel=0.25)
    assert errors[1].max() < 0.02 * truth.max()


@pytest.mark.parametrize("degrees", [math.inf, 5.0])
def test_intervals_hold_the_closed_form_as_often_as_they_say(degrees):
    value, shortfall = closed_form(degrees, 0.99)
    held = np.zeros(2)
    for seed in range(200):
        found = monte_carlo(model_of(degrees), MONEY, NAMES, 0.99, rng=rng(seed), paths=5_000)
        held[0] += found.interval[0] <= value <= found.interval[1]
        held[1] += found.shortfall_interval[0] <= shortfall <= found.shortfall_interval[1]
    assert np.all(held / 200 >= 0.9), held


def test_two_assets_by_hand():
    covariance = np.array([[1e-4, 1e-4], [1e-4, 4e-4]])
    model = normal_model(np.zeros(2), covariance, ("KO", "XOM"))
    found = monte_carlo(
        model, np.array([100.0, 50.0]), ("KO", "XOM"), 0.99, rng=rng(), paths=200_000
    )
    assert found.value_at_risk == pytest.approx(1.7320508 * 2.3263479, rel=0.01)


def test_drawn_returns_have_the_moments_of_their_model():
    for degrees in (math.inf, 6.0):
        drawn = model_of(degrees).drawn(300_000, rng())
        assert drawn.mean(axis=0) == pytest.approx(MEAN, abs=1.5e-4)
        assert np.cov(drawn, rowvar=False) == pytest.approx(COVARIANCE, abs=6e-6)


def test_a_longer_horizon_compounds_independent_bars():
    model = normal_model(MEAN, COVARIANCE, NAMES)
    found = simulated_returns(model, 5, rng=rng(3), paths=7)
    source = rng(3)
    growth = np.prod([1 + model.drawn(7, source) for _ in range(5)], axis=0)
    assert found == pytest.approx(growth - 1, rel=1e-12)
    long = simulated_returns(model, 20, rng=rng(), paths=100_000)
    assert long.mean(axis=0) == pytest.approx((1 + MEAN) ** 20 - 1, abs=1e-3)
    second = (COVARIANCE.diagonal() + (1 + MEAN) ** 2) ** 20
    assert long.std(axis=0) == pytest.approx(np.sqrt(second - (1 + MEAN) ** 40), rel=0.02)


def test_any_copula_with_any_margins_is_simulated():
    margins = [NormalMargin(deviation) for deviation in (0.01, 0.02, 0.03)]
    model = Joint("together", Together(), margins)
    found = monte_carlo(model, np.full(3, 100.0), NAMES, 0.99, rng=rng(), paths=200_000)
    # Comonotone: quantiles add up.
    assert found.value_at_risk == pytest.approx(100 * 0.06 * norm.ppf(0.99), rel=0.01)
    assert found.method == "monte-carlo-together"


@pytest.mark.parametrize("degrees", [math.inf, 4.0])
def test_same_seed_gives_the_same_bits(degrees):
    runs = [
        monte_carlo(model_of(degrees), MONEY, NAMES, 0.99, 3, rng=rng(seed)) for seed in (7, 7, 8)
    ]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


@pytest.mark.parametrize("degrees", [math.inf, 4.0])
def test_another_array_library_draws_the_same(degrees):
    xp = pytest.importorskip("array_api_strict", reason="array-api-strict is not installed")
    drawn = simulated_returns(model_of(degrees, Place(xp)), 3, rng=rng(), paths=50)
    assert isinstance(drawn, type(xp.asarray(0.0)))
    ours = simulated_returns(model_of(degrees), 3, rng=rng(), paths=50)
    assert Place(xp).host(drawn) == pytest.approx(ours, rel=1e-12)
    place = Place(xp, xp.asarray(0.0).device)
    there = monte_carlo(model_of(degrees, place), MONEY, NAMES, 0.99, rng=rng())
    here = monte_carlo(model_of(degrees), MONEY, NAMES, 0.99, rng=rng())
    assert there.value_at_risk == pytest.approx(here.value_at_risk, rel=1e-12)


def test_nothing_loses_more_than_all_of_it():
    model = student_model(np.zeros(3), COVARIANCE * 2500, NAMES, 2.5)
    assert simulated_returns(model, 1, rng=rng()).min() == -1.0
    assert simulated_returns(model, 4, rng=rng()).min() == -1.0


@settings(deadline=None, max_examples=25)
@given(st.floats(0.01, 0.995), st.floats(0.01, 0.995))
def test_both_measures_rise_with_confidence(one, other):
    low, high = sorted((one, other))
    less, more = (
        monte_carlo(model_of(5.0), MONEY, NAMES, level, rng=rng(), paths=1_000)
        for level in (low, high)
    )
    assert less.value_at_risk <= more.value_at_risk
    assert less.expected_shortfall <= more.expected_shortfall + 1e-6


def test_fits_find_what_the_returns_were_drawn_from():
    drawn = student_model(MEAN, COVARIANCE, NAMES, 5.0).drawn(20_000, rng())
    fitted = fit_student(drawn, NAMES)
    assert fitted.degrees == pytest.approx(5.0, rel=0.15)
    normal = fit_normal(drawn, NAMES)
    assert normal.factor.T @ normal.factor == pytest.approx(np.cov(drawn, rowvar=False), rel=1e-9)
    calm = normal_model(MEAN, COVARIANCE, NAMES).drawn(5_000, rng())
    assert fit_student(calm, NAMES).degrees > 40


def test_a_singular_covariance_is_refused():
    singular = np.outer([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]) * 1e-4
    with pytest.raises(DataError, match="singular"):
        normal_model(MEAN, singular, NAMES)
    with pytest.raises(DataError, match="singular"):
        student_model(MEAN, singular, NAMES, 5.0)
    twins = rng().normal(0.0, 0.01, (100, 2))[:, [0, 1, 1]]
    for fit in (fit_normal, fit_student):
        with pytest.raises(DataError, match="singular"):
            fit(twins, NAMES)


def test_bad_input_is_refused():
    def call(model=None, money=MONEY, confidence=0.95, horizon=1, paths=1_000):
        model = model or model_of(math.inf)
        return monte_carlo(model, money, NAMES, confidence, horizon, rng=rng(), paths=paths)

    for confidence in (0.0, 1.0, -1.0):
        with pytest.raises(UsageError, match="between 0 and 1"):
            call(confidence=confidence)
    with pytest.raises(UsageError, match="at least 1"):
        call(horizon=0)
    with pytest.raises(DataError, match="at least 1000 are needed"):
        call(confidence=0.999, paths=900)
    with pytest.raises(DataError, match="KO: the exposure is nan"):
        call(money=np.array([1.0, np.nan, 1.0]))
    with pytest.raises(UsageError, match="must be above 2"):
        student_model(MEAN, COVARIANCE, NAMES, 2.0)
    with pytest.raises(DataError, match="the mean must be"):
        normal_model(MEAN[:2], COVARIANCE, NAMES)
    with pytest.raises(DataError, match="there are 1 returns"):
        fit_normal(np.zeros((1, 3)), NAMES)
    with pytest.raises(UsageError, match="the model has 2 assets, the portfolio 3"):
        call(model=Joint("x", Together(), [NormalMargin(0.01)] * 2))


def test_a_copula_of_another_size_is_refused():
    model = Joint("together", Together(), [NormalMargin(0.01)] * 2)
    with pytest.raises(UsageError, match="give as many margins as it has assets"):
        simulated_returns(model, 1, rng=rng())
