import math

import numpy as np
import pytest
from arch import arch_model
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.feeds.sources import load_prices
from trading.errors import DataError, UsageError
from trading.portfolio_risk.empirical import tail_of
from trading.portfolio_risk.filtered import (
    Observed,
    filtered_extreme,
    filtered_historical,
    pareto_tailed,
)
from trading.portfolio_risk.garch import Fit, Garch, fit_garch
from trading.portfolio_risk.historical import historical

NAMES = ("AAPL", "KO", "JPM", "XOM")
MONEY = np.full(4, 25_000.0)
METHODS = (filtered_historical, filtered_extreme)


@pytest.fixture(scope="module")
def history():
    close = load_prices("sp500", NAMES).close[-1500:]
    return close[1:] / close[:-1] - 1.0


@pytest.fixture(scope="module")
def theirs(history):
    losses = -(history @ MONEY)
    model = arch_model(losses / losses.std(), mean="Constant", vol="GARCH", p=1, q=1, rescale=False)
    return model.fit(disp="off"), losses.std()


def rng(seed=1):
    return np.random.default_rng(seed)


def simulated_losses(model, count, seed):
    draws = rng(seed).standard_normal(count)
    variance, losses = model.omega / (1 - model.alpha - model.beta), np.empty(count)
    for bar in range(count):
        losses[bar] = model.mean + math.sqrt(variance) * draws[bar]
        variance = (
            model.omega + model.alpha * (losses[bar] - model.mean) ** 2 + model.beta * variance
        )
    return losses, variance


def test_filter_is_the_recursion_written_out():
    model = Garch(0.1, 0.2, 0.1, 0.8, start=3.0)
    losses = rng().normal(size=50)
    variance, expected = 0.2 + 0.9 * 3.0, []
    for loss in losses:
        expected.append((loss - 0.1) / math.sqrt(variance))
        variance = 0.2 + 0.1 * (loss - 0.1) ** 2 + 0.8 * variance
    innovations, ahead = model.filtered(losses)
    assert innovations == pytest.approx(np.array(expected), rel=1e-12)
    assert ahead == pytest.approx(variance, rel=1e-12)


def test_innovations_and_next_variance_are_those_of_arch(history, theirs):
    fitted, unit = theirs
    innovations, variance = fit_garch(-(history @ MONEY)).model.filtered(-(history @ MONEY))
    assert innovations == pytest.approx(np.asarray(fitted.std_resid), rel=1e-8)
    ahead = fitted.forecast(horizon=1).variance.iloc[-1, 0] * unit**2
    assert variance == pytest.approx(ahead, rel=1e-8)


def test_one_bar_ahead_is_todays_volatility_times_past_innovations(history, theirs):
    fitted, unit = theirs
    deviation = unit * math.sqrt(fitted.forecast(horizon=1).variance.iloc[-1, 0])
    quantile, mean = tail_of(np.asarray(fitted.std_resid), 0.99)
    found = filtered_historical(history, MONEY, NAMES, 0.99, rng=rng())
    drift = fitted.params["mu"] * unit
    assert found.value_at_risk == pytest.approx(drift + deviation * quantile, rel=1e-8)
    assert found.expected_shortfall == pytest.approx(drift + deviation * mean, rel=1e-8)


def test_ten_bars_ahead_agree_with_the_bootstrap_forecast_of_arch(history, theirs):
    fitted, unit = theirs
    ahead = fitted.forecast(
        horizon=10, method="bootstrap", simulations=20_000, random_state=np.random.RandomState(1)
    )
    quantile, mean = tail_of(unit * ahead.simulations.values[-1].sum(axis=1), 0.95)
    found = filtered_historical(history, MONEY, NAMES, 0.95, 10, rng=rng(), paths=20_000)
    assert found.value_at_risk == pytest.approx(quantile, rel=0.04)
    assert found.expected_shortfall == pytest.approx(mean, rel=0.04)


def test_both_methods_agree_within_their_intervals(history):
    for horizon in (1, 5):
        past, extreme = (
            method(history, MONEY, NAMES, 0.99, horizon, rng=rng(), paths=5_000)
            for method in METHODS
        )
        assert past.interval[0] <= extreme.value_at_risk <= past.interval[1]
        assert past.shortfall_interval[0] <= extreme.expected_shortfall
        assert extreme.expected_shortfall <= past.shortfall_interval[1]


