"""What a portfolio may lose: value at risk by several methods, where it comes from, and what crises would do."""

import math
from dataclasses import dataclass
from typing import Any

from serve.desk.accounts import source_of
from serve.desk.analysis.holdings import Given, HeldPositions, given_positions, live_positions
from serve.desk.analysis.prices import StoredPrices, prices_of
from serve.desk.analysis.risk_answers import PortfolioShape, RiskAnalysis
from serve.desk.analysis.risk_figures import (
    beta_of,
    correlations_of,
    effective_bets_of,
    estimates_of,
    positions_of,
    shape_of,
    simulation,
    stress_of,
    value_base,
)
from serve.desk.answers import Source, moment
from serve.desk.front_desk import FrontDesk
from serve.desk.portfolio import portfolio_of as standing_of
from trading.errors import UsageError
from trading.metrics.drawdown import max_drawdown
from trading.values import NANOS_PER_DAY
from tune.risk.portfolio import Portfolio

HORIZON_MAX = 252
STALE_DAYS = 7
METHOD = (
    "Losses of today's positions over the past bars (historical), their normal and Cornish-Fisher fits, and Student "
    "returns drawn with a fixed seed; crises by the factors of trading/stress."
)


def risk_analysis(
    desk: FrontDesk,
    portfolio: Given | None = None,
    var_confidence: float = 0.05,
    time_horizon: int = 1,
    use_monte_carlo: bool = True,
) -> RiskAnalysis:
    """Measure a portfolio.

    Parameters
    ----------
    portfolio : sequence of Holding or mapping, or None
        None is that of the cluster.
    var_confidence : float
        Above 0 and below 1: below 0.5 it is the tail's probability (0.05), otherwise the confidence (0.95).
    time_horizon : int
        Trading days, 1 to 252.

    Raises
    ------
    UsageError
        If an argument is out of range, or an entry of the portfolio makes no sense.
    NotFound
        If there are no prices of a given symbol.
    DataError
        If there is too little common history.
    ClusterUnreachable
        If the cluster's portfolio is asked for and it does not answer.
    """
    confidence = _confidence(var_confidence)
    if not 1 <= time_horizon <= HORIZON_MAX:
        raise UsageError(f"time_horizon is {time_horizon} days, must be from 1 to {HORIZON_MAX}.")
    asked = _Asked(var_confidence, confidence, time_horizon, use_monte_carlo)
    if portfolio is not None:
        stored = prices_of(desk)
        held = given_positions(portfolio, stored)
        return _answer(asked, stored, held, Source.COMPUTED, int(stored.table.ts[-1]))
    snapshot = desk.trading.snapshot()
    stored = prices_of(desk)
    held = live_positions(standing_of(snapshot), stored)
    return _answer(asked, stored, held, source_of(snapshot), snapshot.clock_ns)


@dataclass(frozen=True, slots=True)
class _Asked:
    given: float
    confidence: float
    horizon: int
    simulates: bool

    @property
    def read_as(self) -> str:
        if self.given < 0.5:
            return f"{self.given:g} is the probability of the tail: the confidence is {self.confidence:g}"
        return (
            f"{self.given:g} is the confidence: the probability of the tail is {1 - self.given:g}"
        )


def _confidence(given: float) -> float:
    if not 0.0 < given < 1.0:
        raise UsageError(
            f"var_confidence is {given}; give a tail such as 0.05, or a confidence such as 0.95."
        )
    return round(1.0 - given, 12) if given < 0.5 else given


def _answer(
    asked: _Asked, stored: StoredPrices, held: HeldPositions, source: Source, as_of: int
) -> RiskAnalysis:
    measured = held.portfolio
    found = _nothing(held.cash) if measured is None else _measured(asked, stored, held, measured)
    is_given = source is Source.COMPUTED
    return RiskAnalysis(
        source=source,
        as_of=moment(as_of),
        method=METHOD,
        measured="the given portfolio" if is_given else "the cluster's portfolio",
        confidence_level=asked.confidence,
        tail_probability=round(1.0 - asked.confidence, 12),
        confidence_read_as=asked.read_as,
        horizon_days=asked.horizon,
        not_measured=sorted(held.not_measured),
        **{**found, "notes": [*found["notes"], *_doubts(held, as_of)]},
    )


def _nothing(cash: float) -> dict[str, Any]:
    shape = PortfolioShape(
        total_value=cash,
        cash=cash,
        gross_exposure=0.0,
        net_exposure=0.0,
        positions_count=0,
        largest_position=None,
        concentration_risk=None,
        effective_positions=None,
    )
    return {
        "data": None,
        "portfolio": shape,
        "positions": [],
        "estimates": [],
        "maximum_drawdown": None,
        "portfolio_beta": None,
        "diversification_ratio": None,
        "effective_bets": None,
        "correlations": None,
        "monte_carlo": None,
        "stress_tests": [],
        "notes": ["Nothing that can be measured is held, so there is no risk to measure."],
    }


def _measured(
    asked: _Asked, stored: StoredPrices, held: HeldPositions, portfolio: Portfolio
) -> dict[str, Any]:
    notes: list[str] = []
    base = value_base(portfolio)
    bets = effective_bets_of(portfolio)
    simulated = simulation(portfolio, asked.horizon, notes) if asked.simulates else None
    return {
        "data": stored.data(held.columns, portfolio.ts),
        "portfolio": shape_of(portfolio),
        "positions": positions_of(portfolio, held, stored, asked.confidence, asked.horizon),
        "estimates": estimates_of(
            portfolio, asked.confidence, asked.horizon, notes, simulates=asked.simulates
        ),
        "maximum_drawdown": max_drawdown(portfolio.returns @ portfolio.exposures / base),
        "portfolio_beta": beta_of(portfolio, stored, portfolio.exposures / base),
        "diversification_ratio": math.sqrt(bets),
        "effective_bets": bets,
        "correlations": correlations_of(portfolio),
        "monte_carlo": simulated,
        "stress_tests": stress_of(portfolio),
        "notes": notes,
    }


def _doubts(held: HeldPositions, as_of: int) -> list[str]:
    said = []
    if held.not_measured:
        said.append(f"{', '.join(sorted(held.not_measured))}: held, but without stored prices.")
    if held.portfolio is not None and as_of - held.portfolio.as_of > STALE_DAYS * NANOS_PER_DAY:
        ends = moment(held.portfolio.as_of).date()
        said.append(f"The price history ends on {ends}, long before {moment(as_of).date()}.")
    return said
