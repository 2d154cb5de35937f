"""Betas and their errors against statsmodels; the split of the variance adds up on real prices."""

import numpy as np
import pytest
import statsmodels.api as sm

from actors.feeds.sources import load_prices
from trading.errors import DataError
from trading.indicators.rolling import FloatArray
from trading.valuation.factors import factor_risk, fit_factors

FACTORS = ("market", "spread")


@pytest.fixture(scope="module")
def history() -> tuple[FloatArray, FloatArray, tuple[str, ...]]:
    """The last 500 returns of twenty stocks; factors made of them."""
    table = load_prices("sp500", ())
    close = table.close[-501:]
    returns = close[1:] / close[:-1] - 1.0
    market = returns.mean(axis=1)
    spread = returns[:, :10].mean(axis=1) - returns[:, 10:].mean(axis=1)
    return returns, np.column_stack([market, spread]), tuple(map(str, table.instrument_ids))


def test_betas_and_errors_agree_with_statsmodels(
    history: tuple[FloatArray, FloatArray, tuple[str, ...]],
) -> None:
    returns, factors, names = history
    model = fit_factors(returns, factors, names, FACTORS)
    for column in range(len(names)):
        fit = sm.OLS(returns[:, column], sm.add_constant(factors)).fit()
        np.testing.assert_allclose(model.alpha[column], fit.params[0], rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(model.beta[column], fit.params[1:], rtol=1e-9)
        np.testing.assert_allclose(model.alpha_error[column], fit.bse[0], rtol=1e-9)
        np.testing.assert_allclose(model.beta_error[column], fit.bse[1:], rtol=1e-9)
        np.testing.assert_allclose(model.r_squared[column], fit.rsquared, rtol=1e-9)


def test_variance_is_that_of_factors_plus_that_of_residuals(
    history: tuple[FloatArray, FloatArray, tuple[str, ...]],
) -> None:
    returns, factors, names = history
    exposures = np.linspace(-5_000.0, 20_000.0, len(names))
    risk = factor_risk(fit_factors(returns, factors, names, FACTORS), exposures)
    assert risk.variance == pytest.approx((returns @ exposures).var(ddof=1), rel=1e-11)
    assert risk.factor_contributions.sum() == pytest.approx(risk.factor_variance, rel=1e-14)
    assert risk.residual_variance > 0.0


def test_exposure_is_the_beta_of_the_whole_portfolio(
    history: tuple[FloatArray, FloatArray, tuple[str, ...]],
) -> None:
    returns, factors, names = history
    exposures = np.linspace(-5_000.0, 20_000.0, len(names))
    risk = factor_risk(fit_factors(returns, factors, names, FACTORS), exposures)
    whole = fit_factors((returns @ exposures)[:, None] / 1e6, factors, ("portfolio",), FACTORS)
    np.testing.assert_allclose(risk.exposures, whole.beta[0] * 1e6, rtol=1e-9)


def test_asset_made_of_factors_has_no_residual() -> None:
    generator = np.random.default_rng(5)
    factors = generator.normal(0.0, 0.01, (60, 2))
    returns = (0.001 + factors @ np.array([1.5, -0.5]))[:, None]
    model = fit_factors(returns, factors, ("A",), FACTORS)
    np.testing.assert_allclose(model.beta, [[1.5, -0.5]], rtol=1e-12)
    np.testing.assert_allclose(model.alpha, [0.001], rtol=1e-12)
    risk = factor_risk(model, np.array([1_000.0]))
    np.testing.assert_allclose(risk.exposures, [1_500.0, -500.0], rtol=1e-12)
    assert risk.residual_variance == pytest.approx(0.0, abs=1e-20)


def test_bad_input_is_named() -> None:
    generator = np.random.default_rng(1)
    returns, factors = generator.normal(0.0, 0.01, (50, 2)), generator.normal(0.0, 0.01, (50, 2))
    names = ("A", "B")
    still, gone = returns.copy(), returns.copy()
    still[:, 1] = 0.002
    gone[:, 1] = np.nan
    double = np.column_stack([factors[:, 0], 2.0 * factors[:, 0]])
    flat = np.column_stack([factors[:, 0], np.full(50, 0.001)])
    cases = [
        ((returns[:3], factors[:3]), "3 returns, at least 4"),
        ((returns, factors[1:]), "50 returns and 49 factor returns"),
        ((gone, factors), "B has no returns at all"),
        ((still, factors), "B does not move"),
        ((returns, double), "factor spread is constant or a combination"),
        ((returns, flat), "factor spread is constant or a combination"),
        ((returns[:, :1], factors), r"must be \(time, 2\)"),
    ]
    for (some, others), message in cases:
        with pytest.raises(DataError, match=message):
            fit_factors(some, others, names, FACTORS)
    with pytest.raises(DataError, match="B: the exposure is nan"):
        factor_risk(fit_factors(returns, factors, names, FACTORS), np.array([1.0, np.nan]))
