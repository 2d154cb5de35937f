"""Allocation: hold a constructed portfolio of everything that has a price, renewed at the start of a month.

Sources: see `trading.allocation.construction`, which does the work; weights between rebalances are left to
the planner, whose band keeps small drifts from being traded.

Assumes that risks, and for mean_variance also means, of the last year say something of the next months. Risks
persist far better than means: methods without means are the safer choice (DeMiguel, Garlappi and Uppal,
2009, "Optimal Versus Naive Diversification", Review of Financial Studies 22). Loses with the market that it
holds. Risk level: low.
"""

from importlib import import_module
from typing import ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from trading.allocation.assumptions import Assumptions
from trading.allocation.construction import LONG_ONLY, METHODS, construct
from trading.allocation.mandate import Mandate
from trading.indicators.periods import BARS_PER_MONTH_MAX
from trading.indicators.rolling import FloatArray
from trading.strategies.schedule import schedule
from trading.strategies.search_space import Choice, SearchSpace, Span
from trading.strategies.strategy import Bars, require_range

CHOICES = tuple(method for method in METHODS if method != "black_litterman")
"""Views are a person's, not a strategy's."""


class Allocation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Construct weights from the last `lookback_bars` returns; hold them for `rebalance_months`.

    The covariance is Ledoit and Wolf's, so that more instruments than returns do no harm. An instrument
    without a price in that time, or whose price never moves, gets weight 0. If too few are left for
    the bounds, the budget shrinks to what `weight_max` allows and `weight_min` to an equal share.

    Attributes
    ----------
    method : str
        One of `CHOICES`.
    lookback_bars : int
        Returns in the estimates (bars, 20 to 2520).
    rebalance_months : int
        Calendar months between rebalances (1 to 12).
    weight_min, weight_max : float
        Of each instrument that is held (-1 to 0.5; 0.01 to 1). With a negative minimum all weights are scaled
        down together when their absolute values sum to more than 1.
    budget : float
        Sum of all weights (0.01 to 1).
    risk_aversion : float
        Of mean_variance (0.1 to 100).
    confidence : float
        Of minimum_cvar (0.5 to 0.99).
    """

    SEARCH: ClassVar[SearchSpace] = {
        "method": Choice(CHOICES),
        "lookback_bars": Span(60, 504),
        "rebalance_months": Choice((1, 2, 3, 6)),
        "weight_max": Span(0.1, 1.0),
        "risk_aversion": Span(1.0, 30.0, is_log=True),
    }
    RISK_LEVEL: ClassVar[str] = "low"

    method: str = "hierarchical_risk_parity"
    lookback_bars: int = 252
    rebalance_months: int = 1
    weight_min: float = 0.0
    weight_max: float = 0.25
    budget: float = 1.0
    risk_aversion: float = 3.0
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if self.method not in CHOICES:
            raise ValueError(
                f"Allocation: method must be one of {', '.join(CHOICES)}, got {self.method!r}"
            )
        require_range(self, "lookback_bars", 20, 2520)
        require_range(self, "rebalance_months", 1, 12)
        require_range(self, "weight_max", 0.01, 1.0)
        low = 0.0 if self.method in LONG_ONLY else -1.0
        require_range(self, "weight_min", low, min(0.5, self.weight_max))
        require_range(self, "budget", 0.01, 1.0)
        require_range(self, "risk_aversion", 0.1, 100.0)
        require_range(self, "confidence", 0.5, 0.99)
        import_module("skfolio.optimization")  # takes seconds: now, not at the first bar

    @property
    def lookback(self) -> int:
        """The bars of one decision, and the longest time for which it is held."""
        return self.lookback_bars + self._bars_held_max

    @property
    def _bars_held_max(self) -> int:
        return BARS_PER_MONTH_MAX * self.rebalance_months

    def targets(self, bars: Bars) -> FloatArray:
        """Return target weights (time, instrument); gross at most 1. See `strategy.Strategy`."""
        plan = schedule(bars, self.rebalance_months, self.lookback_bars, self._bars_held_max)
        decisions = np.zeros((plan.decided_at.size, len(bars.instrument_ids)))
        for decision, row in zip(decisions, plan.decided_at.tolist(), strict=True):
            decision[:] = self._decide(bars, row)
        return plan.spread(decisions)

    def _decide(self, bars: Bars, row: int) -> FloatArray:
        """Weights decided at `row`: (instrument,)."""
        close = bars.close[row - self.lookback_bars : row + 1]
        returns = close[1:] / close[:-1] - 1.0
        is_usable: NDArray[np.bool_] = np.isfinite(returns).all(axis=0) & (
            np.ptp(returns, axis=0) > 0
        )
        weights = np.zeros(is_usable.size)
        if is_usable.any():
            names = tuple(np.array(bars.instrument_ids)[is_usable].tolist())
            mandate = self._mandate(len(names))
            held = construct(self.method, returns[:, is_usable], names, mandate, self._assumptions)
            weights[is_usable] = held / max(np.abs(held).sum(), 1.0)
        return weights

    def _mandate(self, count: int) -> Mandate:
        """Bounds that `count` instruments can keep."""
        budget = min(self.budget, count * self.weight_max)
        return Mandate(
            weight_min=min(self.weight_min, budget / count),
            weight_max=self.weight_max,
            budget=budget,
        )

    @property
    def _assumptions(self) -> Assumptions:
        return Assumptions(
            covariance="ledoit_wolf", risk_aversion=self.risk_aversion, confidence=self.confidence
        )
