"""The parts of a risk analysis, each a function of the portfolio."""

from itertools import combinations

import numpy as np

from serve.desk.analysis.holdings import HeldPositions
from serve.desk.analysis.prices import StoredPrices
from serve.desk.analysis.risk_answers import (
    CorrelationRisk,
    HighestCorrelation,
    MeasuredPosition,
    MonteCarlo,
    PortfolioShape,
    RiskEstimate,
    Simulated,
    StressResult,
)
from trading.errors import DataError, UsageError
from trading.identifiers import symbol_of
from trading.indicators.rolling import FloatArray
from trading.metrics.benchmark import alpha_beta
from trading.portfolio_risk.contributions import scenario_contributions
from trading.portfolio_risk.correlation.effective_number import effective_bets
from trading.portfolio_risk.correlation.ledoit_wolf import ledoit_wolf_covariance
from trading.portfolio_risk.correlation.sample import sample_correlation
from trading.portfolio_risk.estimate import Estimate
from trading.portfolio_risk.portfolio_losses import window_returns
from tune.risk.measures import METHODS, PATHS
from tune.risk.portfolio import Portfolio
from tune.risk.stress import every_scenario

SEED = 20_261_121
FROM_HISTORY = ("historical", "normal", "cornish-fisher")
SIMULATION = "monte-carlo-student"
LEVELS = (0.95, 0.99)


def value_base(portfolio: Portfolio) -> float:
    """Return what ratios are fractions of: the equity, or the gross exposure where that is not positive."""
    return portfolio.equity if portfolio.equity > 0 else float(np.abs(portfolio.exposures).sum())


def shape_of(portfolio: Portfolio) -> PortfolioShape:
    """Return sizes and concentration."""
    exposures = portfolio.exposures
    gross = float(np.abs(exposures).sum())
    parts = np.abs(exposures) / gross
    index = float(parts @ parts)
    return PortfolioShape(
        total_value=portfolio.equity,
        cash=portfolio.cash,
        gross_exposure=gross,
        net_exposure=float(exposures.sum()),
        positions_count=len(portfolio.names),
        largest_position=float(parts.max()),
        concentration_risk=index,
        effective_positions=1.0 / index,
    )


def estimates_of(
    portfolio: Portfolio, confidence: float, horizon: int, notes: list[str], *, simulates: bool
) -> list[RiskEstimate]:
    """Return what each method says; one that cannot leaves a note."""
    found = []
    for name in (*FROM_HISTORY, *([SIMULATION] if simulates else [])):
        try:
            found.append(METHODS[name](portfolio, horizon, SEED)(confidence))
        except (DataError, UsageError) as error:
            notes.append(f"{name}: {error}")
    base = value_base(portfolio)
    return [_estimate(each, base) for each in found]


def _estimate(said: Estimate, base: float) -> RiskEstimate:
    return RiskEstimate(
        method=said.method,
        value_at_risk=said.value_at_risk,
        value_at_risk_ratio=said.value_at_risk / base,
        value_at_risk_interval=said.interval,
        expected_shortfall=said.expected_shortfall,
        expected_shortfall_ratio=said.expected_shortfall / base,
        expected_shortfall_interval=said.shortfall_interval,
    )


def simulation(portfolio: Portfolio, horizon: int, notes: list[str]) -> MonteCarlo | None:
    """Return the simulated losses at the usual levels; None, with a note, where no model fits."""
    try:
        asked = METHODS[SIMULATION](portfolio, horizon, SEED)
        said = [asked(level) for level in LEVELS]
    except (DataError, UsageError) as error:
        notes.append(f"{SIMULATION}: {error}")
        return None
    return MonteCarlo(
        method=f"{SIMULATION}: multivariate Student returns fitted to the history",
        simulations=PATHS,
        seed=SEED,
        levels=[
            Simulated(
                confidence_level=each.confidence,
                value_at_risk=each.value_at_risk,
                expected_shortfall=each.expected_shortfall,
            )
            for each in said
        ],
    )


def positions_of(
    portfolio: Portfolio,
    held: HeldPositions,
    stored: StoredPrices,
    confidence: float,
    horizon: int,
) -> list[MeasuredPosition]:
    """Return the positions, the one that adds most to the value at risk first."""
    windows = window_returns(portfolio.returns, horizon)
    drivers = scenario_contributions(windows, portfolio.exposures, portfolio.names, confidence)
    market = market_returns(portfolio, stored)
    exposures = portfolio.exposures
    gross = float(np.abs(exposures).sum())
    rows = []
    for i, name in enumerate(portfolio.names):
        units, price = float(portfolio.units[i]), float(portfolio.prices[i])
        entry = held.entry_prices.get(name)
        rows.append(
            MeasuredPosition(
                symbol=symbol_of(name),
                quantity=units,
                price=price,
                value=float(exposures[i]),
                weight=float(exposures[i]) / gross,
                entry_price=entry,
                unrealized_pnl=None if entry is None else units * (price - entry),
                component_value_at_risk=float(drivers.value_at_risk.component[i]),
                beta=alpha_beta(portfolio.returns[:, i], market, 1.0).beta,
            )
        )
    return sorted(rows, key=lambda row: -row.component_value_at_risk)


def market_returns(portfolio: Portfolio, stored: StoredPrices) -> FloatArray:
    """Return the mean return of all symbols of the source in the bars of the portfolio: (time,)."""
    table = stored.table
    rows = np.searchsorted(table.ts, portfolio.ts)
    before = np.concatenate([rows[:1] - 1, rows[:-1]])
    changes = table.close[rows] / table.close[before] - 1.0
    mean: FloatArray = np.nanmean(changes, axis=1)
    return mean


def beta_of(portfolio: Portfolio, stored: StoredPrices, weights: FloatArray) -> float:
    """Return the beta of today's weights to the equal-weight market of the source."""
    returns = portfolio.returns @ weights
    return alpha_beta(returns, market_returns(portfolio, stored), 1.0).beta


def effective_bets_of(portfolio: Portfolio) -> float:
    """Return how many independent bets the positions are; 1 for a single one."""
    if len(portfolio.names) < 2:
        return 1.0
    covariance = ledoit_wolf_covariance(portfolio.returns, portfolio.names).covariance
    return effective_bets(covariance, portfolio.exposures, portfolio.names)


def correlations_of(portfolio: Portfolio) -> CorrelationRisk | None:
    """Return how the positions move together; None for a single one."""
    names = portfolio.names
    if len(names) < 2:
        return None
    correlation = sample_correlation(portfolio.returns, names)
    pairs = list(combinations(range(len(names)), 2))
    values = np.array([correlation[pair] for pair in pairs])
    most = int(values.argmax())
    first, second = (symbol_of(names[i]) for i in pairs[most])
    return CorrelationRisk(
        average=float(values.mean()),
        highest=HighestCorrelation(pair=(first, second), correlation=float(values[most])),
    )


def stress_of(portfolio: Portfolio) -> list[StressResult]:
    """Return what each crisis would do, the worst first."""
    rows = [
        StressResult(
            scenario=row.name,
            title=row.title,
            profit=row.profit,
            replayed_profit=row.replayed,
            worst_symbol=symbol_of(row.worst),
            worst_profit=row.worst_profit,
        )
        for row in every_scenario(portfolio, {})
    ]
    return sorted(rows, key=lambda row: row.profit)
