"""Every figure against its definition, written down again over single numbers.

Definitions: the ratios as in empyrical 0.7 (Sharpe, Sortino, Omega, volatility, tail ratio: arithmetic means,
sample deviation, losses over all bars), Calmar as CAGR over drawdown, moments as in scipy.stats.
"""

import math
import statistics

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from trading.metrics import activity, dispersion, growth, ratios, round_trips, tails

YEAR = 252.0
several = st.lists(st.integers(-500, 500).map(lambda x: x / 1000), min_size=2, max_size=40)


def array(values: list[float]) -> np.ndarray:
    return np.array(values, dtype=np.float64)


def grown(values: list[float]) -> float:
    worth = 1.0
    for each in values:
        worth *= 1.0 + each
    return worth


def deepest(values: list[float]) -> float:
    worth = best = 1.0
    depth = 0.0
    for each in values:
        worth *= 1.0 + each
        best = max(best, worth)
        depth = max(depth, (best - worth) / best)
    return depth


@settings(deadline=None, max_examples=60)
@given(values=several)
def test_growth_compounds(values: list[float]) -> None:
    returns = array(values)
    assert growth.total_return(returns) == pytest.approx(grown(values) - 1, abs=1e-12)
    expected = grown(values) ** (YEAR / len(values)) - 1
    assume(math.isfinite(expected))
    assert growth.annual_return(returns, YEAR) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@settings(deadline=None, max_examples=60)
@given(values=several)
def test_risk_is_the_deviation(values: list[float]) -> None:
    returns = array(values)
    assume(len(set(values)) > 1)
    deviation = statistics.stdev(values)
    assert dispersion.volatility(returns, YEAR) == pytest.approx(deviation * math.sqrt(YEAR))
    losses = math.sqrt(sum(min(x, 0) ** 2 for x in values) / len(values)) * math.sqrt(YEAR)
    assert dispersion.downside_deviation(returns, YEAR) == pytest.approx(losses)
    found = dispersion.moments(returns)
    assert found.skewness == pytest.approx(float(stats.skew(values)), abs=1e-6)
    assert found.kurtosis == pytest.approx(float(stats.kurtosis(values, fisher=False)), abs=1e-6)


@settings(deadline=None, max_examples=60)
@given(values=several)
def test_ratios_divide_return_by_risk(values: list[float]) -> None:
    returns, mean = array(values), sum(values) / len(values)
    losses = sum(min(x, 0) ** 2 for x in values) / len(values)
    assume(len(set(values)) > 1 and losses > 0)
    sharpe = mean / statistics.stdev(values) * math.sqrt(YEAR)
    assert ratios.sharpe(returns, YEAR) == pytest.approx(sharpe, abs=1e-9)
    sortino = mean * YEAR / math.sqrt(losses * YEAR)
    assert ratios.sortino(returns, YEAR) == pytest.approx(sortino, abs=1e-9)
    up, down = sum(max(x, 0) for x in values), -sum(min(x, 0) for x in values)
    assert ratios.omega(returns) == pytest.approx(up / down)
    depth = deepest(values)
    assert ratios.recovery_factor(returns) == pytest.approx((grown(values) - 1) / depth, abs=1e-9)
    annual = grown(values) ** (YEAR / len(values)) - 1
    assert ratios.calmar(returns, YEAR) == pytest.approx(annual / depth, rel=1e-6, abs=1e-9)


def test_omega_counts_from_its_threshold() -> None:
    # above 1 %: 2 % and 0; below: 1 % and 3 %
    assert ratios.omega(array([0.03, 0.0, 0.01, -0.02]), 0.01) == pytest.approx(0.02 / 0.04)


def test_tail_ratio_compares_the_outer_percentiles() -> None:
    returns = array([x / 100 for x in range(-10, 31)])  # 41 values: every 2.5 % is one of them
    assert tails.tail_ratio(returns) == pytest.approx(0.28 / 0.08)


def test_round_trips_by_hand() -> None:
    profit = array([100.0, -50.0, 0.0, 25.0])
    assert round_trips.win_rate(profit) == 0.5
    assert round_trips.profit_factor(profit) == 2.5
    assert round_trips.expectancy(profit) == 18.75


def test_activity_by_hand() -> None:
    equity = array([100.0, 200.0, 100.0, 0.0])
    gross = array([50.0, 0.0, 100.0, 0.0])
    assert activity.exposure(gross) == 0.5
    assert activity.average_gross(gross, equity) == pytest.approx((0.5 + 0 + 1) / 3)
    traded = array([50.0, 100.0, 0.0, 70.0])
    assert activity.annual_turnover(traded, equity, 12.0) == pytest.approx((0.5 + 0.5 + 0) / 3 * 12)


def test_figures_equal_those_of_empyrical() -> None:
    # empyrical-reloaded 0.7.1 on the same series, printed once
    values = np.zeros(500)
    for row in range(1, 500):
        values[row] = 0.3 * values[row - 1] + math.sin(row * row)
    returns = values * 0.01
    assert growth.total_return(returns) == pytest.approx(-0.009986292394879692)
    assert growth.annual_return(returns, YEAR) == pytest.approx(-0.0050456187865931534)
    assert dispersion.volatility(returns, YEAR) == pytest.approx(0.11684749913598916)
    assert ratios.sharpe(returns, YEAR) == pytest.approx(0.015022433022083472)
    assert ratios.sortino(returns, YEAR) == pytest.approx(0.02121006266634844)
    assert ratios.calmar(returns, YEAR) == pytest.approx(-0.03972512171527169)
    assert ratios.omega(returns) == pytest.approx(1.002155067413904)
    assert tails.tail_ratio(returns) == pytest.approx(1.005587441777055)
