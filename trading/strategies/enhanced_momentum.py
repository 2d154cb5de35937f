"""Enhanced momentum: winners that trade actively, sized by calm, tone and forecast, and left in turmoil.

Sources: Jegadeesh and Titman (1993), "Returns to Buying Winners and Selling Losers", Journal of Finance 48
(ranking by past return); Lee and Swaminathan (2000), "Price Momentum and Trading Volume", Journal of Finance 55
(momentum is stronger where volume is high); Barroso and Santa-Clara (2015), "Momentum Has Its Moments", and
Moreira and Muir (2017), "Volatility-Managed Portfolios", Journal of Financial Economics 116 and Journal of
Finance 72 (less when volatility is high). The sizes of the tilts are plain rules, not estimates.

Assumes daily bars, and that trends of months persist while an instrument is about as volatile as it
usually is. Loses when markets turn from calm, on false breakouts that come with volume, and by trading in and
out when volatility swings around the limit. Tone and forecast are read on the day of the decision
alone; they help only as far as they are right. Risk level: medium long-only, high with shorts.
"""

from typing import ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from trading.indicators.periods import BARS_PER_MONTH_MAX, IntArray
from trading.indicators.rolling import FloatArray, rolling_mean
from trading.strategies.momentum import annual_volatility, ranked_sides, trend
from trading.strategies.schedule import schedule
from trading.strategies.search_space import Choice, SearchSpace, Span
from trading.strategies.signals import FORECAST_DEVIATION, FORECAST_RETURN, SENTIMENT
from trading.strategies.strategy import Bars, require_bool, require_range


