"""The running quadratic form against the matrix product."""

from math import inf, nan, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from trading.data import Bar, BarSlice
from trading.identifiers import InstrumentId
from trading.risk.variance import BARS_MIN, AccountVariance, normal_quantile

NAMES = tuple(InstrumentId(f"{name}.X") for name in "ABCD")


def slices(close: np.ndarray) -> list[BarSlice]:
    return [
        BarSlice(
            sequence=row + 1,
            bars=tuple(
                Bar(instrument_id=name, open=px, high=px, low=px, close=px)
                for name, px in zip(NAMES, prices, strict=True)
                if not np.isnan(px)
            ),
        )
        for row, prices in enumerate(close.tolist())
    ]


def walk(rows: int = 200, seed: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    common = rng.normal(0, 0.01, (rows, 1))
    close: np.ndarray = 100 * np.exp(np.cumsum(common + rng.normal(0, 0.005, (rows, 4)), axis=0))
    return close


def learned(close: np.ndarray, decay: float = 0.97) -> AccountVariance:
    variance = AccountVariance(NAMES, decay, 0.8)
    for slice_ in slices(close):
        variance.learn(slice_)
    return variance


def average(close: np.ndarray, decay: float) -> np.ndarray:
    returns = close[1:] / close[:-1] - 1
    covariance = np.outer(returns[0], returns[0])
    for row in returns[1:]:
        covariance = decay * covariance + (1 - decay) * np.outer(row, row)
    return covariance


def test_covariance_is_the_weighted_average_of_products() -> None:
    close = walk()
    np.testing.assert_allclose(
        learned(close, 0.94).covariance(), average(close, 0.94), rtol=1e-12, atol=0
    )


def test_history_that_is_wanted_forgets_the_start() -> None:
    wanted = AccountVariance(NAMES, 0.97, 0.8).bars_wanted
    assert 0.97 ** (wanted - 1) <= 0.01
    assert AccountVariance(NAMES, 0.5, 0.8).bars_wanted == BARS_MIN + 1


EXPOSURES = st.lists(
    st.tuples(st.sampled_from(NAMES), st.floats(-1e6, 1e6, allow_nan=False)), max_size=20
)


@given(EXPOSURES, st.sampled_from(NAMES), st.floats(-1e6, 1e6))
@settings(deadline=None, max_examples=60)
def test_deviation_with_an_order_is_that_of_the_matrix_product(
    changes: list[tuple[InstrumentId, float]], name: InstrumentId, exposure: float
) -> None:
    close = walk()
    variance = learned(close[:150])
    held = np.zeros(4)
    for key, value in changes:
        variance.set_exposure(key, value)
        held[NAMES.index(key)] = value
    for slice_ in slices(close)[150:]:
        variance.learn(slice_)
    covariance = variance.covariance()
    scale = max(1.0, float(np.abs(held).max()), abs(exposure))
    assert variance.deviation == pytest.approx(
        sqrt(max(0.0, held @ covariance @ held)), rel=1e-6, abs=1e-7 * scale
    )
    held[NAMES.index(name)] = exposure
    assert variance.deviation_with(name, exposure) == pytest.approx(
        sqrt(max(0.0, held @ covariance @ held)), rel=1e-6, abs=1e-7 * scale
    )


def test_too_few_bars_are_no_measure() -> None:
    close = walk(BARS_MIN)  # one return too few
    variance = learned(close)
    assert variance.deviation_with(NAMES[0], 1.0) is None
    assert variance.correlated_exposure(NAMES[0], 1.0) is None
    assert learned(walk(BARS_MIN + 1)).deviation_with(NAMES[0], 1.0) is not None


def test_held_instrument_without_returns_leaves_nothing_measured() -> None:
    close = walk()
    close[:, 3] = nan
    variance = learned(close)
    assert variance.deviation_with(NAMES[0], 100.0) is not None
    variance.set_exposure(NAMES[3], 5.0)
    assert variance.deviation_with(NAMES[0], 100.0) is None


@pytest.mark.parametrize("bad", [nan, inf, -inf, 0.0, -5.0])
def test_bad_close_is_no_return(bad: float) -> None:
    close = walk()
    expected = learned(close).covariance()
    broken = slices(close)
    extra = Bar(instrument_id=NAMES[0], open=bad, high=bad, low=bad, close=bad)
    variance = AccountVariance(NAMES, 0.97, 0.8)
    for slice_ in broken[:-1]:
        variance.learn(slice_)
    before = variance.covariance()
    variance.learn(BarSlice(sequence=1_000, bars=(extra,)))
    np.testing.assert_allclose(variance.covariance(), before * 0.97, rtol=1e-12)
    assert np.isfinite(expected).all()


def test_slice_that_comes_twice_counts_once() -> None:
    close = walk()
    variance = learned(close)
    before = variance.covariance()
    variance.learn(slices(close)[-1])
    np.testing.assert_array_equal(variance.covariance(), before)


def test_correlated_exposure_counts_what_loses_together() -> None:
    rng = np.random.default_rng(5)
    common = rng.normal(0, 0.01, 300)
    own = rng.normal(0, 0.0001, (300, 4))
    steps = np.column_stack([common, common, -common, rng.normal(0, 0.01, 300)]) + own
    variance = learned(100 * np.exp(np.cumsum(steps, axis=0)))
    for name, exposure in zip(NAMES[1:], (10.0, -20.0, 40.0), strict=True):
        variance.set_exposure(name, exposure)
    # A with B on the same side, and with C, its mirror image, on the other.
    assert variance.correlated_exposure(NAMES[0], 5.0) == pytest.approx(35.0)
    assert variance.correlated_exposure(NAMES[0], -5.0) == pytest.approx(5.0)


def test_quantile_is_the_normal_one() -> None:
    assert normal_quantile(0.99) == pytest.approx(norm.ppf(0.99), rel=1e-12)
    assert normal_quantile(0.99) > normal_quantile(0.95)
