"""Random walk with drift: the naive forecast that every other has to beat.

Source: Hyndman and Athanasopoulos (2021), "Forecasting: Principles and Practice", 3rd ed., sections 5.2 and 5.5:
the mean of the past returns goes on, with the deviation s * sqrt(h * (1 + h / n)), whose second term is
the uncertainty of the mean.

Assumes independent returns of constant mean and deviation. The mean of a year of daily returns is mostly
noise: a rule that trades on it follows a slow trend.
"""

import msgspec
import numpy as np

from trading.forecasting.log_returns import log_returns
from trading.forecasting.lognormal import simple_return_signals
from trading.indicators.rolling import FloatArray
from trading.indicators.windows import moving_mean_and_deviation
from trading.strategies.strategy import Bars, require_range


class Drift(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The mean and the deviation of the trailing log returns, carried forward at every bar.

    Attributes
    ----------
    horizon : int
        How far the forecast reaches (bars, 1 to 252).
    fit_bars : int
        Returns in the mean and the deviation (bars, 10 to 2520).
    """

    horizon: int = 5
    fit_bars: int = 252

    def __post_init__(self) -> None:
        require_range(self, "horizon", 1, 252)
        require_range(self, "fit_bars", 10, 2520)

    @property
    def lookback(self) -> int:
        """The prices of the returns."""
        return self.fit_bars + 1

    def forecast(self, bars: Bars) -> dict[str, FloatArray]:
        """Return the two signals (time, instrument). See `forecaster.Forecaster`."""
        mean, deviation = bars.derived(
            ("drift", self.fit_bars),
            lambda: moving_mean_and_deviation(log_returns(bars), self.fit_bars, ddof=1),
        )
        reach = np.sqrt(self.horizon * (1.0 + self.horizon / self.fit_bars))
        return simple_return_signals(self.horizon * mean, reach * deviation)
