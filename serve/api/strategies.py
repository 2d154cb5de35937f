"""The installed strategies: what they are, how those of the cluster do, and which one suits."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from serve.api.permitted import Asker, Desk, Reader
from serve.desk.analysis import catalogue, health, performance, selection
from serve.desk.analysis.catalogue import StrategyInfo, StrategyList
from serve.desk.analysis.health import StrategyHealth
from serve.desk.analysis.performance import PerformanceReport
from serve.desk.analysis.selection import StrategyComparison, StrategyRecommendation

router = APIRouter(prefix="/strategies", tags=["strategies"])
StrategyName = Annotated[
    str, Path(min_length=1, max_length=64, description="An alias will do.", examples=["momentum"])
]
Name = Annotated[str, Field(min_length=1, max_length=64)]
Word = Annotated[str, Field(min_length=1, max_length=40)]
Period = Annotated[int, Query(ge=1, le=3_650)]


class ComparisonQuestion(BaseModel):
    """Which strategies, by which figures, over which symbols."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"strategies": ["momentum", "pairs"]}]}
    )
    strategies: list[Name] = Field(min_length=2, max_length=20)
    metrics: list[Word] = Field(default=[], max_length=20, description="Nothing: the usual ones.")
    symbols: list[Name] | None = Field(default=None, max_length=64, description="Nothing: all.")


class RecommendationQuestion(BaseModel):
    """For which market, with which appetite."""

    model_config = ConfigDict(
        extra="forbid",
        allow_inf_nan=False,
        json_schema_extra={
            "examples": [{"market_conditions": {"volatility": "low"}, "risk_tolerance": "low"}]
        },
    )
    market_conditions: dict[str, Any] = Field(
        default={}, max_length=20, description="`volatility`, `trend`; nothing: those of now."
    )
    risk_tolerance: Word = "moderate"
    objectives: list[Word] = Field(default=["profit", "stability"], max_length=10)


@router.get("", summary="Every installed strategy")
def list_strategies(_: Reader, desk: Desk) -> StrategyList:
    return catalogue.strategies(desk)


@router.post("/compare", summary="Strategies beside each other, backtested with costs")
def compare_strategies(_: Asker, desk: Desk, asked: ComparisonQuestion) -> StrategyComparison:
    return selection.compare_strategies(desk, asked.strategies, asked.metrics, asked.symbols)


@router.post("/recommend", summary="Which strategy did well in such a market?")
def recommend_strategy(
    _: Asker, desk: Desk, asked: RecommendationQuestion
) -> StrategyRecommendation:
    return selection.recommend_strategy(
        desk, asked.market_conditions, asked.risk_tolerance, asked.objectives
    )


@router.get("/{strategy}", summary="One strategy: its document, its parameters")
def get_strategy(_: Reader, desk: Desk, strategy: StrategyName) -> StrategyInfo:
    return catalogue.strategy(desk, strategy)


@router.get("/{strategy}/performance", summary="What a strategy of the cluster made")
def get_performance(
    _: Reader,
    desk: Desk,
    strategy: StrategyName,
    period_days: Period = 30,
    include_benchmark: bool = True,
) -> PerformanceReport:
    return performance.performance_report(desk, strategy, period_days, include_benchmark)


@router.get("/{strategy}/health", summary="A strategy of the cluster, judged by stated rules")
def get_strategy_health(_: Reader, desk: Desk, strategy: StrategyName) -> StrategyHealth:
    return health.strategy_health(desk, strategy)
