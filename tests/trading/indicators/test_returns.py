import numpy as np
import pytest

from trading.indicators.returns import realised_volatility, simple_returns


def test_returns_of_known_prices() -> None:
    result = simple_returns(np.array([[100.0], [110.0], [99.0]]))
    assert np.isnan(result[0, 0])
    np.testing.assert_allclose(result[1:, 0], [0.1, -0.1])


def test_unknown_price_makes_its_two_returns_unknown() -> None:
    result = simple_returns(np.array([[1.0], [np.nan], [2.0], [4.0]]))
    assert np.isnan(result[:, 0]).tolist() == [True, True, True, False]


def test_volatility_is_the_deviation_of_returns_per_year() -> None:
    close = np.array([[100.0], [110.0], [99.0], [103.0]])
    result = realised_volatility(close, 3)
    assert np.isnan(result[:3]).all()
    daily = np.std([0.1, -0.1, 103.0 / 99.0 - 1.0], ddof=1)
    assert result[3, 0] == pytest.approx(daily * np.sqrt(252))
