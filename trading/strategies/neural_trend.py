"""Neural trend: hold what a forecaster expects to move, as long as it expects so, sized by its certainty.

Sources: Grinold and Kahn (1999), "Active Portfolio Management", ch. 11 (a forecast is worth its ratio to its
own error); Moskowitz, Ooi and Pedersen (2012), "Time Series Momentum", Journal of Financial Economics 104
(volatility scaling); Lim, Zohren and Roberts (2019), "Enhancing Time-Series Momentum Strategies Using Deep
Neural Networks", Journal of Financial Data Science 1 (position by a network's trend estimate). The forecast comes
from whichever forecaster fills `forecast_return` and `forecast_deviation`; this rule knows no network.

Assumes that the forecaster's deviation is honest and that its return is worth more than the costs. Loses when
forecasts are noise (it then trades at random and pays for it) and when the market turns within the
horizon. Risk level: medium long-only, high with shorts.
"""

from typing import ClassVar

import msgspec
import numpy as np

from trading.indicators.rolling import FloatArray
from trading.strategies.hysteresis import held_sides
from trading.strategies.momentum import annual_volatility
from trading.strategies.needed_signals import require_signals
from trading.strategies.search_space import Choice, SearchSpace, Span
from trading.strategies.signals import FORECAST_DEVIATION, FORECAST_RETURN
from trading.strategies.strategy import Bars, require_bool, require_range


class NeuralTrend(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Enter where the forecast is `entry_ratio` of its deviations away from 0, leave below `exit_ratio`.

    The memory is finite: a position is given up `hold_bars_max` bars after the last forecast that was beyond
    the entry. A forecast that is not known ends it too.

    Attributes
    ----------
    entry_ratio, exit_ratio : float
        Forecast return in forecast deviations (entry 0.001 to 10, exit 0 to entry).
    full_ratio : float
        Ratio of a full position (entry to 100); a smaller one takes its share of it.
    hold_bars_max : int
        Time stop (bars, 1 to 252).
    volatility_bars : int
        Returns in the volatility estimate (bars, 2 to 2520).
    volatility_target : float
        An instrument above this volatility gets less weight (fraction per year, 0.01 to 10).
    position_weight : float
        Weight of a full position (fraction of the capital, 0.001 to 1); all shrink in proportion when
        their sum would exceed 1.
    allow_short : bool
        Also sell what is expected to fall.
    """

    NEEDS: ClassVar[tuple[str, ...]] = (FORECAST_RETURN, FORECAST_DEVIATION)
    SEARCH: ClassVar[SearchSpace] = {
        "entry_ratio": Span(0.05, 0.8),
        "exit_ratio": Span(0.0, 0.3),
        "full_ratio": Span(0.2, 2.0),
        "hold_bars_max": Span(5, 63),
        "volatility_bars": Span(21, 126),
        "volatility_target": Span(0.1, 0.6),
        "position_weight": Span(0.05, 0.5),
        "allow_short": Choice((False, True)),
    }
    RISK_LEVEL: ClassVar[str] = "medium"

    entry_ratio: float = 0.2
    exit_ratio: float = 0.05
    full_ratio: float = 0.4
    hold_bars_max: int = 21
    volatility_bars: int = 63
    volatility_target: float = 0.3
    position_weight: float = 0.2
    allow_short: bool = False

    def __post_init__(self) -> None:
        require_range(self, "entry_ratio", 0.001, 10.0)
        require_range(self, "exit_ratio", 0.0, self.entry_ratio)
        require_range(self, "full_ratio", self.entry_ratio, 100.0)
        require_range(self, "hold_bars_max", 1, 252)
        require_range(self, "volatility_bars", 2, 2520)
        require_range(self, "volatility_target", 0.01, 10.0)
        require_range(self, "position_weight", 0.001, 1.0)
        require_bool(self, "allow_short")

    @property
    def lookback(self) -> int:
        """The prices of the volatility, or the bars of the time stop."""
        return max(self.volatility_bars + 1, self.hold_bars_max)

    def targets(self, bars: Bars) -> FloatArray:
        """Return target weights (time, instrument); gross at most 1. See `strategy.Strategy`.

        Raises
        ------
        DataError
            If the bars have no forecasts.
        """
        require_signals(self, bars, self.NEEDS)
        ratio = certainty(bars)
        size = self._sides(ratio) * np.minimum(np.abs(ratio) / self.full_ratio, 1.0)
        volatility = annual_volatility(bars, self.volatility_bars)
        is_known = np.isfinite(size) & (volatility > 0)
        calm = np.minimum(1.0, self.volatility_target / np.where(is_known, volatility, np.inf))
        weights = np.where(is_known, size, 0.0) * calm * self.position_weight
        weights[: self.lookback - 1] = 0.0
        limited: FloatArray = weights / np.maximum(np.abs(weights).sum(axis=1, keepdims=True), 1.0)
        return limited

    def _sides(self, ratio: FloatArray) -> FloatArray:
        """1 long, -1 short, 0 flat: (time, instrument)."""
        wanted = np.where(np.abs(ratio) >= self.entry_ratio, np.sign(ratio), 0.0)
        sides = held_sides(
            wanted, ratio > self.exit_ratio, ratio < -self.exit_ratio, self.hold_bars_max
        )
        return sides if self.allow_short else np.maximum(sides, 0.0)


def certainty(bars: Bars) -> FloatArray:
    """Return the forecast return in forecast deviations (time, instrument); NaN where either is unknown."""

    def ratio() -> FloatArray:
        expected, deviation = bars.signals[FORECAST_RETURN], bars.signals[FORECAST_DEVIATION]
        is_known = np.isfinite(expected) & np.isfinite(deviation) & (deviation > 0)
        return expected / np.where(is_known, deviation, np.nan)

    return bars.derived(("forecast_certainty",), ratio)
