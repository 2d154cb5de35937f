"""The worked examples of the papers, to the digits printed there.

[2012] Bailey and Lopez de Prado, "The Sharpe Ratio Efficient Frontier"; [2014] the same, "The Deflated Sharpe
Ratio", section "A numerical example".
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from trading.errors import UsageError
from trading.metrics.sharpe_inference import (
    SharpeEstimate,
    deflated_sharpe,
    expected_max_sharpe,
    minimum_track_record_bars,
    probabilistic_sharpe,
    sharpe_estimate,
)

ANALYST = SharpeEstimate(2.5 / math.sqrt(250), 1250, -3.0, 10.0)
"""[2014]: a daily strategy with an annual Sharpe ratio of 2.5 over five years."""
VARIANCE = 0.5 / 250
"""[2014]: half, for annual Sharpe ratios."""


def test_probabilistic_sharpe_of_2012() -> None:
    fund = SharpeEstimate(0.458, 24, -2.448, 10.164)  # two years of months
    assert probabilistic_sharpe(fund) == pytest.approx(0.913, abs=5e-4)
    assert probabilistic_sharpe(fund._replace(skewness=0, kurtosis=3)) == pytest.approx(
        0.982, abs=5e-4
    )


@pytest.mark.parametrize(("per_year", "years"), [(252, 2.73), (52, 2.83), (12, 3.24)])
def test_track_record_of_2012(per_year: int, years: float) -> None:
    root = math.sqrt(per_year)  # an annual Sharpe ratio of 2 against 1, normal returns
    bars = minimum_track_record_bars(SharpeEstimate(2 / root, 0, 0.0, 3.0), 1 / root, 0.95)
    assert bars / per_year == pytest.approx(years, abs=0.005)


def test_track_record_of_2012_with_skewness() -> None:
    root = math.sqrt(12)
    bars = minimum_track_record_bars(SharpeEstimate(2 / root, 0, -0.72, 5.78), 1 / root, 0.95)
    assert bars / 12 == pytest.approx(4.99, abs=0.005)


def test_deflated_sharpe_of_2014() -> None:
    assert expected_max_sharpe(100, VARIANCE) == pytest.approx(0.1132, abs=5e-5)
    assert deflated_sharpe(ANALYST, 100, VARIANCE) == pytest.approx(0.9004, abs=5e-5)
    assert deflated_sharpe(ANALYST, 46, VARIANCE) == pytest.approx(0.9505, abs=5e-5)
    normal = ANALYST._replace(skewness=0.0, kurtosis=3.0)
    assert deflated_sharpe(normal, 88, VARIANCE) == pytest.approx(0.9505, abs=5e-5)


def test_the_best_of_many_without_skill_is_what_is_expected() -> None:
    best = np.random.default_rng(1).normal(0, 0.1, (4000, 200)).max(axis=1)
    assert expected_max_sharpe(200, 0.01) == pytest.approx(best.mean(), rel=0.01)


def test_a_single_trial_needs_no_deflation() -> None:
    assert deflated_sharpe(ANALYST, 1, VARIANCE) == probabilistic_sharpe(ANALYST)
    assert expected_max_sharpe(10**18, 1.0) > expected_max_sharpe(10**15, 1.0)


def test_the_estimate_measures_its_returns() -> None:
    returns = np.random.default_rng(5).gamma(2.0, 0.01, 500) - 0.018
    found = sharpe_estimate(returns)
    assert found.sharpe == pytest.approx(returns.mean() / returns.std(ddof=1))
    assert found.bars == 500
    assert found.skewness == pytest.approx(stats.skew(returns))
    assert found.kurtosis == pytest.approx(stats.kurtosis(returns, fisher=False))


@settings(deadline=None, max_examples=80)
@given(
    sharpe=st.floats(0.01, 0.5),
    skewness=st.floats(-2, 2),
    excess=st.floats(0, 10),
    confidence=st.floats(0.6, 0.999),
)
def test_a_track_record_of_the_minimum_length_has_that_probability(
    sharpe: float, skewness: float, excess: float, confidence: float
) -> None:
    kurtosis = 1 + skewness**2 + excess + 0.1
    bars = minimum_track_record_bars(SharpeEstimate(sharpe, 0, skewness, kurtosis), 0.0, confidence)
    variance = 1 - skewness * sharpe + (kurtosis - 1) / 4 * sharpe**2
    score = sharpe * math.sqrt((bars - 1) / variance)
    assert stats.norm.cdf(score) == pytest.approx(confidence)


def test_a_sharpe_ratio_that_is_not_above_is_never_proved() -> None:
    assert minimum_track_record_bars(ANALYST, ANALYST.sharpe) == math.inf
    assert minimum_track_record_bars(ANALYST._replace(sharpe=-0.1)) == math.inf
    assert math.isnan(minimum_track_record_bars(ANALYST._replace(sharpe=math.nan)))


@pytest.mark.parametrize(("trials", "variance"), [(0, 0.1), (5, -0.1)])
def test_impossible_trials_are_refused(trials: int, variance: float) -> None:
    with pytest.raises(UsageError, match="trials must be at least 1"):
        deflated_sharpe(ANALYST, trials, variance)


def test_a_confidence_outside_its_range_is_refused() -> None:
    with pytest.raises(UsageError, match=r"between 0\.5 and 1"):
        minimum_track_record_bars(ANALYST, 0.0, 0.4)
