"""Value at risk, correlation, and how much to stake."""

from typing import Annotated, Any

from pydantic import Field

from serve.desk.answers import Provenance
from serve.mcp.call import Caller
from serve.mcp.device import UseGpu, on_cpu, with_processing
from serve.mcp.tool import tool
from serve.mcp.toolsets import Toolset


@tool(Toolset.RISK, is_core=True, answer="serve.desk.analysis.risk:RiskAnalysis")
def risk_analysis(
    call: Caller,
    *,
    portfolio: Annotated[
        list[dict[str, Any]] | None,
        Field(description="{symbol, quantity} each; none: the account's own positions."),
    ] = None,
    var_confidence: Annotated[
        float, Field(gt=0, lt=1, description="Tail mass (0.05) or confidence (0.95).")
    ] = 0.05,
    time_horizon: Annotated[int, Field(ge=1, le=252, description="Trading days.")] = 1,
    use_monte_carlo: bool = True,
    use_gpu: UseGpu = True,
) -> dict[str, Any]:
    """Measure value at risk, expected shortfall, concentration and correlation of a portfolio."""
    from serve.desk.analysis.risk import risk_analysis as analysed

    found = analysed(call.desk, portfolio, var_confidence, time_horizon, use_monte_carlo)
    return with_processing(found, on_cpu(use_gpu))


@tool(Toolset.RISK, is_core=True, answer="serve.desk.analysis.correlation:CorrelationAnalysis")
def correlation_analysis(
    call: Caller,
    *,
    symbols: Annotated[list[str], Field(min_length=2, max_length=100)],
    period_days: Annotated[int, Field(ge=1, le=36_525)] = 90,
    use_gpu: UseGpu = True,
) -> dict[str, Any]:
    """Say how symbols move together, and how many independent things they really are."""
    from serve.desk.analysis.correlation import correlation_analysis as analysed

    return with_processing(analysed(call.desk, symbols, period_days), on_cpu(use_gpu))


@tool(Toolset.RISK, answer="serve.desk.analysis.kelly:KellyCriterion")
def calculate_kelly_criterion(
    call: Caller,
    *,
    probability: Annotated[float, Field(gt=0, lt=1, description="Of winning.")],
    odds: Annotated[float, Field(gt=1, description="Decimal.")],
    bankroll: Annotated[float, Field(gt=0)],
    confidence: Annotated[float, Field(ge=0, le=1, description="In the probability.")] = 1.0,
) -> Provenance:
    """Say what to stake on a bet that can be repeated, and what that risks."""
    from serve.desk.analysis.kelly import kelly_criterion

    return kelly_criterion(probability, odds, bankroll, confidence=confidence)
