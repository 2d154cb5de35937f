"""Mirror: hold what another account or a disclosed portfolio holds, later and smaller.

Sources: Frank, Poterba, Shackelford and Shoven (2004), "Copycat Funds", Journal of Law and Economics 47, and
Verbeek and Wang (2013), "Better than the Original? The Relative Success of Copycat Funds", Journal of Banking
and Finance 37 (funds that follow disclosed holdings do about as well as the originals after their costs). The
weights come from `holdings` or `published`.

Assumes that the leader's choices are worth more than what the delay costs (`holdings.lag_cost`), and that what
is not disclosed (shorts, hedges, derivatives) does not carry the result. Loses when the leader trades faster
than it discloses, when many follow, and when the leader is wrong. Risk level: that of the leader, medium
long-only.
"""

from typing import ClassVar

import msgspec
import numpy as np

from trading.indicators.periods import IntArray, row_of_last
from trading.indicators.rolling import FloatArray
from trading.strategies.needed_signals import require_signals
from trading.strategies.search_space import Choice, SearchSpace, Span
from trading.strategies.signals import LEADER_WEIGHT
from trading.strategies.strategy import Bars, require_bool, require_range


class Mirror(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Follow the leader's largest positions; flat when nothing was disclosed for long.

    A disclosure is seen as a change of any weight of the leader, so one that repeats the one before it does not
    make it younger.

    Attributes
    ----------
    delay_bars : int
        Bars from the disclosure to our decision (0 to 252).
    sizing_factor : float
        Our weight for each unit of the leader's (0.01 to 10).
    max_positions : int
        Positions followed, the largest first (1 to 1000).
    weight_min : float
        Leader's weight below which a position is not followed (fraction, 0 to 1).
    weight_cap : float
        Our largest weight (fraction of the capital, 0.001 to 1); all shrink in proportion when their sum
        would exceed 1.
    max_age_bars : int
        Age of the disclosure above which we are flat (bars, `delay_bars` + 1 to 2520).
    allow_short : bool
        Also follow the leader's short positions.
    """

    NEEDS: ClassVar[tuple[str, ...]] = (LEADER_WEIGHT,)
    SEARCH: ClassVar[SearchSpace] = {
        "delay_bars": Span(0, 10),
        "sizing_factor": Span(0.25, 2.0),
        "max_positions": Span(3, 30),
        "weight_min": Span(0.0, 0.05),
        "weight_cap": Span(0.05, 0.5),
        "max_age_bars": Span(21, 126),
        "allow_short": Choice((False, True)),
    }
    RISK_LEVEL: ClassVar[str] = "medium"

    delay_bars: int = 1
    sizing_factor: float = 1.0
    max_positions: int = 20
    weight_min: float = 0.005
    weight_cap: float = 0.2
    max_age_bars: int = 100
    allow_short: bool = False

    def __post_init__(self) -> None:
        require_range(self, "delay_bars", 0, 252)
        require_range(self, "sizing_factor", 0.01, 10.0)
        require_range(self, "max_positions", 1, 1000)
        require_range(self, "weight_min", 0.0, 1.0)
        require_range(self, "weight_cap", 0.001, 1.0)
        require_range(self, "max_age_bars", self.delay_bars + 1, 2520)
        require_bool(self, "allow_short")

    @property
    def lookback(self) -> int:
        """The oldest disclosure that is followed, and the bar before it."""
        return self.max_age_bars + 2

    def targets(self, bars: Bars) -> FloatArray:
        """Return target weights (time, instrument); gross at most 1. See `strategy.Strategy`.

        Raises
        ------
        DataError
            If the bars have no leader.
        """
        require_signals(self, bars, self.NEEDS)
        leader = bars.signals[LEADER_WEIGHT]
        disclosed_at = bars.derived(("leader_disclosed_at",), lambda: last_changes(leader))
        rows = np.arange(self.lookback - 1, len(bars))
        seen = rows - self.delay_bars
        at = disclosed_at[seen]
        is_fresh = (at >= 0) & (rows - at <= self.max_age_bars)
        is_known = is_fresh[:, None] & np.isfinite(bars.close[rows]) & np.isfinite(leader[seen])
        weights = np.zeros(bars.close.shape)
        weights[rows] = self._follow(np.where(is_known, leader[seen], 0.0))
        limited: FloatArray = weights / np.maximum(np.abs(weights).sum(axis=1, keepdims=True), 1.0)
        return limited

    def _follow(self, leader: FloatArray) -> FloatArray:
        """Our weights for those of the leader: (row, instrument)."""
        wanted = leader if self.allow_short else np.maximum(leader, 0.0)
        size = np.abs(wanted)
        largest = np.argsort(np.argsort(-size, axis=1, stable=True), axis=1, stable=True)
        is_chosen = (largest < self.max_positions) & (size >= self.weight_min)
        ours = np.clip(wanted * self.sizing_factor, -self.weight_cap, self.weight_cap)
        return np.where(is_chosen, ours, 0.0)


def last_changes(values: FloatArray) -> IntArray:
    """Return, for each row, the last row up to and including it that differs from the one before it.

    -1 before the first such row; NaN equals NaN.

    Parameters
    ----------
    values : (time, instrument)
    """
    is_changed = np.zeros(values.shape[0], dtype=np.bool_)
    newer, older = values[1:], values[:-1]
    differs = (newer != older) & ~(np.isnan(newer) & np.isnan(older))
    is_changed[1:] = differs.any(axis=1)
    return row_of_last(is_changed)
