"""Momentum: hold the past year's winners, scaled by their risk, renewed at the start of each month.

Source: Jegadeesh and Titman (1993), "Returns to Buying Winners and Selling Losers", Journal of Finance
48 (ranking over twelve months, the last month left out); Moskowitz, Ooi and Pedersen (2012), "Time
Series Momentum", Journal of Financial Economics 104 (own trend as a filter, volatility scaling).

Assumes daily bars, and that trends of months persist. Loses when markets turn sharply ("momentum
crashes", above all on the short side). Risk level: medium long-only, high with shorts.
"""

from collections.abc import Mapping
from typing import ClassVar

import msgspec
import numpy as np

from trading.indicators.periods import BARS_PER_MONTH_MAX, IntArray
from trading.indicators.returns import realised_volatility
from trading.indicators.rolling import FloatArray
from trading.strategies.schedule import schedule
from trading.strategies.search_space import Choice, SearchSpace, Span
from trading.strategies.strategy import Bars, require_bool, require_range


class Momentum(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rank by return from `formation_bars` to `skip_bars` ago; hold the best while they rise.

    Attributes
    ----------
    formation_bars : int
        Age of the older price (bars, 2 to 2520).
    skip_bars : int
        Age of the newer price (bars, 0 to 252, below `formation_bars`).
    volatility_bars : int
        Returns in the volatility estimate (bars, 2 to 2520).
    volatility_target : float
        An instrument above this volatility gets less weight (fraction per year, 0.01 to 10).
    top_k : int
        Instruments held on each side (1 to 1000); a full slot weighs 1 / number of slots.
    rebalance_months : int
        Calendar months between rebalances (1 to 12).
    allow_short : bool
        Also sell the worst `top_k` while they fall.
    """

    SEARCH: ClassVar[SearchSpace] = {
        "formation_bars": Span(42, 504),
        "skip_bars": Span(0, 42),
        "volatility_bars": Span(21, 126),
        "volatility_target": Span(0.1, 0.6),
        "top_k": Span(1, 10),
        "rebalance_months": Choice((1, 2, 3, 6)),
        "allow_short": Choice((False, True)),
    }
    SHORT: ClassVar[Mapping[str, str]] = {"fast": "skip_bars", "slow": "formation_bars"}
    """What a sweep may call its two horizons."""
    RISK_LEVEL: ClassVar[str] = "medium"

    formation_bars: int = 252
    skip_bars: int = 21
    volatility_bars: int = 63
    volatility_target: float = 0.3
    top_k: int = 5
    rebalance_months: int = 1
    allow_short: bool = False

    def __post_init__(self) -> None:
        require_range(self, "formation_bars", 2, 2520)
        require_range(self, "skip_bars", 0, min(252, self.formation_bars - 1))
        require_range(self, "volatility_bars", 2, 2520)
        require_range(self, "volatility_target", 0.01, 10.0)
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
        return max(self.formation_bars, self.volatility_bars)

    @property
    def _bars_held_max(self) -> int:
        return BARS_PER_MONTH_MAX * self.rebalance_months

    def targets(self, bars: Bars) -> FloatArray:
        """Return target weights (time, instrument); gross at most 1. See `strategy.Strategy`."""
        plan = schedule(bars, self.rebalance_months, self._rows_before, self._bars_held_max)
        return plan.spread(self._decide(bars, plan.decided_at))

    def _decide(self, bars: Bars, rows: IntArray) -> FloatArray:
        """Weights decided at `rows`, one line each: (len(rows), instrument)."""
        score = trend(bars, rows, self.formation_bars, self.skip_bars)
        volatility = annual_volatility(bars, self.volatility_bars)[rows]
        is_known = np.isfinite(score) & (volatility > 0)
        side = ranked_sides(np.where(is_known, score, 0.0), self.top_k, self.allow_short)
        scale = np.minimum(1.0, self.volatility_target / np.where(is_known, volatility, np.inf))
        slots = self.top_k * (2 if self.allow_short else 1)
        weights: FloatArray = side * scale / slots
        return weights


def trend(bars: Bars, rows: IntArray, formation_bars: int, skip_bars: int) -> FloatArray:
    """Return the return from `formation_bars` to `skip_bars` before each of `rows`: (row, instrument)."""
    score: FloatArray = bars.close[rows - skip_bars] / bars.close[rows - formation_bars] - 1.0
    return score


def annual_volatility(bars: Bars, window: int) -> FloatArray:
    """Return `realised_volatility` of the closes (time, instrument), computed once per `bars`."""
    return bars.derived(
        ("realised_volatility", window), lambda: realised_volatility(bars.close, window)
    )


def ranked_sides(score: FloatArray, top_k: int, allow_short: bool) -> FloatArray:
    """Return 1 for the `top_k` highest positive scores of each row, else 0; with shorts, -1 for the lowest."""
    side = _best(score, top_k)
    return side - _best(-score, top_k) if allow_short else side


def _best(score: FloatArray, count: int) -> FloatArray:
    """1 for the `count` highest positive scores of each row, else 0; the earlier column wins a tie."""
    rank = np.argsort(np.argsort(-score, axis=-1, stable=True), axis=-1, stable=True)
    return np.where((rank < count) & (score > 0), 1.0, 0.0)
