"""How the positions move together: a matrix in groups, how many bets they are, and whether that has changed."""

from dataclasses import dataclass

import numpy as np

from trading.errors import DataError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.correlation.clusters import clusters_of
from trading.portfolio_risk.correlation.effective_number import effective_bets
from trading.portfolio_risk.correlation.ledoit_wolf import (
    ledoit_wolf_correlation,
    ledoit_wolf_covariance,
)
from trading.portfolio_risk.correlation.regime import CorrelationAlarm, correlation_alarm
from tune.risk.portfolio import Portfolio

RECENT_BARS = 60


@dataclass(frozen=True, slots=True, eq=False)
class Dependence:
    """Of a portfolio of two assets or more.

    Attributes
    ----------
    names : tuple of str
        In the order of the heat map: like beside like.
    correlation : (asset, asset)
        Shrunk (Ledoit and Wolf), in that order.
    groups : tuple of tuple of str
    bets : float
        As many uncorrelated positions of equal risk would be as spread out.
    alarm : CorrelationAlarm or None
        Whether the last bars differ from those before; None when there is too little history.
    """

    names: tuple[str, ...]
    correlation: FloatArray
    groups: tuple[tuple[str, ...], ...]
    bets: float
    alarm: CorrelationAlarm | None


def dependence_of(portfolio: Portfolio, seed: int) -> Dependence | None:
    """Return how the positions move together; None for a single one."""
    names = portfolio.names
    if len(names) < 2:
        return None
    correlation = ledoit_wolf_correlation(portfolio.returns, names)
    clusters = clusters_of(correlation, names) if len(names) > 2 else None
    order = np.arange(len(names)) if clusters is None else clusters.order
    covariance = ledoit_wolf_covariance(portfolio.returns, names).covariance
    try:
        alarm = correlation_alarm(
            portfolio.returns, names, RECENT_BARS, np.random.default_rng(seed)
        )
    except DataError:
        alarm = None
    return Dependence(
        names=tuple(names[i] for i in order),
        correlation=correlation[np.ix_(order, order)],
        groups=(tuple(names),) if clusters is None else clusters.members(names),
        bets=effective_bets(covariance, portfolio.exposures, names),
        alarm=alarm,
    )
