import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.errors import DataError, UsageError
from trading.portfolio_risk.contributions import normal_contributions, scenario_contributions
from trading.portfolio_risk.empirical import tail_of
from trading.portfolio_risk.normal import standard_tail

NAMES = ("AAPL", "KO", "XOM")
MEAN = np.array([4e-4, 2e-4, -1e-4])
COVARIANCE = np.array([[4.0, 1.0, 0.8], [1.0, 1.0, 0.3], [0.8, 0.3, 2.25]]) * 1e-4
MONEY = np.array([50_000.0, 80_000.0, -30_000.0])


def scenarios(count, seed=1):
    draws = np.random.default_rng(seed).multivariate_normal(MEAN, COVARIANCE, count)
    return np.maximum(draws, -1.0)


def loss_of(money, confidence, horizon=1):
    deviation = np.sqrt(horizon * money @ COVARIANCE @ money)
    return standard_tail(confidence)[0] * deviation - horizon * MEAN @ money


def test_two_assets_by_hand():
    # Deviations 1 % and 2 %, correlation 0.5: 100 and 50 of money have a deviation of sqrt(3), of which
    # each brings (1 + 0.5) / 3.
    covariance = np.array([[1e-4, 1e-4], [1e-4, 4e-4]])
    found = normal_contributions(
        np.zeros(2), covariance, np.array([100.0, 50.0]), ("KO", "XOM"), 0.99
    ).value_at_risk
    assert found.total == pytest.approx(1.7320508 * 2.3263479, rel=1e-7)
    assert found.component == pytest.approx(np.full(2, found.total / 2))
    assert found.incremental == pytest.approx(np.full(2, found.total - 2.3263479), rel=1e-6)


@pytest.mark.parametrize("horizon", [1, 10])
def test_slopes_are_those_of_the_closed_form(horizon):
    found = normal_contributions(MEAN, COVARIANCE, MONEY, NAMES, 0.99, horizon).value_at_risk
    assert found.total == pytest.approx(loss_of(MONEY, 0.99, horizon))
    for asset in range(3):
        step = np.zeros(3)
        step[asset] = 1.0
        rise = loss_of(MONEY + step, 0.99, horizon) - loss_of(MONEY - step, 0.99, horizon)
        assert found.marginal[asset] == pytest.approx(rise / 2.0, rel=1e-6)
        without = np.where(np.arange(3) == asset, 0.0, MONEY)
        expected = loss_of(MONEY, 0.99, horizon) - loss_of(without, 0.99, horizon)
        assert found.incremental[asset] == pytest.approx(expected)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.floats(-1e5, 1e5), min_size=3, max_size=3).map(np.array),
    st.floats(0.01, 0.995),
    st.integers(1, 30),
)
def test_components_add_up_to_the_total(money, confidence, horizon):
    for found in (
        normal_contributions(MEAN, COVARIANCE, money, NAMES, confidence, horizon),
        scenario_contributions(scenarios(400), money, NAMES, confidence),
    ):
        for measure in (found.value_at_risk, found.expected_shortfall):
            scale = max(1.0, float(np.abs(money).sum()))
            assert abs(measure.component.sum() - measure.total) <= 1e-9 * scale
            assert measure.component == pytest.approx(money * measure.marginal)


def test_a_few_scenarios_with_equal_losses_add_up_too():
    rows = np.repeat([[0.01, -0.02, 0.0], [-0.03, 0.01, 0.01]], 30, axis=0)
    for confidence in (0.3, 0.5, 0.7, 0.95):
        found = scenario_contributions(rows, MONEY, NAMES, confidence)
        for measure in (found.value_at_risk, found.expected_shortfall):
            assert measure.component.sum() == pytest.approx(measure.total, abs=1e-9)


def test_totals_are_those_of_the_sample():
    rows = scenarios(1_000)
    found = scenario_contributions(rows, MONEY, NAMES, 0.95)
    totals = found.value_at_risk.total, found.expected_shortfall.total
    assert totals == tail_of(-(rows @ MONEY), 0.95)
    worst = np.argsort(rows @ MONEY)[:50]
    assert found.expected_shortfall.marginal == pytest.approx(-rows[worst].mean(axis=0))
    without = tail_of(-(rows[:, 1:] @ MONEY[1:]), 0.95)[1]
    assert found.expected_shortfall.incremental[0] == pytest.approx(totals[1] - without)


def test_sample_converges_to_the_closed_form():
    exact = normal_contributions(MEAN, COVARIANCE, MONEY, NAMES, 0.95)
    runs = [
        scenario_contributions(scenarios(20_000, seed), MONEY, NAMES, 0.95) for seed in range(8)
    ]
    for measure in ("value_at_risk", "expected_shortfall"):
        mean = np.mean([getattr(run, measure).component for run in runs], axis=0)
        expected = getattr(exact, measure)
        assert mean == pytest.approx(expected.component, abs=0.02 * expected.total)


def test_a_hedge_takes_away():
    found = normal_contributions(
        np.zeros(3), COVARIANCE, np.array([100.0, 0.0, -20.0]), NAMES, 0.99
    ).value_at_risk
    assert found.component[2] < 0 < found.component[0]
    assert found.incremental[2] < 0
    assert found.component[1] == found.incremental[1] == 0.0
    assert found.marginal[1] > 0


def test_no_position_has_nothing_to_share_out():
    for found in (
        normal_contributions(MEAN, COVARIANCE, np.zeros(3), NAMES, 0.99),
        scenario_contributions(scenarios(500), np.zeros(3), NAMES, 0.99),
    ):
        assert found.value_at_risk.total == 0.0
        assert not found.expected_shortfall.component.any()


def test_bad_input_is_refused():
    singular = np.outer([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    with pytest.raises(DataError, match="singular"):
        normal_contributions(MEAN, singular, MONEY, NAMES, 0.99)
    with pytest.raises(DataError, match="the mean must be"):
        normal_contributions(MEAN[:2], COVARIANCE, MONEY, NAMES, 0.99)
    with pytest.raises(UsageError, match="at least 1"):
        normal_contributions(MEAN, COVARIANCE, MONEY, NAMES, 0.99, 0)
    with pytest.raises(UsageError, match="between 0 and 1"):
        scenario_contributions(scenarios(500), MONEY, NAMES, 1.0)
    with pytest.raises(DataError, match="at least 100 are needed"):
        scenario_contributions(scenarios(50), MONEY, NAMES, 0.99)
