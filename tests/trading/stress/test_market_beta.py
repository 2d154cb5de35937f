import numpy as np
import pytest
from scipy.stats import linregress

from trading.errors import DataError
from trading.stress.market_beta import market_betas

NAMES = ("A", "B", "C")


def returns_of_three() -> np.ndarray:
    return np.random.default_rng(1).normal(0.0, 0.01, (250, 3))


def test_when_market_is_given_betas_are_those_of_a_regression() -> None:
    returns = returns_of_three()
    market = np.random.default_rng(2).normal(0.0, 0.01, 250) + returns[:, 0]
    expected = [linregress(market, returns[:, column]).slope for column in range(3)]
    assert market_betas(returns, NAMES, market) == pytest.approx(expected, rel=1e-10)


def test_when_no_market_is_given_betas_to_the_mean_average_to_one() -> None:
    returns = returns_of_three()
    betas = market_betas(returns, NAMES)
    slope = linregress(returns.mean(axis=1), returns[:, 1]).slope
    assert betas.mean() == pytest.approx(1.0)
    assert betas[1] == pytest.approx(slope)


def test_when_market_cannot_explain_anything_error_says_why() -> None:
    returns = returns_of_three()
    with pytest.raises(DataError, match="the market does not move"):
        market_betas(returns, NAMES, np.full(250, 0.001))
    with pytest.raises(DataError, match="250 finite returns"):
        market_betas(returns, NAMES, np.zeros(3))
    with pytest.raises(DataError, match="250 finite returns"):
        market_betas(returns, NAMES, np.full(250, np.nan))
    returns[:, 1] = np.nan
    with pytest.raises(DataError, match="B has no returns at all"):
        market_betas(returns, NAMES)
