import numpy as np
import pytest
from scipy.special import betainc, betaln

from trading.allocation.kelly.estimation_error import estimation_shrinkage, shrinkage_of
from trading.errors import DataError
from trading.indicators.rolling import FloatArray

NAMES = tuple("ABCDEFGHIJ")


def sample(rng: np.random.Generator, bars: int, mean: FloatArray) -> FloatArray:
    return mean + 0.02 * rng.normal(size=(bars, len(mean)))


def test_best_multiple_out_of_sample_is_the_formula() -> None:
    """Expected m'w c - w'w c^2 / 2 over samples, for the plug-in weights w, is greatest at c = E m'w / E w'w."""
    rng = np.random.default_rng(0)
    bars, mean = 60, np.full(4, 0.004)
    linear, square = 0.0, 0.0
    for _ in range(6000):
        returns = sample(rng, bars, mean)
        weights = np.linalg.solve(np.cov(returns, rowvar=False), returns.mean(axis=0))
        linear += mean @ weights
        square += 0.02**2 * weights @ weights
    best = linear / square
    assert shrinkage_of(4 * 0.2**2, bars, 4) == pytest.approx(best, rel=0.03)


def test_estimate_is_the_published_formula() -> None:
    """Written out with the incomplete beta function (equation 45 of the paper)."""
    returns = sample(np.random.default_rng(3), 120, np.linspace(0.0, 0.006, 10))
    bars, assets = returns.shape
    mean, covariance = returns.mean(axis=0), np.cov(returns, rowvar=False, ddof=0)
    square = mean @ np.linalg.inv(covariance) @ mean
    a, b, share = assets / 2, (bars - assets) / 2, square / (1 + square)
    incomplete = betainc(a, b, share) * np.exp(betaln(a, b))
    adjusted = ((bars - assets - 2) * square - assets) / bars + 2 * square**a * (1 + square) ** (
        -(bars - 2) / 2
    ) / (bars * incomplete)
    inverse = (bars - assets - 1) * (bars - assets - 4) / (bars * (bars - 2))
    expected = inverse * adjusted / (adjusted + assets / bars) * bars / (bars - 1)
    assert estimation_shrinkage(returns, NAMES) == pytest.approx(expected, rel=1e-9)


def test_shrunk_weights_do_better_out_of_sample() -> None:
    rng = np.random.default_rng(1)
    mean = np.linspace(-0.001, 0.002, 10)
    plain, shrunk = [], []
    for _ in range(200):
        returns = sample(rng, 150, mean)
        weights = np.linalg.solve(np.cov(returns, rowvar=False), returns.mean(axis=0))
        for factor, found in ((1.0, plain), (estimation_shrinkage(returns, NAMES), shrunk)):
            held = factor * weights
            found.append(mean @ held - 0.02**2 * held @ held / 2)
    assert np.mean(shrunk) > np.mean(plain) + 5 * np.std(plain) / np.sqrt(200)


def test_noise_is_shrunk_away_and_a_sure_thing_is_not() -> None:
    rng = np.random.default_rng(2)
    noise = sample(rng, 250, np.zeros(10))
    sure = sample(rng, 5000, np.full(10, 0.02))
    assert 0.0 <= estimation_shrinkage(noise, NAMES) < 0.35
    assert 0.97 < estimation_shrinkage(sure, NAMES) < 1.0


def test_too_few_returns_are_refused() -> None:
    returns = sample(np.random.default_rng(0), 14, np.zeros(10))
    with pytest.raises(DataError, match="14 returns of 10 assets, at least 15 are needed"):
        estimation_shrinkage(returns, NAMES)


def test_singular_returns_are_refused() -> None:
    returns = sample(np.random.default_rng(0), 100, np.zeros(10))
    returns[:, 1] = returns[:, 0]
    with pytest.raises(DataError, match="singular"):
        estimation_shrinkage(returns, NAMES)