class EnhancedMomentum(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hold the best by return among those with enough volume; flat at every bar in a volatile regime.

    The signals `sentiment`, `forecast_return` and `forecast_deviation` tilt the size where they are there; a
    missing or NaN signal is neutral. The gross weight never exceeds 1: all weights shrink in proportion.

    Attributes
    ----------
    formation_bars, skip_bars : int
        Ages of the older price (bars, 2 to 2520) and of the newer (bars, 0 to 252, below `formation_bars`).
    volatility_bars : int
        Returns in the present volatility (bars, 2 to 252).
    volume_bars : int
        Bars in the present volume (1 to 252).
    long_run_bars : int
        Bars in the long-run levels of volatility and volume (above both, up to 2520).
    volume_ratio_min : float
        Present over long-run volume below which an instrument is not held (ratio, 0 to 5; a source without
        volume confirms everything).
    regime_ratio_max : float
        Present over long-run volatility above which an instrument is flat (ratio, 1 to 10). Above 1 its weight
        shrinks by this ratio.
    volatility_target : float
        An instrument above this volatility gets less weight (fraction per year, 0.01 to 10).
    sentiment_tilt, forecast_tilt : float
        Change of the size at full tone, and at a forecast of one deviation or more (fraction, 0 to 1).
    top_k : int
        Instruments held on each side (1 to 1000); a full slot weighs 1 / number of slots.
    rebalance_months : int
        Calendar months between rebalances (1 to 12).
    allow_short : bool
        Also sell the worst `top_k` while they fall.
    """

    NEEDS: ClassVar[tuple[str, ...]] = ()
    SEARCH: ClassVar[SearchSpace] = {
        "formation_bars": Span(42, 504),
        "skip_bars": Span(0, 42),
        "volatility_bars": Span(10, 63),
        "volume_bars": Span(5, 63),
        "long_run_bars": Span(126, 504),
        "volume_ratio_min": Span(0.0, 1.2),
        "regime_ratio_max": Span(1.2, 4.0),
        "volatility_target": Span(0.1, 0.6),
        "sentiment_tilt": Span(0.0, 1.0),
        "forecast_tilt": Span(0.0, 1.0),
        "top_k": Span(1, 10),
        "rebalance_months": Choice((1, 2, 3, 6)),
        "allow_short": Choice((False, True)),
    }
    RISK_LEVEL: ClassVar[str] = "medium"

    formation_bars: int = 252
    skip_bars: int = 21
    volatility_bars: int = 21
    volume_bars: int = 21
    long_run_bars: int = 252
    volume_ratio_min: float = 0.8
    regime_ratio_max: float = 2.0
    volatility_target: float = 0.3
    sentiment_tilt: float = 0.5
    forecast_tilt: float = 0.5
    top_k: int = 5
    rebalance_months: int = 1
    allow_short: bool = False

    def __post_init__(self) -> None:
        require_range(self, "formation_bars", 2, 2520)
        require_range(self, "skip_bars", 0, min(252, self.formation_bars - 1))
        require_range(self, "volatility_bars", 2, 252)
        require_range(self, "volume_bars", 1, 252)
        require_range(self, "long_run_bars", max(self.volatility_bars, self.volume_bars) + 1, 2520)
        require_range(self, "volume_ratio_min", 0.0, 5.0)
        require_range(self, "regime_ratio_max", 1.0, 10.0)
        require_range(self, "volatility_target", 0.01, 10.0)
        require_range(self, "sentiment_tilt", 0.0, 1.0)
        require_range(self, "forecast_tilt", 0.0, 1.0)
        require_range(self, "top_k", 1, 1000)
        require_range(self, "rebalance_months", 1, 12)
        require_bool(self, "allow_short")

    @property
    def lookback(self) -> int:
        """The bars of one decision, and the longest time for which it is held."""
        return self._rows_before + self._bars_held_max

    @property
    def _rows_before(self) -> int:
        """Rows that a decision needs before its own."""
        return max(self.formation_bars, self.long_run_bars)

    @property
    def _bars_held_max(self) -> int:
        return BARS_PER_MONTH_MAX * self.rebalance_months

    def targets(self, bars: Bars) -> FloatArray:
        """Return target weights (time, instrument); gross at most 1. See `strategy.Strategy`."""
        plan = schedule(bars, self.rebalance_months, self._rows_before, self._bars_held_max)
        weights = plan.spread(self._decide(bars, plan.decided_at))
        return np.where(self._regime_ratio(bars) <= self.regime_ratio_max, weights, 0.0)

    def _decide(self, bars: Bars, rows: IntArray) -> FloatArray:
        """Weights decided at `rows`, one line each: (len(rows), instrument)."""
        score = trend(bars, rows, self.formation_bars, self.skip_bars)
        volatility = annual_volatility(bars, self.volatility_bars)[rows]
        ratio = self._regime_ratio(bars)[rows]
        is_known = np.isfinite(score) & (volatility > 0) & (ratio > 0)
        is_held = is_known & self._is_confirmed(bars)[rows]
        side = ranked_sides(np.where(is_held, score, 0.0), self.top_k, self.allow_short)
        calm = np.minimum(1.0, self.volatility_target / np.where(is_held, volatility, np.inf))
        calm = calm / np.maximum(np.where(is_held, ratio, 1.0), 1.0)
        slots = self.top_k * (2 if self.allow_short else 1)
        weights = side * calm * self._conviction(bars, rows, side) / slots
        limited: FloatArray = weights / np.maximum(np.abs(weights).sum(axis=1, keepdims=True), 1.0)
        return limited

    def _regime_ratio(self, bars: Bars) -> FloatArray:
        """Present over long-run volatility: (time, instrument); NaN where either is unknown or 0."""

        def ratio() -> FloatArray:
            present = annual_volatility(bars, self.volatility_bars)
            usual = annual_volatility(bars, self.long_run_bars)
            return present / np.where(usual > 0, usual, np.nan)

        return bars.derived(("regime_ratio", self.volatility_bars, self.long_run_bars), ratio)

    def _is_confirmed(self, bars: Bars) -> NDArray[np.bool_]:
        """Whether volume is high enough, or the source has none: (time, instrument)."""
        present = _mean_volume(bars, self.volume_bars)
        usual = _mean_volume(bars, self.long_run_bars)
        is_high: NDArray[np.bool_] = present >= self.volume_ratio_min * usual
        return is_high

    def _conviction(self, bars: Bars, rows: IntArray, side: FloatArray) -> FloatArray:
        """Factor of the size (>= 0): 1 where nothing is known."""
        tone = _limited(bars.signals.get(SENTIMENT), rows)
        outlook = _limited(_forecast_ratio(bars), rows)
        tilt = self.sentiment_tilt * tone + self.forecast_tilt * outlook
        return np.maximum(1.0 + side * tilt, 0.0)


def _mean_volume(bars: Bars, window: int) -> FloatArray:
    return bars.derived(("mean_volume", window), lambda: rolling_mean(bars.volume, window))


def _forecast_ratio(bars: Bars) -> FloatArray | None:
    """Expected return in deviations (time, instrument), if both are there."""
    expected = bars.signals.get(FORECAST_RETURN)
    deviation = bars.signals.get(FORECAST_DEVIATION)
    if expected is None or deviation is None:
        return None
    return expected / np.where(deviation > 0, deviation, np.nan)


def _limited(signal: FloatArray | None, rows: IntArray) -> FloatArray | float:
    """Signal at `rows`, from -1 to 1; 0 where it is not known."""
    if signal is None:
        return 0.0
    return np.nan_to_num(np.clip(signal[rows], -1.0, 1.0), nan=0.0)
