from typing import Any

import numpy as np
import pytest

from trading.errors import DataError, UsageError
from trading.indicators.rolling import FloatArray
from trading.valuation.black_scholes import black_scholes_greeks, black_scholes_price
from trading.valuation.bumps import ladder, slope_and_curvature

TERMS: dict[str, Any] = {
    "spot": 100.0,
    "strike": np.array([90.0, 100.0, 120.0]),
    "years": 0.5,
    "rate": 0.03,
    "volatility": 0.25,
}


def cubic(x: float, scale: float) -> float:
    return scale * (x**3 - 2.0 * x)


def test_slope_and_curvature_of_a_cubic_are_those_by_hand() -> None:
    bump = slope_and_curvature(cubic, {"x": 2.0, "scale": 3.0}, "x", 1e-4)
    assert bump.slope == pytest.approx(3.0 * (3.0 * 4.0 - 2.0), rel=1e-7)
    assert bump.curvature == pytest.approx(3.0 * 6.0 * 2.0, rel=1e-6)


@pytest.mark.parametrize(
    ("name", "size", "greek", "sign"),
    [
        ("spot", 0.05, "delta", 1),
        ("volatility", 1e-4, "vega", 1),
        ("rate", 1e-4, "rho", 1),
        ("years", 1e-4, "theta", -1),
    ],
)
def test_bumps_of_options_are_their_greeks(name: str, size: float, greek: str, sign: int) -> None:
    exact = black_scholes_greeks(**TERMS)
    bump = slope_and_curvature(black_scholes_price, TERMS, name, size)
    np.testing.assert_allclose(sign * bump.slope, getattr(exact, greek), rtol=1e-5)
    if name == "spot":
        np.testing.assert_allclose(bump.curvature, exact.gamma, rtol=1e-4)


def test_error_of_the_slope_falls_with_the_square_of_the_bump() -> None:
    exact = black_scholes_greeks(**TERMS).delta
    coarse, fine = (
        np.abs(slope_and_curvature(black_scholes_price, TERMS, "spot", size).slope - exact).max()
        for size in (4.0, 0.4)
    )
    assert coarse / fine == pytest.approx(100.0, rel=0.1)


def test_ladder_is_the_gain_of_full_repricing() -> None:
    gains = ladder(black_scholes_price, TERMS, "spot", (-0.2, 0.0, 0.1), is_relative=True)
    assert gains.shape == (3, 3)
    now = black_scholes_price(**TERMS)
    for gain, spot in zip(gains, (80.0, 100.0, 110.0), strict=True):
        np.testing.assert_allclose(
            gain, black_scholes_price(**{**TERMS, "spot": spot}) - now, atol=1e-12
        )
    moves = ladder(black_scholes_price, TERMS, "volatility", (0.1,))
    np.testing.assert_allclose(moves[0], black_scholes_price(**{**TERMS, "volatility": 0.35}) - now)


def test_array_parameter_is_shifted_as_a_whole() -> None:
    def worth(rates: FloatArray) -> float:
        return float(np.exp(-rates).sum())

    bump = slope_and_curvature(worth, {"rates": np.array([0.0, 0.1])}, "rates", 1e-4)
    assert bump.slope == pytest.approx(-1.0 - np.exp(-0.1), rel=1e-7)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: slope_and_curvature(cubic, {"x": 1.0, "scale": 1.0}, "y", 0.1),
            UsageError,
            "no parameter 'y' .* x, scale",
        ),
        (
            lambda: slope_and_curvature(cubic, {"x": 1.0, "scale": 1.0}, "x", 0.0),
            UsageError,
            "positive number, got 0.0",
        ),
        (
            lambda: ladder(cubic, {"x": 1.0, "scale": 1.0}, "x", ()),
            UsageError,
            "at least one shift",
        ),
        (
            lambda: ladder(lambda x: np.nan, {"x": 1.0}, "x", (0.1,)),
            DataError,
            "not finite when x moves by 0.0",
        ),
    ],
)
def test_impossible_bump_is_refused(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
