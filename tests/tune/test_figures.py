from math import isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.backtest.engine import run_backtest
from trading.metrics.drawdown import max_drawdown
from trading.metrics.growth import annual_return, total_return
from trading.metrics.periods_per_year import periods_per_year
from trading.metrics.ratios import sharpe
from trading.strategies.mean_reversion import MeanReversion
from trading.strategies.strategy import Bars
from tune.figures import COURSE_FIGURES, FIGURES, course_figures, figures_of

RETURNS = st.lists(st.floats(-0.5, 0.5, allow_nan=False), min_size=2, max_size=40)


@settings(deadline=None, max_examples=200)
@given(RETURNS)
def test_figures_of_the_course_equal_those_of_the_returns(values: list[float]) -> None:
    returns = np.array(values)
    equity = 1000.0 * np.cumprod(1.0 + returns)
    found = dict(zip(COURSE_FIGURES, course_figures(equity, 1000.0, 252.0), strict=True))
    assert found["total_return"] == pytest.approx(total_return(returns), rel=1e-9, abs=1e-12)
    assert found["annual_return"] == pytest.approx(
        annual_return(returns, 252.0), rel=1e-6, abs=1e-9, nan_ok=True
    )
    assert found["max_drawdown"] == pytest.approx(max_drawdown(returns), rel=1e-9, abs=1e-12)
    if np.ptp(returns) > 1e-6:
        expected = float(np.std(returns, ddof=1)) * 252.0**0.5
        assert found["volatility"] == pytest.approx(expected, rel=1e-6)
        assert found["sharpe"] == pytest.approx(sharpe(returns, 252.0), rel=1e-6, abs=1e-9)


def test_course_of_a_backtest_has_the_figures_of_its_summary(bars: Bars) -> None:
    result = run_backtest(bars, MeanReversion(window_bars=20).targets(bars))
    figures = figures_of(result)
    assert tuple(figures) == FIGURES
    capital = result.settings.initial_cash
    course = course_figures(result.equity, capital, periods_per_year(bars.ts))
    for name, value in zip(COURSE_FIGURES, course, strict=True):
        assert value == pytest.approx(figures[name], rel=1e-9), name


def test_account_that_never_moves_has_no_sharpe_ratio() -> None:
    figures = course_figures(np.full(5, 10.0), 10.0, 252.0)
    assert figures[0] == figures[2] == figures[4] == 0.0
    assert isnan(figures[3])


def test_ruined_account_has_lost_everything() -> None:
    total, annual, *_, drawdown = course_figures(np.array([5.0, 0.0, 0.0]), 10.0, 252.0)
    assert (total, annual, drawdown) == (-1.0, -1.0, 1.0)
