"""Today's positions in each scenario: by the moves of factors, and on the path that prices really took."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from actors.storage.scenario_files import shipped_scenarios
from trading.errors import DataError
from trading.identifiers import InstrumentId, symbol_of
from trading.portfolio_risk.correlation.ledoit_wolf import ledoit_wolf_covariance
from trading.stress.broken_correlation import (
    CorrelationBreakdown,
    correlation_breakdown,
    worst_correlation,
)
from trading.stress.holdings import Holding, equity_holdings
from trading.stress.market_beta import market_betas
from trading.stress.replay import Replay, replay
from trading.stress.reverse import ReverseStress, reverse_stress
from trading.stress.scenario import Scenario
from trading.stress.scenario_loss import ScenarioLoss, scenario_loss
from tune.risk.portfolio import Portfolio


@dataclass(frozen=True, slots=True)
class StressRow:
    """One scenario in one line; a loss is a negative profit.

    Attributes
    ----------
    profit : float
        By the moves of the factors (account currency).
    replayed : float or None
        On the prices of that time; None where they do not reach so far.
    worst : InstrumentId
        The position that loses most.
    """

    name: str
    title: str
    profit: float
    replayed: float | None
    worst: InstrumentId
    worst_profit: float


def every_scenario(portfolio: Portfolio, sectors: Mapping[str, str]) -> list[StressRow]:
    """Return what each scenario that comes with the program would do.

    Parameters
    ----------
    sectors : mapping of symbol to sector
    """
    holdings = holdings_of(portfolio, sectors)
    rows = []
    for scenario in shipped_scenarios():
        loss = scenario_loss(scenario, holdings)
        lost = loss.by_position
        worst = int(np.argmax(lost))
        past = replayed(portfolio, scenario)
        rows.append(
            StressRow(
                name=scenario.name,
                title=scenario.title,
                profit=-loss.total,
                replayed=None if past is None else -past.total,
                worst=portfolio.names[worst],
                worst_profit=-float(lost[worst]),
            )
        )
    return rows


def one_scenario(
    portfolio: Portfolio, scenario: Scenario, sectors: Mapping[str, str]
) -> ScenarioLoss:
    """Return what a scenario would lose, position by position."""
    return scenario_loss(scenario, holdings_of(portfolio, sectors))


def replayed(portfolio: Portfolio, scenario: Scenario) -> Replay | None:
    """Return the positions on the prices of the scenario's own time; None where they do not reach so far."""
    if scenario.start is None or scenario.end is None:
        return None
    try:
        return replay(
            portfolio.past_ts,
            portfolio.past_close,
            portfolio.names,
            portfolio.exposures,
            (scenario.start, scenario.end),
        )
    except DataError:
        return None


def worst_way_to_lose(portfolio: Portfolio, loss: float) -> ReverseStress:
    """Return the most probable one-bar moves of the positions' prices that lose `loss` (account currency).

    Raises
    ------
    UsageError
        If the loss is not a positive number.
    DataError
        If nothing is exposed, or the history is too short for a covariance.
    """
    covariance = ledoit_wolf_covariance(portfolio.returns, portfolio.names).covariance
    return reverse_stress(portfolio.exposures, covariance, portfolio.names, loss)


def broken_correlation(portfolio: Portfolio) -> CorrelationBreakdown:
    """Return the deviation of one bar if everything moved together in the worst way."""
    covariance = ledoit_wolf_covariance(portfolio.returns, portfolio.names).covariance
    worst = worst_correlation(portfolio.exposures)
    return correlation_breakdown(portfolio.exposures, covariance, portfolio.names, crisis=worst)


def holdings_of(portfolio: Portfolio, sectors: Mapping[str, str]) -> tuple[Holding, ...]:
    """Return the positions as stocks with their betas to the equal-weight market of the portfolio's assets.

    Beta is 1 where there are fewer than two assets to make a market of.
    """
    names = portfolio.names
    betas = market_betas(portfolio.returns, names) if len(names) > 1 else None
    known = {str(name): sectors[symbol_of(name)] for name in names if symbol_of(name) in sectors}
    return equity_holdings(names, portfolio.exposures, betas, known)
