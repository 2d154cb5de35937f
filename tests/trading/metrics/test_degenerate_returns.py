"""What is not defined is NaN: no exception, no warning, no infinity."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from trading.metrics import activity, dispersion, drawdown, growth, ratios, round_trips, tails
from trading.metrics.benchmark import alpha_beta
from trading.metrics.rolling import rolling_beta, rolling_sharpe, rolling_volatility
from trading.metrics.sharpe_inference import probabilistic_sharpe, sharpe_estimate

Figure = Callable[[np.ndarray], float]
FIGURES: dict[str, Figure] = {
    "total_return": growth.total_return,
    "annual_return": lambda r: growth.annual_return(r, 252.0),
    "volatility": lambda r: dispersion.volatility(r, 252.0),
    "skewness": lambda r: dispersion.moments(r).skewness,
    "kurtosis": lambda r: dispersion.moments(r).kurtosis,
    "sharpe": lambda r: ratios.sharpe(r, 252.0),
    "sortino": lambda r: ratios.sortino(r, 252.0),
    "calmar": lambda r: ratios.calmar(r, 252.0),
    "omega": ratios.omega,
    "recovery_factor": ratios.recovery_factor,
    "max_drawdown": drawdown.max_drawdown,
    "tail_ratio": tails.tail_ratio,
    "value_at_risk": tails.value_at_risk,
    "conditional_value_at_risk": tails.conditional_value_at_risk,
    "probabilistic_sharpe": lambda r: probabilistic_sharpe(sharpe_estimate(r)),
}
CASES = {
    "no bars": [],
    "one bar": [0.01],
    "all zero": [0.0] * 10,
    "constant gain": [0.01] * 10,
    "constant loss": [-0.01] * 10,
    "with a NaN": [0.01, math.nan, -0.02],
}
DEFINED = {
    "no bars": set(),
    "one bar": {
        "total_return", "annual_return", "max_drawdown", "tail_ratio", "value_at_risk",
        "conditional_value_at_risk",
    },
    "all zero": {
        "total_return", "annual_return", "volatility", "max_drawdown", "value_at_risk",
        "conditional_value_at_risk",
    },
    "constant gain": {
        "total_return", "annual_return", "volatility", "max_drawdown", "tail_ratio",
        "value_at_risk", "conditional_value_at_risk",
    },
    "constant loss": {
        "total_return", "annual_return", "volatility", "sortino", "calmar", "omega",
        "recovery_factor", "max_drawdown", "tail_ratio", "value_at_risk",
        "conditional_value_at_risk",
    },
    "with a NaN": set(),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_is_not_defined_is_nan(case: str) -> None:
    returns = np.array(CASES[case])
    found = {name: figure(returns) for name, figure in FIGURES.items()}
    assert {name for name, value in found.items() if not math.isnan(value)} == DEFINED[case]
    assert all(math.isnan(value) or math.isfinite(value) for value in found.values())


def test_equal_returns_have_no_volatility_though_they_round() -> None:
    assert np.std([0.1] * 7) > 0  # numpy's own answer, on account of rounding
    assert dispersion.volatility(np.array([0.1] * 7), 252.0) == 0.0


def test_growth_beyond_a_float_is_nan() -> None:
    assert math.isnan(growth.annual_return(np.array([0.5]), 98_280.0))


@pytest.mark.parametrize("last", [-1.0, -1.5])
def test_when_all_is_lost_the_year_lost_all(last: float) -> None:
    returns = np.array([0.1, last, 0.0])
    assert growth.annual_return(returns, 252.0) == -1.0
    assert drawdown.max_drawdown(returns) == pytest.approx(-last)


def test_no_trades_have_no_figures() -> None:
    none = np.zeros(0)
    figures = (round_trips.win_rate, round_trips.profit_factor, round_trips.expectancy)
    assert all(math.isnan(figure(none)) for figure in figures)
    assert math.isnan(round_trips.profit_factor(np.array([5.0])))
    assert math.isnan(activity.exposure(none))
    assert math.isnan(activity.average_gross(np.ones(2), np.zeros(2)))


def test_a_benchmark_that_stands_still_explains_nothing() -> None:
    found = alpha_beta(np.array([0.1, 0.2, 0.3]), np.full(3, 0.1), 252.0)
    assert math.isnan(found.alpha)
    assert math.isnan(found.beta)


def test_rolling_figures_of_flat_or_short_returns_are_nan() -> None:
    flat, other = np.full(6, 0.1), np.arange(6.0)
    assert np.isnan(rolling_sharpe(flat, 3, 252.0)).all()
    assert np.isnan(rolling_beta(other, flat, 3)).all()
    assert np.isnan(rolling_beta(other, other, 7)).all()
    assert np.isnan(rolling_volatility(other, 7, 252.0)).all()
