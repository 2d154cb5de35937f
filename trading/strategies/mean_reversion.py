"""Mean reversion: buy what fell far below its own recent mean, until it is back near it.

Source: Jegadeesh (1990), "Evidence of Predictable Behavior of Security Returns", Journal of Finance 45,
and Lehmann (1990), "Fads, Martingales, and Market Efficiency", Quarterly Journal of Economics 105
(short-term reversal); the z-score form with entry and exit bands is Chan (2013), "Algorithmic Trading", ch. 3.

Assumes that short swings of liquid instruments are noise. Loses in crashes and on news, when a fall
goes on; trades often, so costs matter. Risk level: medium long-only, high with shorts.
"""

from typing import ClassVar

import msgspec
import numpy as np

from trading.indicators.rolling import FloatArray, zscore
from trading.strategies.hysteresis import banded_sides
from trading.strategies.search_space import Choice, SearchSpace, Span
from trading.strategies.strategy import Bars, require_bool, require_range


class MeanReversion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Long below -entry_z, out above -exit_z; mirrored for shorts.

    The memory is finite: the rule starts flat `hold_bars_max` bars ago, at every bar anew. So a position is
    given up `hold_bars_max` bars after the last bar that was beyond the entry band (a time stop).

    Attributes
    ----------
    window_bars : int
        Bars of the mean and the deviation, the newest included (2 to 2520).
    entry_z, exit_z : float
        Distance from the mean (standard deviations; entry 0.1 to 10, exit 0 to below entry).
    hold_bars_max : int
        Time stop (bars, 1 to 252).
    position_weight : float
        Weight of one position (fraction of the capital, 0.001 to 1); all shrink in proportion when
        their sum would exceed 1.
    allow_short : bool
        Also sell what rose far above its mean.
    """

    SEARCH: ClassVar[SearchSpace] = {
        "window_bars": Span(5, 60),
        "entry_z": Span(1.0, 3.0),
        "exit_z": Span(0.0, 1.0),
        "hold_bars_max": Span(3, 40),
        "position_weight": Span(0.05, 0.5),
        "allow_short": Choice((False, True)),
    }
    RISK_LEVEL: ClassVar[str] = "medium"

    window_bars: int = 20
    entry_z: float = 2.0
    exit_z: float = 0.5
    hold_bars_max: int = 20
    position_weight: float = 0.2
    allow_short: bool = False

    def __post_init__(self) -> None:
        require_range(self, "window_bars", 2, 2520)
        require_range(self, "entry_z", 0.1, 10.0)
        require_range(self, "exit_z", 0.0, 10.0)
        require_range(self, "hold_bars_max", 1, 252)
        require_range(self, "position_weight", 0.001, 1.0)
        require_bool(self, "allow_short")
        if self.exit_z >= self.entry_z:
            raise ValueError(
                f"MeanReversion: exit_z must be below entry_z ({self.entry_z}), got {self.exit_z}"
            )

    @property
    def lookback(self) -> int:
        """The bars of the z-score, for each bar of the time stop."""
        return self.window_bars + self.hold_bars_max - 1

    def targets(self, bars: Bars) -> FloatArray:
        """Return target weights (time, instrument); gross at most 1. See `strategy.Strategy`."""
        window = self.window_bars
        score = bars.derived(("zscore", window), lambda: zscore(bars.close, window))
        side = banded_sides(score, self.entry_z, self.exit_z, self.hold_bars_max)
        side[: self.lookback - 1] = 0.0
        if not self.allow_short:
            side = np.maximum(side, 0.0)
        gross = np.abs(side).sum(axis=1, keepdims=True) * self.position_weight
        weights: FloatArray = side * self.position_weight / np.maximum(gross, 1.0)
        return weights
