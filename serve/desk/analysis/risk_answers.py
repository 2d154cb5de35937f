"""What `risk_analysis` answers. Losses are positive numbers, in the currency of the portfolio."""

from typing import Literal

from pydantic import Field

from serve.desk.analysis.figures import Figure
from serve.desk.analysis.prices import PriceData
from serve.desk.answers import Answer, Provenance


class RiskEstimate(Answer):
    """What one method says. The intervals are of its own sampling error (95 %)."""

    method: str
    value_at_risk: float
    value_at_risk_ratio: Figure = Field(description="Of the portfolio's value.")
    value_at_risk_interval: tuple[Figure, Figure]
    expected_shortfall: float
    expected_shortfall_ratio: Figure
    expected_shortfall_interval: tuple[Figure, Figure]


class PortfolioShape(Answer):
    total_value: float = Field(description="Positions and cash.")
    cash: float
    gross_exposure: float
    net_exposure: float
    positions_count: int
    largest_position: Figure = Field(description="Part of the gross exposure.")
    concentration_risk: Figure = Field(
        description="Herfindahl index of the parts of the gross exposure: 1 is a single position."
    )
    effective_positions: Figure = Field(description="1 over that index.")


class MeasuredPosition(Answer):
    symbol: str
    quantity: float
    price: float
    value: float
    weight: float = Field(description="Of the gross exposure, signed.")
    entry_price: float | None
    unrealized_pnl: float | None
    component_value_at_risk: float = Field(
        description="What it adds to the historical value at risk; negative for a hedge. They add up."
    )
    beta: Figure


class HighestCorrelation(Answer):
    pair: tuple[str, str]
    correlation: float


class CorrelationRisk(Answer):
    """Of the positions' returns; None with fewer than two positions."""

    average: float
    highest: HighestCorrelation


class Simulated(Answer):
    confidence_level: float
    value_at_risk: float
    expected_shortfall: float


class MonteCarlo(Answer):
    method: str
    simulations: int
    seed: int
    levels: list[Simulated]


class StressResult(Answer):
    scenario: str
    title: str
    profit: float = Field(description="By the moves of its factors; negative is a loss.")
    replayed_profit: float | None = Field(
        description="On the prices of that time; None where they do not reach so far."
    )
    worst_symbol: str
    worst_profit: float


class RiskAnalysis(Provenance):
    """Every figure is None, and every list empty, when nothing is held."""

    method: str
    data: PriceData | None
    measured: Literal["the cluster's portfolio", "the given portfolio"]
    confidence_level: float
    tail_probability: float
    confidence_read_as: str = Field(description="How `var_confidence` was understood.")
    horizon_days: int = Field(description="Bars of the price source, which are trading days.")
    portfolio: PortfolioShape
    positions: list[MeasuredPosition]
    estimates: list[RiskEstimate]
    maximum_drawdown: Figure = Field(
        description="Deepest fall of today's weights, renewed every bar, over the history."
    )
    portfolio_beta: Figure = Field(
        description="To the equal-weight market of all symbols of the source."
    )
    diversification_ratio: Figure
    effective_bets: Figure
    correlations: CorrelationRisk | None
    monte_carlo: MonteCarlo | None
    stress_tests: list[StressResult]
    not_measured: list[str] = Field(description="Symbols that are held but have no stored prices.")
    notes: list[str]
