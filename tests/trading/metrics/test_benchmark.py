import numpy as np
import pytest
import statsmodels.api as sm

from trading.errors import DataError
from trading.metrics.benchmark import alpha_beta
from trading.metrics.rolling import rolling_beta, rolling_sharpe, rolling_volatility

RNG = np.random.default_rng(3)
BENCHMARK = RNG.normal(0.0005, 0.01, 300)
RETURNS = 0.0002 + 1.3 * BENCHMARK + RNG.normal(0, 0.004, 300)


def test_alpha_and_beta_are_the_line_of_least_squares() -> None:
    fit = sm.OLS(RETURNS, sm.add_constant(BENCHMARK)).fit()
    found = alpha_beta(RETURNS, BENCHMARK, 252.0)
    assert found.alpha == pytest.approx(fit.params[0] * 252.0)
    assert found.beta == pytest.approx(fit.params[1])


def test_unknown_bars_of_the_benchmark_are_left_out() -> None:
    holes = BENCHMARK.copy()
    holes[[0, 17]] = np.nan
    known = ~np.isnan(holes)
    expected = alpha_beta(RETURNS[known], BENCHMARK[known], 252.0)
    assert alpha_beta(RETURNS, holes, 252.0) == expected


def test_a_benchmark_of_another_length_is_refused() -> None:
    with pytest.raises(DataError, match="299 returns and the result 300"):
        alpha_beta(RETURNS, BENCHMARK[1:], 252.0)


def test_rolling_figures_equal_the_figures_of_each_window() -> None:
    window = 20
    beta = rolling_beta(RETURNS, BENCHMARK, window)
    ratio = rolling_sharpe(RETURNS, window, 252.0)
    risk = rolling_volatility(RETURNS, window, 252.0)
    assert all(np.isnan(each[: window - 1]).all() for each in (beta, ratio, risk))
    for row in range(window - 1, RETURNS.size):
        own, other = (each[row - window + 1 : row + 1] for each in (RETURNS, BENCHMARK))
        assert beta[row] == pytest.approx(np.polyfit(other, own, 1)[0])
        deviation = own.std(ddof=1)
        assert risk[row] == pytest.approx(deviation * 252**0.5)
        assert ratio[row] == pytest.approx(own.mean() / deviation * 252**0.5)


def test_a_missing_return_blanks_its_windows() -> None:
    holes = BENCHMARK.copy()
    holes[100] = np.nan
    blank = np.isnan(rolling_beta(RETURNS, holes, 10))
    assert np.flatnonzero(blank).tolist() == [*range(9), *range(100, 110)]
