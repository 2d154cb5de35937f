"""Momentum: hold the past year's winners, scaled by their risk, renewed at the start of each month.

Source: Jegadeesh and Titman (1993), "Returns to Buying Winners and Selling Losers", Journal of Finance
48 (ranking over twelve months, the last month left out); Moskowitz, Ooi and Pedersen (2012), "Time
Series Momentum", Journal of Financial Economics 104 (own trend as a filter, volatility scaling).

Assumes daily bars, and that trends of months persist. Loses when markets turn sharply ("momentum
crashes", above all on the short side). Risk level: medium long-only, high with shorts.
"""

import msgspec
import numpy as np

from trading.indicators.periods import BARS_PER_MONTH_MAX, IntArray, period_starts, row_of_last
from trading.indicators.returns import realised_volatility
from trading.indicators.rolling import FloatArray
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
        decided_at = row_of_last(period_starts(bars.ts, self.rebalance_months))
        row = np.arange(len(bars))
        is_held = (decided_at >= self._rows_before) & (row - decided_at < self._bars_held_max)
        is_held &= row >= self.lookback - 1
        weights = np.zeros(bars.close.shape)
        weights[is_held] = self._decide(bars, decided_at[is_held])
        return weights

    def _decide(self, bars: Bars, rows: IntArray) -> FloatArray:
        """Weights decided at `rows`, one line each: (len(rows), instrument)."""
        score = bars.close[rows - self.skip_bars] / bars.close[rows - self.formation_bars] - 1.0
        volatility = realised_volatility(bars.close, self.volatility_bars)[rows]
        is_known = np.isfinite(score) & (volatility > 0)
        side = _best(np.where(is_known, score, 0.0), self.top_k)
        slots = self.top_k
        if self.allow_short:
            side -= _best(np.where(is_known, -score, 0.0), self.top_k)
            slots *= 2
        scale = np.minimum(1.0, self.volatility_target / np.where(is_known, volatility, np.inf))
        weights: FloatArray = side * scale / slots
        return weights


def _best(score: FloatArray, count: int) -> FloatArray:
    """1 for the `count` highest positive scores of each row, else 0; the earlier column wins a tie."""
    rank = np.argsort(np.argsort(-score, axis=-1, stable=True), axis=-1, stable=True)
    return np.where((rank < count) & (score > 0), 1.0, 0.0)
