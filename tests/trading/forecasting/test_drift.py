import itertools
import math
import statistics

import numpy as np
import pytest

from trading.forecasting.drift import Drift
from trading.strategies.signals import FORECAST_DEVIATION, FORECAST_RETURN
from trading.strategies.strategy import Bars


@pytest.mark.parametrize("drift", [Drift(horizon=10, fit_bars=60), Drift(horizon=1, fit_bars=10)])
def test_forecast_is_that_of_the_loop(drift: Drift, bars: Bars) -> None:
    made = drift.forecast(bars)
    for row in range(80, len(bars), 61):
        for column in range(bars.close.shape[1]):
            logs = [math.log(price) for price in bars.close[row - drift.fit_bars : row + 1, column]]
            returns = [newer - older for older, newer in itertools.pairwise(logs)]
            assert len(returns) == drift.fit_bars
            mean = statistics.fmean(returns) * drift.horizon
            own = drift.horizon * statistics.variance(returns)
            of_the_mean = drift.horizon**2 * statistics.variance(returns) / len(returns)
            variance = own + of_the_mean
            growth = math.exp(mean + variance / 2)
            assert made[FORECAST_RETURN][row, column] == pytest.approx(growth - 1, abs=1e-12)
            spread = growth * math.sqrt(math.exp(variance) - 1)
            assert made[FORECAST_DEVIATION][row, column] == pytest.approx(spread, rel=1e-9)


def test_horizons_share_the_moments(bars: Bars) -> None:
    fresh = bars.rows(0, len(bars))
    far = Drift(horizon=20).forecast(fresh)[FORECAST_RETURN]
    np.testing.assert_array_equal(far, Drift(horizon=20).forecast(bars)[FORECAST_RETURN])
    Drift(horizon=5).forecast(fresh)
    assert [key for key in fresh._derived if "drift" in key] == [("drift", 252)]


@pytest.mark.parametrize(("name", "value"), [("horizon", 0), ("fit_bars", 9), ("horizon", 2.5)])
def test_parameter_out_of_range_is_named(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"Drift: {name} must be a whole number"):
        Drift(**{name: value})  # type: ignore[arg-type]
