"""What a forecaster is: a causal function from bars to the signals FORECAST_RETURN and FORECAST_DEVIATION.

    forecast(bars) -> {"forecast_return": (time, instrument), "forecast_deviation": (time, instrument)}

Row t depends on rows t - lookback + 1 to t alone, exactly as for strategies: one call over all history and
calls on trailing windows agree at every bar, and neither can look ahead. Whatever is fitted is fitted on
the past of the row.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from trading.indicators.rolling import FloatArray
from trading.strategies.strategy import Bars


class Forecaster(Protocol):
    """What a backtest needs of a forecaster."""

    @property
    def horizon(self) -> int:
        """How many bars ahead the forecast return reaches (bars, >= 1)."""

    @property
    def lookback(self) -> int:
        """How many bars, the newest included, make the last row of the forecast exact."""

    def forecast(self, bars: Bars) -> Mapping[str, FloatArray]:
        """Return the two signals by name, each (time, instrument).

        NaN before row `lookback` - 1, and where the bars do not allow a forecast.
        """


def with_forecast(bars: Bars, forecaster: Forecaster) -> Bars:
    """Return the bars with the forecaster's signals beside those that they have."""
    return replace(bars, signals={**bars.signals, **forecaster.forecast(bars)})
