"""Compare strategies, recommend one, rebalance, and how assets move together."""

from typing import Annotated, Any

from pydantic import Field

from serve.desk.answers import Provenance
from serve.mcp.call import Caller
from serve.mcp.tool import tool
from serve.mcp.toolsets import Toolset

METRICS = ["sharpe_ratio", "total_return", "max_drawdown"]
OBJECTIVES = ["profit", "stability"]
Names = Annotated[list[str], Field(min_length=2, max_length=20)]


@tool(Toolset.STRATEGY, answer="serve.desk.analysis.selection:StrategyComparison")
def get_strategy_comparison(
    call: Caller,
    *,
    strategies: Names,
    metrics: list[str] | None = None,
    symbols: list[str] | None = None,
) -> Provenance:
    """Put strategies side by side, backtested with costs over the same bars."""
    from serve.desk.analysis.selection import compare_strategies

    return compare_strategies(call.desk, strategies, metrics or METRICS, symbols)


@tool(Toolset.STRATEGY, answer="serve.desk.analysis.selection:StrategyRecommendation")
def recommend_strategy(
    call: Caller,
    *,
    market_conditions: Annotated[dict[str, Any], Field(description="volatility, trend, sentiment")],
    risk_tolerance: Annotated[
        str, Field(description="conservative, moderate, aggressive (or low, high)")
    ] = "moderate",
    objectives: list[str] | None = None,
) -> Provenance:
    """Rank the installed strategies for given conditions by stated rules, with the reasons."""
    from serve.desk.analysis.selection import recommend_strategy as recommend

    return recommend(call.desk, market_conditions, risk_tolerance, objectives or OBJECTIVES)


@tool(
    Toolset.STRATEGY,
    answer="serve.desk.analysis.selection:AdaptiveSelection",
    adds=("switch_result",),
)
def adaptive_strategy_selection(
    call: Caller, symbol: str, auto_switch: bool = False
) -> dict[str, Any]:
    """Measure the conditions of a symbol and name the strategy that suits them. Never switches by itself: that needs switch_active_strategy and a person's yes."""
    from serve.desk.analysis.selection import adaptive_selection

    found = adaptive_selection(call.desk, symbol).model_dump(mode="json")
    told = "Nothing was switched"
    if auto_switch:
        told += ": call switch_active_strategy(from_strategy, to_strategy), which asks the person"
    return {**found, "switch_result": f"{told}."}


@tool(Toolset.STRATEGY, answer="serve.desk.analysis.allocation:Rebalancing")
def portfolio_rebalance(
    call: Caller,
    *,
    target_allocations: Annotated[
        dict[str, float], Field(description="Symbol to share of the equity.")
    ],
    current_portfolio: Annotated[
        dict[str, Any] | None, Field(description="None: the positions of the account.")
    ] = None,
    rebalance_threshold: Annotated[float, Field(ge=0, le=1)] = 0.05,
) -> Provenance:
    """Calculate the trades that bring the portfolio to the target. Sends nothing."""
    from serve.desk.analysis.allocation import rebalance

    return rebalance(call.desk, target_allocations, current_portfolio, rebalance_threshold)


@tool(Toolset.STRATEGY, answer="serve.desk.analysis.correlation:CorrelationMatrix")
def cross_asset_correlation_matrix(
    call: Caller,
    *,
    assets: Annotated[list[str], Field(min_length=2, max_length=100)],
    lookback_days: Annotated[int, Field(ge=1, le=36_525)] = 90,
    include_prediction_confidence: Annotated[
        bool, Field(description="False leaves out the 95 % interval of each pair.")
    ] = True,
) -> dict[str, Any]:
    """Correlate every pair of assets, with the interval in which each correlation lies."""
    from serve.desk.analysis.correlation import correlation_matrix

    found = correlation_matrix(call.desk, assets, lookback_days).model_dump(mode="json")
    if not include_prediction_confidence:
        found["pairs"] = []
    return found
