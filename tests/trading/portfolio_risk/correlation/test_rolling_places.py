"""Rolling correlation in other libraries than numpy."""

import numpy as np
import pytest

from trading.portfolio_risk.correlation.rolling import rolling_correlation
from trading.portfolio_risk.place import Place

NAMES = ("a", "b", "c")


@pytest.mark.parametrize("library", ["array_api_strict", "torch"])
@pytest.mark.parametrize("bars", [7, 200])
def test_other_library_gives_the_same_correlations(library: str, bars: int) -> None:
    xp = pytest.importorskip(library, reason=f"{library} is not installed")
    returns = np.random.default_rng(1).normal(0, 0.01, (bars, 3))
    returns[2:6, 1] = 0.02
    expected = rolling_correlation(returns, NAMES, 4)
    assert np.isnan(expected[5, 1]).all()
    found = rolling_correlation(returns, NAMES, 4, Place(xp))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14)


def test_every_window_is_its_own_whatever_is_computed_together() -> None:
    returns = np.random.default_rng(2).normal(0, 0.01, (1_200, 30))
    names = tuple(str(number) for number in range(30))
    found = rolling_correlation(returns, names, 10)  # 436 windows at a time
    for end in (10, 445, 446, 447, 1_200):
        expected = np.corrcoef(returns[end - 10 : end], rowvar=False)
        np.testing.assert_allclose(found[end - 1], expected, atol=1e-12)
    assert np.isnan(found[:9]).all()
    assert not np.isnan(found[9:]).any()
