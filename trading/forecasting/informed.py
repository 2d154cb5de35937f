"""A strategy as it trades: with its forecaster beside it, and the sources of what is published to it.

The forecast is made where the decision is, so nothing is late and no message can be lost; live trading, the event
gear and a backtest see the same numbers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from trading.errors import ConfigError
from trading.forecasting.forecaster import Forecaster, with_forecast
from trading.forecasting.registry import DEFAULT, build_forecaster
from trading.indicators.rolling import FloatArray
from trading.strategies.published import SIGNALS_OF
from trading.strategies.registry import build_strategy
from trading.strategies.strategy import Bars, Strategy

FORECASTS = frozenset(SIGNALS_OF["forecast"])


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


def live_strategy(
    kind: str,
    parameters: Mapping[str, object],
    forecaster: str = DEFAULT,
    signals: Mapping[str, str] | None = None,
    build: Callable[[str], Forecaster] = build_forecaster,
) -> tuple[Strategy, Mapping[str, str]]:
    """Return an installed strategy as it trades, and the source of each kind of fact that it reads.

    Forecasts come from the forecaster beside it, unless `signals` names a source of forecasts. What else it
    needs is read from a source that is called like the kind, unless `signals` names another.

    Parameters
    ----------
    signals : mapping of kind to source
        Sources of published facts, also of those that the strategy can do without.
    build : function from a name to a Forecaster
        By default those that are installed; a room above knows the registered models too.

    Raises
    ------
    UsageError
        If there is no such strategy or forecaster.
    ConfigError
        If a parameter is wrong, there is no such kind, or nothing publishes a signal that it needs.
    """
    strategy = build_strategy(kind, parameters)
    sources = dict(signals or {})
    unknown = sorted(set(sources) - set(SIGNALS_OF))
    if unknown:
        raise ConfigError(
            f"Strategy {kind!r}: there is no published signal {unknown[0]!r}; "
            f"there are {', '.join(SIGNALS_OF)}."
        )
    needs = set(getattr(strategy, "NEEDS", ()))
    if needs & FORECASTS and "forecast" not in sources:
        strategy, needs = Informed(strategy, build(forecaster)), needs - FORECASTS
    for published, names in SIGNALS_OF.items():
        if needs & set(names):
            sources.setdefault(published, published)
    given = {name for published in sources for name in SIGNALS_OF[published]}
    if needs - given:
        raise ConfigError(
            f"Strategy {kind!r} needs the signal {min(needs - given)!r}, which nobody can publish."
        )
    return strategy, sources


def informed(name: str, strategy: Strategy, forecaster: Forecaster) -> Strategy:
    """Return a strategy that needs bars alone: itself, or with the forecaster that it needs.

    Raises
    ------
    ConfigError
        If it needs a signal that no forecaster gives.
    """
    needs = set(getattr(strategy, "NEEDS", ()))
    other = sorted(needs - FORECASTS)
    if other:
        raise ConfigError(
            f"Strategy {name!r} needs the signal {other[0]!r}, of which a record of events says nothing; "
            "run it on bars."
        )
    return Informed(strategy, forecaster) if needs else strategy
