import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import genpareto
from scipy.stats import t as student

from actors.feeds.sources import load_prices
from trading.errors import DataError, UsageError
from trading.portfolio_risk.extreme import peaks_over_threshold
from trading.portfolio_risk.historical import historical
from trading.portfolio_risk.pareto_tail import ParetoTail, fit_pareto_tail, likely_parameters

NAMES = ("AAPL", "KO", "JPM", "XOM")
MONEY = np.full(4, 25_000.0)
ONE = np.array([100.0])


@pytest.fixture(scope="module")
def history():
    close = load_prices("sp500", NAMES).close
    return close[1:] / close[:-1] - 1.0


@pytest.mark.parametrize("shape", [-0.3, 0.0, 0.2, 0.6])
def test_fit_is_as_likely_as_that_of_scipy(shape):
    values = genpareto.rvs(shape, scale=3.0, size=5000, random_state=1)
    tail = fit_pareto_tail(values, 0.1)
    theirs = genpareto.fit(tail.excesses, floc=0.0)
    ours = genpareto.logpdf(tail.excesses, tail.shape, 0.0, tail.scale).sum()
    assert ours >= genpareto.logpdf(tail.excesses, *theirs).sum() - 1e-6
    assert tail.shape == pytest.approx(theirs[0], abs=2e-3)
    assert len(tail.excesses) == 500


@settings(deadline=None, max_examples=40)
@given(
    st.floats(-0.45, 0.8).map(lambda shape: round(shape, 6)),
    st.floats(0.1, 10.0),
    st.floats(0.901, 0.9999),
)
def test_quantile_and_mean_are_those_of_the_distribution(shape, scale, confidence):
    tail = ParetoTail(5.0, 0.1, shape, scale, np.zeros(1))
    quantile, mean = tail.beyond(confidence)
    inside = 1.0 - (1.0 - confidence) / 0.1
    excess = genpareto.ppf(inside, shape, scale=scale)
    assert quantile == pytest.approx(5.0 + excess, rel=1e-6)
    # The mean excess over a threshold of a generalized Pareto distribution is linear in it.
    assert mean == pytest.approx(quantile + (scale + shape * excess) / (1.0 - shape), rel=1e-6)


def test_mean_beyond_is_the_integral_of_quantiles():
    tail = ParetoTail(5.0, 0.1, 0.25, 2.0, np.zeros(1))
    area = quad(lambda level: tail.beyond(level)[0], 0.99, 1.0)[0]
    assert tail.beyond(0.99)[1] == pytest.approx(area / 0.01, rel=1e-6)


def test_likely_parameters_are_those_that_scipy_finds_likely():
    tail = fit_pareto_tail(genpareto.rvs(0.2, size=3000, random_state=1), 0.1)
    best = genpareto.logpdf(tail.excesses, tail.shape, 0.0, tail.scale).sum()
    for size in (300.0, 100.0):
        shapes, scales = likely_parameters(tail, size, drop=1.92)
        drops = np.array(
            [
                best - genpareto.logpdf(tail.excesses, shape, 0.0, scale).sum()
                for shape, scale in zip(shapes, scales, strict=True)
            ]
        )
        assert drops.min() == pytest.approx(0.0, abs=1e-6)
        assert 0.95 * 1.92 < drops.max() * size / 300.0 <= 1.92 + 1e-6


def test_draws_follow_the_fitted_tail():
    tail = ParetoTail(5.0, 0.1, 0.25, 2.0, np.zeros(1))
    drawn = tail.drawn(200_000, np.random.default_rng(3))
    assert drawn.min() >= 5.0
    assert np.quantile(drawn, 0.9) == pytest.approx(tail.beyond(0.99)[0], rel=0.02)


def test_daily_losses_have_a_heavy_tail_that_agrees_with_history(history):
    for horizon in (1, 10):
        for confidence in (0.95, 0.99):
            ours = peaks_over_threshold(history, MONEY, NAMES, confidence, horizon)
            past = historical(history, MONEY, NAMES, confidence, horizon)
            assert ours.value_at_risk == pytest.approx(past.value_at_risk, rel=0.06)
            assert ours.interval[0] < ours.value_at_risk < ours.interval[1]
            assert ours.shortfall_interval[0] < ours.expected_shortfall < ours.shortfall_interval[1]
    assert fit_pareto_tail(-(history @ MONEY), 0.1).shape > 0.1


@settings(deadline=None, max_examples=15)
@given(st.floats(0.91, 0.9995), st.floats(0.91, 0.9995))
def test_both_measures_rise_with_confidence(history, one, other):
    low, high = sorted((one, other))
    less, more = (peaks_over_threshold(history[:1000], MONEY, NAMES, c) for c in (low, high))
    assert less.value_at_risk <= more.value_at_risk
    assert less.expected_shortfall <= more.expected_shortfall


def test_intervals_hold_the_truth_of_heavy_tails_as_often_as_they_say():
    truth = student.ppf(0.99, 4)
    mean = student.pdf(truth, 4) / 0.01 * (4 + truth**2) / 3
    held = np.zeros(2)
    for seed in range(150):
        returns = 0.01 * np.random.default_rng(seed).standard_t(4, (1000, 1))
        found = peaks_over_threshold(np.maximum(returns, -1.0), ONE, ("KO",), 0.99)
        held[0] += found.interval[0] <= truth <= found.interval[1]
        held[1] += found.shortfall_interval[0] <= mean <= found.shortfall_interval[1]
    assert np.all(held / 150 >= 0.9), held


def test_a_confidence_below_the_threshold_is_refused(history):
    with pytest.raises(UsageError, match=r"the fitted tail begins at 0\.9"):
        peaks_over_threshold(history, MONEY, NAMES, 0.8)


@pytest.mark.parametrize("tail", [0.0, 1.0, -1.0])
def test_a_tail_outside_of_0_and_1_is_refused(history, tail):
    with pytest.raises(UsageError, match="the tail is"):
        peaks_over_threshold(history, MONEY, NAMES, 0.99, tail=tail)


def test_too_few_losses_are_refused(history):
    with pytest.raises(DataError, match="at least 20 are needed"):
        peaks_over_threshold(history[:150], MONEY, NAMES, 0.99)


def test_a_tail_without_a_mean_is_refused():
    losses = genpareto.rvs(2.0, size=2000, random_state=1)
    returns = -losses / losses.max()
    with pytest.raises(DataError, match="its mean is infinite"):
        peaks_over_threshold(returns[:, None], ONE, ("KO",), 0.99)


def test_a_portfolio_that_does_not_move_is_refused(history):
    with pytest.raises(DataError, match="does not move"):
        peaks_over_threshold(history, np.zeros(4), NAMES, 0.99)


def test_equal_losses_are_refused():
    returns = np.full((400, 1), -0.01)
    returns[:200] = 0.01
    with pytest.raises(DataError, match="too many losses are equal"):
        peaks_over_threshold(returns, ONE, ("KO",), 0.99)