@pytest.mark.parametrize("method", METHODS)
def test_same_seed_gives_the_same_estimate_to_the_last_bit(history, method):
    first, again, other = (
        method(history, MONEY, NAMES, 0.95, 3, rng=rng(seed), paths=1_000) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize("method", METHODS)
def test_losses_of_late_count_more_than_those_of_long_ago(method):
    calm, wild = rng(3).normal(0.0, 0.005, (600, 1)), rng(4).normal(0.0, 0.03, (600, 1))
    one, money = ("KO",), np.array([100.0])
    after_calm, after_wild = np.vstack([wild, calm]), np.vstack([calm, wild])
    less, more = (
        method(returns, money, one, 0.95, rng=rng()) for returns in (after_calm, after_wild)
    )
    assert more.value_at_risk > 3 * less.value_at_risk
    plain = [historical(returns, money, one, 0.95) for returns in (after_calm, after_wild)]
    assert plain[0].value_at_risk == plain[1].value_at_risk


@settings(deadline=None, max_examples=4)
@given(st.floats(0.91, 0.995), st.floats(0.91, 0.995), st.sampled_from([1, 3]))
def test_both_measures_rise_with_confidence(history, one, other, horizon):
    low, high = sorted((one, other))
    for method in METHODS:
        less, more = (
            method(history[-400:], MONEY, NAMES, level, horizon, rng=rng(), paths=1_000)
            for level in (low, high)
        )
        assert less.value_at_risk <= more.value_at_risk
        assert less.expected_shortfall <= more.expected_shortfall
        assert less.interval[0] <= less.value_at_risk <= less.interval[1]


def test_intervals_hold_the_truth_of_a_known_process_as_often_as_they_say():
    model, held = Garch(0.0, 0.05, 0.1, 0.85, start=1.0), 0
    for seed in range(40):
        losses, variance = simulated_losses(model, 1_000, seed)
        returns = -losses[:, None] / 100.0
        low, high = filtered_historical(
            returns, np.array([100.0]), ("KO",), 0.95, rng=rng()
        ).interval
        held += low <= math.sqrt(variance) * 1.6448536 <= high
    assert held >= 34


def test_intervals_hold_the_doubt_about_the_parameters(history):
    # The day after the crash: the next variance hangs on alpha.
    crash = int(np.argmin(history @ MONEY))
    recent = history[crash - 399 : crash + 1]
    losses = -(recent @ MONEY)
    innovations, variance = fit_garch(losses).model.filtered(losses)
    source = rng(5)
    resampled = [tail_of(source.choice(innovations, 400), 0.95)[0] for _ in range(400)]
    of_innovations_alone = math.sqrt(variance) * np.std(resampled)
    low, high = filtered_historical(recent, MONEY, NAMES, 0.95, rng=rng()).interval
    assert (high - low) / (2 * 1.96) > 1.15 * of_innovations_alone


def test_drawn_parameters_are_as_uncertain_as_the_estimate():
    model = Garch(0.0, 0.1, 0.1, 0.8, start=1.0)
    fit = Fit(model, np.diag([1e-2, 1e-3, 1e-3, 1e-3]) ** 2)
    drawn = [(one.mean, one.omega, one.alpha, one.beta) for one in fit.draws(4_000, rng())]
    assert np.mean(drawn, axis=0) == pytest.approx(np.array([0.0, 0.1, 0.1, 0.8]), abs=1e-3)
    assert np.std(drawn, axis=0) == pytest.approx(np.array([1e-2, 1e-3, 1e-3, 1e-3]), rel=0.05)
    wide = Fit(model, np.diag([0.0, 0.05, 0.05, 0.1]) ** 2)
    for one in wide.draws(1_000, rng()):
        assert min(one.omega, one.alpha, one.beta) >= 0
        assert one.alpha + one.beta < 1
    with pytest.raises(DataError, match="does not determine how volatility moves"):
        Fit(Garch(0.0, 0.1, 0.1, 2.0, 1.0), fit.covariance).draws(10, rng())


def test_drawn_innovations_keep_the_middle_and_stretch_the_tails():
    innovations = rng().standard_t(4, 5_000)
    drawn = pareto_tailed(innovations, 0.1).drawn(200_000, rng(2))
    for level in (0.02, 0.3, 0.5, 0.7, 0.98):
        assert np.quantile(drawn, level) == pytest.approx(np.quantile(innovations, level), abs=0.1)
    assert drawn.max() > innovations.max()
    assert drawn.min() < innovations.min()
    assert set(Observed(innovations).drawn(100, rng(3))) <= set(innovations)


@pytest.mark.parametrize("method", METHODS)
def test_bad_input_is_refused(history, method):
    def call(returns=history, confidence=0.95, horizon=1, **more):
        return method(returns, MONEY, NAMES, confidence, horizon, rng=rng(), **more)

    with pytest.raises(UsageError, match="between 0 and 1"):
        call(confidence=1.0)
    with pytest.raises(UsageError, match="at least 1"):
        call(horizon=0)
    with pytest.raises(DataError, match="there are 1 returns"):
        call(returns=history[:1])
    with pytest.raises(DataError, match="GARCH needs at least 100"):
        call(returns=history[:99])
    with pytest.raises(DataError, match="at least 1000 are needed"):
        call(confidence=0.999, horizon=2, paths=500)
    with pytest.raises(DataError, match="does not move"):
        method(history, np.zeros(4), NAMES, 0.95, rng=rng())


def test_a_confidence_below_the_tail_is_refused(history):
    with pytest.raises(UsageError, match="the fitted tail begins at"):
        filtered_extreme(history, MONEY, NAMES, 0.8, rng=rng())


def test_tails_that_overlap_are_refused(history):
    with pytest.raises(UsageError, match="each tail is"):
        filtered_extreme(history, MONEY, NAMES, 0.95, rng=rng(), tail=0.5)
