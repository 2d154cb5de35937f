"""The installed strategies: what they are, what they made in the past, which parameters suit them."""

import asyncio
from decimal import Decimal
from math import ceil, floor
from typing import Annotated, Any

from mcp.server.mcpserver import Context
from pydantic import Field

from serve.desk.answers import Provenance
from serve.mcp.call import Caller
from serve.mcp.data_source import source_for_jobs
from serve.mcp.device import UseGpu, on_cpu, with_processing
from serve.mcp.long_work import WAIT_S, JobReport, WaitSeconds, asked, worked
from serve.mcp.refusal import nearest
from serve.mcp.tool import tool
from serve.mcp.toolsets import Toolset
from trading.errors import UsageError

NO_GPU = "Backtests run compiled on the CPU; there is no GPU version."
ALWAYS_BESIDE = ("buy_and_hold", "equal_weights")
METRICS = {
    "sharpe_ratio": "sharpe",
    "sharpe": "sharpe",
    "sortino_ratio": "sortino",
    "sortino": "sortino",
    "calmar_ratio": "calmar",
    "calmar": "calmar",
    "total_return": "total_return",
    "profit_factor": "profit_factor",
}
NO_COSTS = ("fee_bps", "fee_per_unit", "fee_min", "half_spread_bps", "slippage_bps")
Strategy = Annotated[str, Field(max_length=64, description="See list_strategies.")]
Symbols = Annotated[
    str, Field(max_length=500, description="One symbol, or several between commas.")
]
Day = Annotated[str, Field(pattern=r"^\d{4}(-\d{2}(-\d{2})?)?$", description="YYYY-MM-DD")]


@tool(Toolset.STRATEGY, is_core=True, answer="serve.desk.analysis.catalogue:StrategyList")
def list_strategies(call: Caller) -> Provenance:
    """List the installed strategies, and which of them this cluster runs."""
    from serve.desk.analysis.catalogue import strategies

    return strategies(call.desk)


@tool(Toolset.STRATEGY, is_core=True, answer="serve.desk.analysis.catalogue:StrategyInfo")
def get_strategy_info(call: Caller, strategy: Strategy) -> Provenance:
    """Explain a strategy: what it does, its parameters and their ranges."""
    from serve.desk.analysis.catalogue import strategy as described

    return described(call.desk, strategy)


@tool(Toolset.STRATEGY, is_core=True, answer="serve.desk.analysis.quick:QuickAnalysis")
def quick_analysis(call: Caller, symbol: str, use_gpu: UseGpu = False) -> dict[str, Any]:
    """Look at one symbol: price, trend, volatility, RSI, MACD, and what a stated rule makes of them."""
    from serve.desk.analysis.quick import quick_analysis as analysed

    return with_processing(analysed(call.desk, symbol), on_cpu(use_gpu))


@tool(Toolset.STRATEGY, is_core=True, changes=True)
async def run_backtest(
    call: Caller,
    context: Context[Any, Any],
    *,
    strategy: Strategy,
    symbol: Symbols,
    start_date: Day,
    end_date: Day,
    use_gpu: UseGpu = True,
    benchmark: Annotated[
        str, Field(description="buy_and_hold and equal_weights always stand beside it.")
    ] = "buy_and_hold",
    include_costs: bool = True,
    params: dict[str, Any] | None = None,
    wait_seconds: WaitSeconds = WAIT_S,
) -> JobReport:
    """Run a strategy over history, decided on one bar and filled on the next, with costs. A job."""
    from serve.desk.job_requests import BacktestRequest

    if benchmark not in ALWAYS_BESIDE:
        raise UsageError(
            f"There is no benchmark {benchmark!r}; {nearest(benchmark, ALWAYS_BESIDE)}"
        )
    desk = await asyncio.to_thread(lambda: call.desk)
    request = await asyncio.to_thread(
        lambda: asked(
            BacktestRequest,
            strategy=strategy,
            params=params or {},
            data=source_for_jobs(desk),
            symbols=_names(symbol),
            start=start_date,
            end=end_date,
            **({} if include_costs else dict.fromkeys(NO_COSTS, 0.0)),
        )
    )
    return await worked(call, context, request, wait_seconds, on_cpu(use_gpu, NO_GPU))


@tool(Toolset.STRATEGY, is_core=True, changes=True)
async def optimize_strategy(
    call: Caller,
    context: Context[Any, Any],
    *,
    strategy: Strategy,
    symbol: Symbols,
    parameter_ranges: Annotated[
        dict[str, Any] | None,
        Field(
            description="{name: {min, max, step?} or [a, b, c]}: that grid. None: search, judged on later bars."
        ),
    ] = None,
    max_iterations: Annotated[int, Field(ge=1, le=10_000)] = 100,
    use_gpu: UseGpu = True,
    optimization_metric: str = "sharpe_ratio",
    wait_seconds: WaitSeconds = WAIT_S,
) -> JobReport:
    """Search the parameters of a strategy. Without ranges each choice is judged on the bars that follow (believe that one). A job."""
    desk = await asyncio.to_thread(lambda: call.desk)
    request = await asyncio.to_thread(
        _search,
        {"strategy": strategy, "symbols": _names(symbol), "data": source_for_jobs(desk)},
        parameter_ranges or {},
        max_iterations,
        metric_of(optimization_metric),
    )
    return await worked(call, context, request, wait_seconds, on_cpu(use_gpu, NO_GPU))


def _search(common: dict[str, Any], ranges: dict[str, Any], most: int, metric: str) -> Any:
    from serve.desk.job_requests import SweepRequest, TuneRequest

    if not ranges:
        return asked(TuneRequest, **common, trials=most, metric=metric)
    return asked(SweepRequest, **common, values=grid_of(ranges, most), metric=metric, workers=0)


def metric_of(name: str) -> str:
    """Return our name of a figure. Raises `UsageError`."""
    if name not in METRICS:
        raise UsageError(f"There is no metric {name!r}; {nearest(name, METRICS)}")
    return METRICS[name]


def grid_of(ranges: dict[str, Any], most: int) -> dict[str, str]:
    """Return the values of each parameter as `trader sweep` takes them, at most `most` points in all.

    Raises
    ------
    UsageError
        If a range is none.
    """
    each = max(2, floor(most ** (1 / len(ranges))))
    return {name: _values(name, given, each) for name, given in ranges.items()}


def _values(name: str, given: Any, count: int) -> str:
    choices = given.get("choices") if isinstance(given, dict) else given
    if isinstance(choices, list) and choices:
        return ",".join(_number(name, value) for value in choices[:count])
    if not isinstance(given, dict) or not {"min", "max"} <= given.keys():
        raise UsageError(f"{name}: write {{min, max}}, {{min, max, step}} or a list of values.")
    low, high = (Decimal(_number(name, given[end])) for end in ("min", "max"))
    if high <= low:
        raise UsageError(f"{name}: max must be above min.")
    step = Decimal(_number(name, given.get("step") or (high - low) / (count - 1)))
    if low == low.to_integral() and high == high.to_integral() and "step" not in given:
        step = Decimal(max(1, ceil(step)))
    return f"{low}:{high}:{step:f}"


def _number(name: str, value: Any) -> str:
    try:
        number = Decimal(str(value))
    except ArithmeticError:
        raise UsageError(f"{name}: {value!r} is no number.") from None
    if not number.is_finite():
        raise UsageError(f"{name}: {value!r} is no number.")
    return format(number.normalize(), "f")


def _names(symbol: str) -> list[str]:
    found = [name.strip() for name in symbol.split(",") if name.strip()]
    if not found:
        raise UsageError("Name a symbol; list_symbols shows them.")
    return found
