"""Neural arbitrage: trade a stretched spread only when a forecast says that it will close by more than it costs.

Sources: Gatev, Goetzmann and Rouwenhorst (2006), "Pairs Trading", Review of Financial Studies 19 (formation,
then trading); Makarov and Schoar (2020), "Trading and Arbitrage in Cryptocurrency Markets", Journal of
Financial Economics 135 (one asset on two venues); Dunis, Laws and Evans (2006), "Trading Futures Spreads", Applied
Financial Economics 16 (spreads traded on the forecast of a neural network). The forecast comes from
whichever forecaster fills `forecast_return` and `forecast_deviation`; this rule knows no network.

Two kinds of pairs. Cross-venue: one symbol on two venues, hedge ratio 1, always a pair. Cross-asset: chosen by
cointegration at the start of each period, hedge ratio of the test.

Assumes that both legs can be traded at the close at about the stated cost, and shorted; that venues
settle alike; and that the errors of the two forecasts are independent (with errors that move together the deviation of
the spread is overstated, so it enters less often). Loses when a link breaks, when forecasts are worse than they claim, and
when one venue halts withdrawals or an instrument is bought out. Risk level: medium.
"""

from typing import ClassVar

import msgspec
import numpy as np

from trading.indicators.rolling import FloatArray
from trading.strategies.hysteresis import held_sides
from trading.strategies.needed_signals import require_signals
from trading.strategies.search_space import Choice, SearchSpace, Span
from trading.strategies.signals import FORECAST_DEVIATION, FORECAST_RETURN
from trading.strategies.spread_formation import (
    Formation,
    cointegrated_pairs,
    log_closes,
    require_spread_parameters,
    same_symbol_pairs,
    spread_lookback,
    trade_periods,
    until_stopped,
)
from trading.strategies.strategy import Bars, require_range


class NeuralArbitrage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Enter where the z-score and the forecast of the spread agree; leave near the mean or when it turns.

    The expected change of the spread is the forecast return of y less beta times that of x. A position is given
    up when its expected change is no longer in its favour, or unknown. The memory is finite: every period
    starts flat with pairs and z-scores of its own.

    Attributes
    ----------
    formation_bars : int
        Bars of the mean, the deviation and the test, the first bar of the period included (30 to 2520).
    trading_months : int
        Calendar months of a period (1 to 12).
    test : str
        `engle_granger` or `johansen`, for cross-asset pairs.
    significance : float
        Level of that test (0.01, 0.05 or 0.1).
    max_pairs : int
        Pairs per period (1 to 500), cross-venue ones first; an instrument is in one pair at most. Each open
        pair has a gross weight of 1 / max_pairs.
    entry_z, exit_z, stop_z : float
        Distance of the spread from its mean (standard deviations, 0 to 20, exit < entry < stop). A pair that
        reaches the stop is not traded again in the period.
    cost_bps : float
        Cost of one leg, in and out (bps of its value, 0 to 1000).
    cost_margin : float
        Expected convergence for an entry, as a multiple of the cost of both legs (0 to 100).
    certainty_min : float
        Expected convergence for an entry, in deviations of the forecast (0 to 10).
    """

    NEEDS: ClassVar[tuple[str, ...]] = (FORECAST_RETURN, FORECAST_DEVIATION)
    SEARCH: ClassVar[SearchSpace] = {
        "formation_bars": Span(60, 504),
        "trading_months": Choice((1, 3, 6)),
        "test": Choice(("engle_granger", "johansen")),
        "significance": Choice((0.01, 0.05, 0.1)),
        "max_pairs": Span(1, 10),
        "entry_z": Span(0.5, 3.0),
        "exit_z": Span(0.0, 0.5),
        "stop_z": Span(2.5, 6.0),
        "cost_margin": Span(0.5, 4.0),
        "certainty_min": Span(0.0, 1.0),
    }
    RISK_LEVEL: ClassVar[str] = "medium"

    formation_bars: int = 252
    trading_months: int = 1
    test: str = "engle_granger"
    significance: float = 0.05
    max_pairs: int = 5
    entry_z: float = 1.0
    exit_z: float = 0.25
    stop_z: float = 4.0
    cost_bps: float = 5.0
    cost_margin: float = 1.5
    certainty_min: float = 0.0

    def __post_init__(self) -> None:
        require_spread_parameters(self)
        require_range(self, "cost_bps", 0.0, 1000.0)
        require_range(self, "cost_margin", 0.0, 100.0)
        require_range(self, "certainty_min", 0.0, 10.0)

    @property
    def lookback(self) -> int:
        """The bars of the formation, and the longest period that trades on it."""
        return spread_lookback(self.formation_bars, self.trading_months)

    def targets(self, bars: Bars) -> FloatArray:
        """Return target weights (time, instrument); gross at most 1. See `strategy.Strategy`.

        Raises
        ------
        DataError
            If the bars have no forecasts.
        """
        require_signals(self, bars, self.NEEDS)

        def trade(start: int, stop: int) -> FloatArray:
            return self._trade(bars, start, stop)

        return trade_periods(bars, self.formation_bars, self.trading_months, trade)

    def _trade(self, bars: Bars, start: int, stop: int) -> FloatArray:
        """Weights of one period: (stop - start, instrument)."""
        logs = log_closes(bars)
        found = bars.derived(
            ("arbitrage_pairs", self.test, self.significance, self.formation_bars, start),
            lambda: self._form(bars, logs[start - self.formation_bars + 1 : start + 1]),
        )
        formation = found.at(slice(self.max_pairs))
        score = formation.score(logs[start:stop])
        expected, deviation = _spread_forecast(bars.rows(start, stop), formation)
        sides = until_stopped(
            self._sides(score, expected, deviation, formation.beta), score, self.stop_z
        )
        return formation.weights(sides, formation.beta, self.max_pairs, logs.shape[1])

    def _form(self, bars: Bars, sample: FloatArray) -> Formation:
        """Pairs of one symbol first, then cointegrated pairs of the instruments that are left."""
        venues = same_symbol_pairs(sample, bars.instrument_ids)
        free = np.setdiff1d(np.arange(sample.shape[1]), np.concatenate([venues.y, venues.x]))
        return venues.followed_by(cointegrated_pairs(sample, self.test, self.significance, free))

    def _sides(
        self, score: FloatArray, expected: FloatArray, deviation: FloatArray, beta: FloatArray
    ) -> FloatArray:
        """1: long y and short x; -1 the other way; (time, pair)."""
        cost = self.cost_bps * 1e-4 * (1.0 + beta)
        hurdle = np.maximum(self.cost_margin * cost, self.certainty_min * deviation)
        is_low = (score <= -self.entry_z) & (expected > hurdle)
        is_high = (score >= self.entry_z) & (-expected > hurdle)
        wanted = is_low.astype(np.float64) - is_high
        keeps_long = (score < -self.exit_z) & (expected > 0)
        keeps_short = (score > self.exit_z) & (expected < 0)
        return held_sides(wanted, keeps_long, keeps_short)


def _spread_forecast(bars: Bars, formation: Formation) -> tuple[FloatArray, FloatArray]:
    """Expected change of each pair's spread, and its standard deviation: (time, pair), NaN together."""
    returns, errors = bars.signals[FORECAST_RETURN], bars.signals[FORECAST_DEVIATION]
    y, x, beta = formation.y, formation.x, formation.beta
    expected = returns[:, y] - beta * returns[:, x]
    deviation = np.hypot(errors[:, y], beta * errors[:, x])
    return np.where(np.isnan(deviation), np.nan, expected), deviation
