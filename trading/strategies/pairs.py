"""Pairs: two prices that move together drift apart and come back; trade the spread.

Source: Engle and Granger (1987), "Co-integration and Error Correction", Econometrica 55 (which pairs); Gatev,
Goetzmann and Rouwenhorst (2006), "Pairs Trading", Review of Financial Studies 19 (formation, then trading
with entry at two deviations); Vidyamurthy (2004), "Pairs Trading" (spread of log prices).

Assumes daily bars and that a cointegration found in the past lasts through the trading period. Many
pairs are tested at once, so some are found by chance; the stop bounds what a broken pair costs. Market
exposure is near zero. Risk level: medium.
"""

from typing import ClassVar

import msgspec
import numpy as np

from trading.indicators.rolling import FloatArray
from trading.strategies.hysteresis import banded_sides
from trading.strategies.rolling_hedge import RollingHedge, rolling_hedge
from trading.strategies.search_space import Choice, SearchSpace, Span
from trading.strategies.spread_formation import (
    Formation,
    cointegrated_pairs,
    log_closes,
    require_choice,
    require_spread_parameters,
    spread_lookback,
    trade_periods,
    until_stopped,
)
from trading.strategies.strategy import Bars

HEDGES = ("fixed", "rolling")


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
    test : str
        `engle_granger`, or `johansen` (the trace statistic rejects rank 0).
    hedge : str
        `fixed`: ratio, mean and deviation of the formation. `rolling`: those of least squares over the trailing
        `formation_bars`, renewed at every bar; a pair whose ratio is not positive any more is not
        traded again in the period.
    """

    SEARCH: ClassVar[SearchSpace] = {
        "formation_bars": Span(60, 504),
        "trading_months": Choice((1, 3, 6)),
        "significance": Choice((0.01, 0.05, 0.1)),
        "max_pairs": Span(1, 10),
        "entry_z": Span(1.0, 3.0),
        "exit_z": Span(0.0, 1.0),
        "stop_z": Span(2.5, 6.0),
        "test": Choice(("engle_granger", "johansen")),
        "hedge": Choice(("fixed", "rolling")),
    }
    RISK_LEVEL: ClassVar[str] = "medium"

    formation_bars: int = 252
    trading_months: int = 1
    significance: float = 0.05
    max_pairs: int = 5
    entry_z: float = 2.0
    exit_z: float = 0.5
    stop_z: float = 4.0
    test: str = "engle_granger"
    hedge: str = "fixed"

    def __post_init__(self) -> None:
        require_spread_parameters(self)
        require_choice(self, "hedge", HEDGES)

    @property
    def lookback(self) -> int:
        """The bars of the test, and the longest period that trades on it."""
        return spread_lookback(self.formation_bars, self.trading_months)

    def targets(self, bars: Bars) -> FloatArray:
        """Return target weights (time, instrument); gross at most 1. See `strategy.Strategy`."""

        def trade(start: int, stop: int) -> FloatArray:
            return self._trade(bars, start, stop)

        return trade_periods(bars, self.formation_bars, self.trading_months, trade)

    def _trade(self, bars: Bars, start: int, stop: int) -> FloatArray:
        """Weights of one period: (stop - start, instrument)."""
        logs = log_closes(bars)
        found = bars.derived(
            ("cointegrated_pairs", self.test, self.significance, self.formation_bars, start),
            lambda: self._form(logs[start - self.formation_bars + 1 : start + 1]),
        )
        formation = found.at(slice(self.max_pairs))
        beta, score = formation.beta, formation.score(logs[start:stop])
        if self.hedge == "rolling":
            beta, score = self._follow(bars, formation, start, stop)
        sides = until_stopped(banded_sides(score, self.entry_z, self.exit_z), score, self.stop_z)
        return formation.weights(sides, beta, self.max_pairs, logs.shape[1])

    def _form(self, logs: FloatArray) -> Formation:
        """All disjoint pairs of a formation sample, the best first."""
        return cointegrated_pairs(logs, self.test, self.significance)

    def _follow(
        self, bars: Bars, formation: Formation, start: int, stop: int
    ) -> tuple[FloatArray, FloatArray]:
        """Hedge ratios and z-scores by the rolling regression: (stop - start, pair) each."""
        logs = log_closes(bars)[start - self.formation_bars + 1 : stop]

        def hedge(y: int, x: int) -> RollingHedge:
            key = ("rolling_hedge", self.formation_bars, start, stop, y, x)
            return bars.derived(
                key, lambda: rolling_hedge(logs[:, y], logs[:, x], self.formation_bars)
            )

        hedges = [
            hedge(*legs) for legs in zip(formation.y.tolist(), formation.x.tolist(), strict=True)
        ]
        shape = (stop - start, len(hedges))
        beta = np.array([each.beta for each in hedges]).T.reshape(shape)
        score = np.array([each.score for each in hedges]).T.reshape(shape)
        is_hedge = beta > 0
        return np.where(is_hedge, beta, 0.0), np.where(is_hedge, score, np.nan)
