"""Pairs: two prices that move together drift apart and come back; trade the spread.

Source: Engle and Granger (1987), "Co-integration and Error Correction", Econometrica 55 (which pairs); Gatev,
Goetzmann and Rouwenhorst (2006), "Pairs Trading", Review of Financial Studies 19 (formation, then trading
with entry at two deviations); Vidyamurthy (2004), "Pairs Trading" (spread of log prices).

Assumes daily bars and that a cointegration found in the past lasts through the trading period. Many
pairs are tested at once, so some are found by chance; the stop bounds what a broken pair costs. Market
exposure is near zero. Risk level: medium.
"""

import itertools
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from trading.indicators.cointegration import (
    SIGNIFICANCE_LEVELS,
    Cointegration,
    critical_value,
    engle_granger,
)
from trading.indicators.periods import BARS_PER_MONTH_MAX, period_starts
from trading.indicators.rolling import FloatArray
from trading.strategies.hysteresis import next_side
from trading.strategies.strategy import Bars, require_range


@dataclass(frozen=True, slots=True, eq=False)
class _Formation:
    """The pairs chosen at one row: spread = log y - alpha - beta log x, in units of `deviation`."""

    y: NDArray[np.intp]
    x: NDArray[np.intp]
    alpha: FloatArray
    beta: FloatArray
    deviation: FloatArray

    def score(self, logs: FloatArray) -> FloatArray:
        """Z-score of each pair's spread: (time, pair)."""
        spread = logs[:, self.y] - self.alpha - self.beta * logs[:, self.x]
        return spread / self.deviation


class Pairs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Choose cointegrated pairs at the start of each period, trade their spreads until the next.

    The memory is finite: every period starts flat with pairs and z-scores of its own.

    Attributes
    ----------
    formation_bars : int
        Bars of the test, the first bar of the period included (30 to 2520).
    trading_months : int
        Calendar months of a period (1 to 12).
    significance : float
        Level of the cointegration test (0.01, 0.05 or 0.1).
    max_pairs : int
        Pairs per period (1 to 500), best statistic first; an instrument is in one pair at most. Each
        open pair has a gross weight of 1 / max_pairs.
    entry_z, exit_z, stop_z : float
        Distance of the spread from its mean (standard deviations, 0 to 20, exit < entry < stop). A pair that
        reaches the stop is not traded again in the period.
    """

    formation_bars: int = 252
    trading_months: int = 1
    significance: float = 0.05
    max_pairs: int = 5
    entry_z: float = 2.0
    exit_z: float = 0.5
    stop_z: float = 4.0

    def __post_init__(self) -> None:
        require_range(self, "formation_bars", 30, 2520)
        require_range(self, "trading_months", 1, 12)
        require_range(self, "max_pairs", 1, 500)
        for name in ("entry_z", "exit_z", "stop_z"):
            require_range(self, name, 0.0, 20.0)
        if self.significance not in SIGNIFICANCE_LEVELS:
            levels = ", ".join(map(str, SIGNIFICANCE_LEVELS))
            raise ValueError(
                f"Pairs: significance must be one of {levels}, got {self.significance!r}"
            )
        if not self.exit_z < self.entry_z < self.stop_z:
            raise ValueError(
                "Pairs: must be exit_z < entry_z < stop_z, "
                f"got {self.exit_z}, {self.entry_z}, {self.stop_z}"
            )

    @property
    def lookback(self) -> int:
        """The bars of the test, and the longest period that trades on it."""
        return self.formation_bars + self._bars_traded_max - 1

    @property
    def _bars_traded_max(self) -> int:
        return BARS_PER_MONTH_MAX * self.trading_months

    def targets(self, bars: Bars) -> FloatArray:
        """Return target weights (time, instrument); gross at most 1. See `strategy.Strategy`."""
        weights = np.zeros(bars.close.shape)
        logs = np.log(bars.close)
        starts = np.flatnonzero(period_starts(bars.ts, self.trading_months))
        for start, end in itertools.pairwise([*starts.tolist(), len(bars)]):
            stop = min(end, start + self._bars_traded_max)
            if start >= self.formation_bars - 1 and stop > self.lookback - 1:
                weights[start:stop] = self._trade(logs, start, stop)
        weights[: self.lookback - 1] = 0.0
        return weights

    def _trade(self, logs: FloatArray, start: int, stop: int) -> FloatArray:
        """Weights of one period: (stop - start, instrument)."""
        formation = self._form(logs[start - self.formation_bars + 1 : start + 1])
        side = self._sides(formation.score(logs[start:stop]))
        unit = side / (1.0 + formation.beta) / self.max_pairs
        weights = np.zeros((stop - start, logs.shape[1]))
        weights[:, formation.y] = unit
        weights[:, formation.x] = -unit * formation.beta
        return weights

    def _form(self, logs: FloatArray) -> _Formation:
        """Test every ordered pair of the instruments that have all their prices."""
        known = np.flatnonzero(np.isfinite(logs).all(axis=0)).tolist()
        ordered = np.array(list(itertools.permutations(known, 2)), dtype=np.intp).reshape(-1, 2)
        y, x = ordered[:, 0], ordered[:, 1]
        test = engle_granger(logs[:, y], logs[:, x])
        chosen = self._choose(test, y, x)
        return _Formation(
            y[chosen], x[chosen], test.alpha[chosen], test.beta[chosen], test.deviation[chosen]
        )

    def _choose(
        self, test: Cointegration, y: NDArray[np.intp], x: NDArray[np.intp]
    ) -> NDArray[np.intp]:
        """Best statistic first, each instrument once; a hedge must be on the other side (beta > 0)."""
        limit = critical_value(self.significance, self.formation_bars)
        chosen: list[int] = []
        taken: set[int] = set()
        for pair in np.argsort(test.statistic, stable=True).tolist():
            legs = {int(y[pair]), int(x[pair])}
            if len(chosen) == self.max_pairs or not test.statistic[pair] < limit:
                break
            if test.beta[pair] > 0 and not legs & taken:
                chosen.append(pair)
                taken |= legs
        return np.array(chosen, dtype=np.intp)

    def _sides(self, score: FloatArray) -> FloatArray:
        """1: long y and short x; -1 the other way; (time, pair)."""
        sides = np.zeros(score.shape)
        side = np.zeros(score.shape[1])
        is_sound = np.ones(score.shape[1], dtype=np.bool_)
        for row in range(score.shape[0]):
            is_sound &= np.abs(score[row]) < self.stop_z
            side = np.where(is_sound, next_side(side, score[row], self.entry_z, self.exit_z), 0.0)
            sides[row] = side
        return sides
