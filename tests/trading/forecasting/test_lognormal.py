import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import lognorm

from trading.forecasting.lognormal import simple_return_signals
from trading.strategies.signals import FORECAST_DEVIATION, FORECAST_RETURN


def signals(mean: float, deviation: float) -> tuple[float, float]:
    made = simple_return_signals(np.array([[mean]]), np.array([[deviation]]))
    return float(made[FORECAST_RETURN][0, 0]), float(made[FORECAST_DEVIATION][0, 0])


@given(st.floats(-1.0, 1.0), st.floats(1e-3, 1.0))
@settings(deadline=None, max_examples=100)
def test_moments_are_those_of_the_lognormal_distribution(mean: float, deviation: float) -> None:
    expected, spread = signals(mean, deviation)
    growth = lognorm(s=deviation, scale=math.exp(mean))
    assert expected == pytest.approx(growth.mean() - 1.0, rel=1e-9, abs=1e-12)
    assert spread == pytest.approx(growth.std(), rel=1e-6)


@pytest.mark.parametrize(
    ("mean", "deviation"),
    [(math.nan, 0.1), (0.1, math.nan), (0.1, 0.0), (0.1, 1e-13), (1e3, 0.1), (0.1, 1e3)],
)
def test_no_forecast_where_a_moment_is_unknown_nothing_or_absurd(
    mean: float, deviation: float
) -> None:
    assert all(math.isnan(number) for number in signals(mean, deviation))
