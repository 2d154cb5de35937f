"""Estimates of correlation against pandas, scikit-learn, skfolio and loops."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.covariance import ledoit_wolf

from actors.feeds.sources import load_prices
from trading.errors import DataError, UsageError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.correlation.denoised import denoised_correlation, factor_count
from trading.portfolio_risk.correlation.exponential import ewma_correlation, ewma_covariance
from trading.portfolio_risk.correlation.ledoit_wolf import (
    ledoit_wolf_correlation,
    ledoit_wolf_covariance,
)
from trading.portfolio_risk.correlation.methods import METHODS, correlate
from trading.portfolio_risk.correlation.rolling import rolling_correlation
from trading.portfolio_risk.correlation.sample import correlation_of, sample_correlation

STOCKS = ("AAPL", "KO", "JPM", "XOM", "WMT", "GE", "MSFT", "PFE")


@pytest.fixture(scope="module")
def stocks() -> FloatArray:
    close = np.asarray(load_prices("sp500", STOCKS).close)[-500:]
    return close[1:] / close[:-1] - 1.0


def letters(count: int) -> tuple[str, ...]:
    return tuple(f"A{number}" for number in range(count))


def with_factors(seed: int, bars: int, assets: int, factors: int) -> FloatArray:
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(bars, factors)) @ rng.normal(size=(factors, assets))
    return 0.01 * np.clip(common + rng.normal(size=(bars, assets)), -50, 50)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    bars=st.integers(130, 200),
    assets=st.integers(1, 12),
    method=st.sampled_from(sorted(METHODS)),
)
def test_every_method_gives_a_correlation(seed: int, bars: int, assets: int, method: str) -> None:
    found = correlate(method, with_factors(seed, bars, assets, 1), letters(assets))
    assert (found == found.T).all()
    assert (np.diag(found) == 1.0).all()
    assert np.abs(found).max() <= 1.0
    assert np.linalg.eigvalsh(found)[0] >= -1e-9


@pytest.mark.parametrize("method", ["sample", "ewma", "ledoit_wolf", "denoised"])
def test_more_assets_than_returns_still_give_a_correlation(method: str) -> None:
    found = correlate(method, with_factors(0, 10, 30, 2), letters(30))
    assert np.linalg.eigvalsh(found)[0] >= -1e-12
    assert (np.diag(found) == 1.0).all()


def test_sample_is_that_of_pandas(stocks: FloatArray) -> None:
    assert sample_correlation(stocks, STOCKS) == pytest.approx(
        pd.DataFrame(stocks).corr().to_numpy()
    )


def test_two_assets_by_hand() -> None:
    """Deviations (-1, 0, 1) and (-1, 2, -1) / ...: products sum to 0; with (1, 2, 4) they give 3 / sqrt(2 x 14 / 3)."""
    returns = np.array([[0.01, 0.03, 0.01], [0.02, 0.06, 0.02], [0.03, 0.03, 0.04]])
    found = sample_correlation(returns, ("A", "B", "C"))
    assert found[0, 1] == pytest.approx(0.0, abs=1e-12)
    assert found[0, 2] == pytest.approx(3.0 / np.sqrt(2.0 * 14.0 / 3.0))


def test_ewma_is_that_of_pandas_and_of_a_loop(stocks: FloatArray) -> None:
    found = ewma_covariance(stocks, STOCKS, decay=0.97)
    frame = pd.DataFrame({"xy": stocks[:, 0] * stocks[:, 3], "xx": stocks[:, 0] ** 2})
    last = frame.ewm(alpha=0.03, adjust=True).mean().iloc[-1]
    assert found[0, 3] == pytest.approx(last["xy"], rel=1e-9)
    assert found[0, 0] == pytest.approx(last["xx"], rel=1e-9)
    total, weight = np.zeros((8, 8)), 0.0
    for row in stocks:
        total, weight = 0.97 * total + np.outer(row, row), 0.97 * weight + 1.0
    assert found == pytest.approx(total / weight)
    scale = np.sqrt(np.diag(total))
    assert ewma_correlation(stocks, STOCKS, 0.97) == pytest.approx(total / np.outer(scale, scale))


def test_half_of_the_ewma_weight_lies_on_the_last_eleven() -> None:
    returns = np.ones((500, 1)) * 0.01
    returns[-11:] = 0.0
    assert ewma_covariance(returns, ("A",))[0, 0] == pytest.approx(0.5e-4, rel=0.02)


@pytest.mark.parametrize(("bars", "assets"), [(500, 8), (60, 8), (20, 40)])
def test_ledoit_wolf_is_that_of_scikit_learn(bars: int, assets: int) -> None:
    returns = with_factors(1, bars, assets, 2)
    covariance, intensity = ledoit_wolf_covariance(returns, letters(assets))
    expected, shrinkage = ledoit_wolf(returns)
    assert intensity == pytest.approx(shrinkage, rel=1e-9)
    assert covariance == pytest.approx(expected, rel=1e-9)
    scores = (returns - returns.mean(axis=0)) / returns.std(axis=0)
    expected, _ = ledoit_wolf(scores)
    assert ledoit_wolf_correlation(returns, letters(assets)) == pytest.approx(expected, abs=1e-12)


def test_ledoit_wolf_can_be_inverted_and_is_nearer_to_the_truth() -> None:
    truth = np.full((30, 30), 0.3) + 0.7 * np.eye(30)
    rng = np.random.default_rng(0)
    returns = 0.01 * rng.multivariate_normal(np.zeros(30), truth, 25)
    shrunk, sample = (correlate(name, returns, letters(30)) for name in ("ledoit_wolf", "sample"))
    assert np.linalg.eigvalsh(shrunk)[0] > 0.05
    assert np.linalg.norm(shrunk - truth) < np.linalg.norm(sample - truth)


@pytest.mark.parametrize("factors", [0, 1, 3])
def test_planted_factors_are_counted(factors: int) -> None:
    assert factor_count(with_factors(4, 1500, 40, factors), letters(40)) == factors


def test_pure_noise_seldom_has_a_factor() -> None:
    found = [factor_count(with_factors(seed, 250, 10, 0), letters(10)) for seed in range(300)]
    assert 0.003 < np.mean(np.array(found) > 0) < 0.08  # nor is the edge far above all noise


def test_noise_is_cleaned_to_the_mean_of_its_eigenvalues() -> None:
    """What remains, done by hand: keep three, average the rest, rescale to a diagonal of ones."""
    returns = with_factors(4, 1500, 40, 3)
    values, vectors = np.linalg.eigh(np.corrcoef(returns, rowvar=False))
    values[:-3] = values[:-3].mean()
    cleaned = vectors @ np.diag(values) @ vectors.T
    scale = np.sqrt(np.diag(cleaned))
    found = denoised_correlation(returns, letters(40))
    assert found == pytest.approx(cleaned / np.outer(scale, scale), abs=1e-12)


@pytest.mark.parametrize(
    ("bars", "assets", "factors"), [(1500, 40, 3), (1500, 40, 1), (400, 60, 2)]
)
def test_denoised_is_that_of_skfolio_where_both_see_as_many_factors(
    bars: int, assets: int, factors: int
) -> None:
    from skfolio.moments import DenoiseCovariance

    returns = with_factors(4, bars, assets, factors)
    assert factor_count(returns, letters(assets)) == factors
    expected = correlation_of(DenoiseCovariance().fit(returns).covariance_, letters(assets))
    assert denoised_correlation(returns, letters(assets)) == pytest.approx(expected, abs=1e-9)


def test_denoised_is_nearer_to_the_truth() -> None:
    truth = np.kron(np.eye(2), np.full((20, 20), 0.3)) + 0.1
    np.fill_diagonal(truth, 1.0)
    for seed in range(5):
        rng = np.random.default_rng(seed)
        returns = 0.01 * rng.multivariate_normal(np.zeros(40), truth, 120)
        clean, sample = (correlate(name, returns, letters(40)) for name in ("denoised", "sample"))
        ratio = np.linalg.norm(clean - truth) / np.linalg.norm(sample - truth)
        assert ratio < 0.8


def test_rolling_is_that_of_pandas(stocks: FloatArray) -> None:
    found = rolling_correlation(stocks, STOCKS, 60)
    frame = pd.DataFrame(stocks)
    assert found.shape == (len(stocks), 8, 8)
    assert np.isnan(found[:59]).all()
    expected = frame[0].rolling(60).corr(frame[5]).to_numpy()
    np.testing.assert_allclose(found[:, 0, 5], expected, atol=1e-9)
    assert found[-1] == pytest.approx(np.corrcoef(stocks[-60:], rowvar=False))
    assert np.linalg.eigvalsh(found[59:]).min() > -1e-12


def test_rolling_does_not_know_an_asset_that_stands_still() -> None:
    returns = with_factors(0, 30, 3, 1)
    returns[10:20, 1] = 0.0
    found = rolling_correlation(returns, letters(3), 5)
    assert np.isnan(found[14, 1]).all()
    assert np.isnan(found[14, :, 1]).all()
    assert np.isfinite(found[14][np.ix_([0, 2], [0, 2])]).all()
    assert np.isfinite(found[-1]).all()


@pytest.mark.parametrize("method", ["sample", "ewma", "ledoit_wolf", "denoised"])
def test_unfit_returns_are_refused_by_name(method: str) -> None:
    returns = with_factors(0, 80, 3, 1)
    still, gap = returns.copy(), returns.copy()
    still[:, 1] = 0.0
    gap[:, 2] = np.nan
    with pytest.raises(DataError, match="A1 does not move"):
        correlate(method, still, letters(3))
    with pytest.raises(DataError, match="A2 has no returns at all"):
        correlate(method, gap, letters(3))
    with pytest.raises(DataError, match="there are 1 returns"):
        correlate(method, returns[:1], letters(3))


def test_unknown_names_and_numbers_are_refused() -> None:
    returns = with_factors(0, 80, 3, 1)
    with pytest.raises(UsageError, match="no correlation 'kendall'; known are: sample, ewma"):
        correlate("kendall", returns, letters(3))
    with pytest.raises(UsageError, match=r"the decay is 1\.0"):
        ewma_covariance(returns, letters(3), 1.0)
    with pytest.raises(UsageError, match="the window is 1 returns"):
        rolling_correlation(returns, letters(3), 1)
    with pytest.raises(DataError, match="at least 100 are needed"):
        rolling_correlation(returns, letters(3), 100)
