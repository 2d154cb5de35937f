import numpy as np
import pytest

from trading.errors import DataError
from trading.valuation.zero_curve import ZeroCurve

CURVE = ZeroCurve(np.array([1.0, 2.0, 5.0]), np.array([0.01, 0.03, 0.06]))


def test_rate_is_linear_between_knots_and_flat_beyond() -> None:
    years = np.array([0.0, 0.5, 1.5, 3.5, 8.0])
    rates = np.array([0.01, 0.01, 0.02, 0.045, 0.06])
    np.testing.assert_allclose(CURVE.discount(years), np.exp(-rates * years), rtol=1e-15)


def test_weights_of_the_knots_give_the_rate_and_sum_to_one() -> None:
    years = np.linspace(0.0, 9.0, 31)
    weights = CURVE.knot_weights(years)
    assert weights.shape == (31, 3)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, rtol=1e-14)
    np.testing.assert_allclose(
        np.exp(-(weights @ CURVE.rates) * years), CURVE.discount(years), rtol=1e-14
    )


def test_shift_moves_all_rates_or_each_its_own() -> None:
    np.testing.assert_allclose(CURVE.shifted(0.01).rates, [0.02, 0.04, 0.07])
    np.testing.assert_allclose(CURVE.shifted(np.array([0.0, 0.0, 0.01])).rates, [0.01, 0.03, 0.07])
    np.testing.assert_array_equal(CURVE.rates, [0.01, 0.03, 0.06])


@pytest.mark.parametrize(
    ("years", "rates", "message"),
    [
        ([], [], "at least one"),
        ([1.0], [0.01, 0.02], "one rate for each time"),
        ([2.0, 1.0], [0.01, 0.02], "rise from 0"),
        ([-1.0, 1.0], [0.01, 0.02], "rise from 0"),
        ([1.0], [np.inf], "finite"),
    ],
)
def test_unusable_curve_is_refused(years: list[float], rates: list[float], message: str) -> None:
    with pytest.raises(DataError, match=message):
        ZeroCurve(np.array(years), np.array(rates))
