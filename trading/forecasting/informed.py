"""A strategy that needs forecasts, with its forecaster beside it: together they need bars alone.

The forecast is made where the decision is, so nothing is late and no message can be lost; live trading, the event
gear and a backtest see the same numbers.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from trading.errors import ConfigError
from trading.forecasting.forecaster import Forecaster, with_forecast
from trading.forecasting.registry import DEFAULT, build_forecaster
from trading.indicators.rolling import FloatArray
from trading.strategies.registry import build_strategy
from trading.strategies.signals import FORECAST_DEVIATION, FORECAST_RETURN
from trading.strategies.strategy import Bars, Strategy


@dataclass(frozen=True, slots=True)
class Informed:
    """`strategy` on bars to which `forecaster` has added its signals: a `Strategy` itself."""

    strategy: Strategy
    forecaster: Forecaster

    @property
    def lookback(self) -> int:
        """The strategy's rows, each with a forecast that needs the forecaster's."""
        return self.strategy.lookback + self.forecaster.lookback - 1

    def targets(self, bars: Bars) -> FloatArray:
        """Return target weights (time, instrument), 0 before row `lookback` - 1. See `strategy.Strategy`."""
        weights = self.strategy.targets(with_forecast(bars, self.forecaster)).copy()
        weights[: self.lookback - 1] = 0.0
        return weights


def informed(name: str, strategy: Strategy, forecaster: Forecaster) -> Strategy:
    """Return a strategy that needs bars alone: itself, or with the forecaster that it needs.

    Raises
    ------
    ConfigError
        If it needs a signal that no forecaster gives.
    """
    needs = set(getattr(strategy, "NEEDS", ()))
    other = sorted(needs - {FORECAST_RETURN, FORECAST_DEVIATION})
    if other:
        raise ConfigError(
            f"Strategy {name!r} needs the signal {other[0]!r}, for which the order path has no source "
            "yet; the vector gear of `trader backtest` has one."
        )
    return Informed(strategy, forecaster) if needs else strategy


def live_strategy(
    kind: str, parameters: Mapping[str, object], forecaster: str = DEFAULT
) -> Strategy:
    """Return an installed strategy as it can trade: on bars alone.

    Raises
    ------
    UsageError
        If there is no such strategy or forecaster.
    ConfigError
        If a parameter is wrong, or it needs a signal that no forecaster gives.
    """
    return informed(kind, build_strategy(kind, parameters), build_forecaster(forecaster))
