"""In which state a market is at each bar, measured: calm or turbulent, rising or falling."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from serve.desk.analysis.figures import Figure
from serve.desk.answers import Answer
from trading.errors import UsageError
from trading.indicators.moving_average import sma
from trading.indicators.periods import IntArray
from trading.indicators.rolling import FloatArray
from trading.indicators.volatility import rolling_volatility
from trading.metrics.periods_per_year import periods_per_year

Volatility = Literal["low", "high"]
Trend = Literal["up", "down"]

VOLATILITY_BARS = 21
TREND_BARS = 200
RULE = (
    f"volatility is high when that of the last {VOLATILITY_BARS} returns is above its median over the bars looked at; "
    f"the trend is up when the index is above its {TREND_BARS}-bar mean"
)
_HIGH = frozenset({"high", "elevated", "turbulent", "extreme"})
_LOW = frozenset({"low", "calm"})
_ANY = frozenset({"normal", "moderate", "medium", "sideways", "neutral", "any"})
"""Neither the one nor the other: every bar fits."""
_UP = frozenset({"up", "bullish", "rising", "uptrend"})
_DOWN = frozenset({"down", "bearish", "falling", "downtrend"})


class MarketConditions(Answer):
    """One state of the market; None is any."""

    volatility: Volatility | None
    trend: Trend | None
    annual_volatility: Figure
    median_volatility: Figure
    rule: str


@dataclass(frozen=True, slots=True, eq=False)
class Regimes:
    """The state after each bar; bars without enough history before them belong to none.

    Attributes
    ----------
    volatility : (time,)
        Per year; NaN at first.
    median : float
    is_up : (time,) bool
    is_known : (time,) bool
    """

    volatility: FloatArray
    median: float
    is_up: NDArray[np.bool_]
    is_known: NDArray[np.bool_]

    def now(self) -> MarketConditions:
        """Return the state after the newest bar."""
        if not self.is_known[-1]:
            return self._conditions(None, None)
        is_high = bool(self.volatility[-1] > self.median)
        return self._conditions("high" if is_high else "low", "up" if self.is_up[-1] else "down")

    def asked(self, conditions: Mapping[str, Any]) -> MarketConditions:
        """Read what a caller says of the market: words, or a number for the volatility per year.

        Raises
        ------
        UsageError
            If a word is not known.
        """
        return self._conditions(
            self._volatility_of(conditions.get("volatility")), _trend_of(conditions.get("trend"))
        )

    def rows_like(self, conditions: MarketConditions) -> NDArray[np.bool_]:
        """Return the bars that follow a close in that state: (time,). What is earned in them was decided there."""
        fits = self.is_known.copy()
        if conditions.volatility is not None:
            fits &= (self.volatility > self.median) == (conditions.volatility == "high")
        if conditions.trend is not None:
            fits &= self.is_up == (conditions.trend == "up")
        return np.concatenate([[False], fits[:-1]])

    def _volatility_of(self, said: Any) -> Volatility | None:
        if said is None or str(said).lower() in _ANY:
            return None
        if isinstance(said, int | float) and not isinstance(said, bool):
            return "high" if said > self.median else "low"
        if str(said).lower() in _HIGH:
            return "high"
        if str(said).lower() in _LOW:
            return "low"
        raise UsageError(
            f"volatility is {said!r}; give low, high, or a number per year such as 0.2."
        )

    def _conditions(self, volatility: Volatility | None, trend: Trend | None) -> MarketConditions:
        return MarketConditions(
            volatility=volatility,
            trend=trend,
            annual_volatility=float(self.volatility[-1]),
            median_volatility=self.median,
            rule=RULE,
        )


def regimes_of(ts: IntArray, close: FloatArray) -> Regimes:
    """Return the state of an equal-weight index of the columns after each bar.

    Parameters
    ----------
    close : (time, instrument)
        NaN where there is no price.
    """
    changes = np.zeros(len(close))
    growth = close[1:] / close[:-1] - 1.0
    known = np.isfinite(growth)
    changes[1:] = np.where(known, growth, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    index = np.cumprod(1.0 + changes, dtype=np.float64)[:, None]
    volatility = rolling_volatility(index, VOLATILITY_BARS, periods_per_year(ts))[:, 0]
    mean = sma(index, TREND_BARS)[:, 0]
    is_known = np.isfinite(volatility) & np.isfinite(mean)
    median = float(np.median(volatility[is_known])) if is_known.any() else float("nan")
    return Regimes(volatility, median, index[:, 0] > mean, is_known)


def _trend_of(said: Any) -> Trend | None:
    if said is None or str(said).lower() in _ANY:
        return None
    if isinstance(said, int | float) and not isinstance(said, bool):
        return "up" if said > 0 else "down"
    if str(said).lower() in _UP:
        return "up"
    if str(said).lower() in _DOWN:
        return "down"
    raise UsageError(f"trend is {said!r}; give up, down, or leave it out.")
