"""Forecasting models: ask one, train one, judge one, search for a better one."""

import asyncio
from typing import Annotated, Any, Literal

from mcp.server.mcpserver import Context
from pydantic import Field

from serve.desk.answers import Provenance
from serve.desk.principal import Permission
from serve.mcp.call import Caller
from serve.mcp.data_source import source_for_jobs
from serve.mcp.device import Processing, UseGpu, on_cpu
from serve.mcp.long_work import WAIT_S, JobReport, WaitSeconds, asked, worked
from serve.mcp.tool import tool
from serve.mcp.toolsets import Toolset
from trading.errors import UsageError

Model = Annotated[str, Field(max_length=128, description="nhits, nhits@champion or nhits@3")]
DataName = Annotated[
    str, Field(max_length=128, description="sp500 or catalogue:NAME; empty: the configured one.")
]
Epochs = Annotated[
    int | None,
    Field(ge=1, le=1_000, description="None: until the validation loss stops falling."),
]


@tool(Toolset.NEURAL, is_core=True, answer="serve.mcp.forecasts:SymbolForecast")
async def neural_forecast(
    call: Caller,
    *,
    symbol: Annotated[str, Field(max_length=64)],
    horizon: Annotated[int | None, Field(ge=1, le=365, description="Bars; none: all.")] = None,
    confidence_level: Annotated[float, Field(description="0.5, 0.8, 0.95 or 0.99")] = 0.95,
    use_gpu: UseGpu = True,
    model_id: str | None = None,
) -> Provenance:
    """Forecast a symbol with calibrated intervals. The width of the interval says more than its middle."""
    from serve.mcp.forecasts import Wish, forecast_of

    wish = Wish(symbol, horizon, confidence_level, model_id, use_gpu)
    return await forecast_of(call, wish)


@tool(Toolset.NEURAL, Permission.MODEL_ADMIN, changes=True)
async def neural_train(
    call: Caller,
    context: Context[Any, Any],
    *,
    model_type: Annotated[
        str, Field(description="nhits, lstm, patchtst, transformer, tft or linear")
    ],
    data_path: DataName = "",
    epochs: Epochs = None,
    validation_split: Annotated[float | None, Field(ge=0.05, le=0.4)] = None,
    batch_size: Annotated[int | None, Field(ge=1, le=4_096)] = None,
    learning_rate: Annotated[float | None, Field(gt=0, le=1)] = None,
    use_gpu: UseGpu = True,
    name: Annotated[str | None, Field(max_length=63)] = None,
    wait_seconds: WaitSeconds = WAIT_S,
) -> JobReport:
    """Train a model, judge it on later bars beside baselines, register it as a new version. It answers nobody before a person promotes it. A job."""
    from serve.mcp.training import kind_of, training

    settings = {
        "validation_share": validation_split,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
    }
    request = await asyncio.to_thread(
        lambda: training(
            call.desk,
            [kind_of(model_type)],
            data_path,
            epochs=epochs,
            settings=settings,
            name=name,
        )
    )
    return await worked(call, context, request, wait_seconds, trainers_choice(use_gpu))


@tool(Toolset.NEURAL, answer="serve.mcp.evaluation:ModelEvaluation")
def neural_evaluate(
    call: Caller,
    *,
    model_id: Model,
    test_data: Annotated[str, Field(description="Empty: the configured data; no other.")] = "",
    metrics: Annotated[
        list[str] | None, Field(description="mae, rmse, mape, r2_score, crps, ...; none: all.")
    ] = None,
    symbols: list[str] | None = None,
    use_gpu: UseGpu = True,
) -> Provenance:
    """Judge a model on the bars that came after its training, beside a forecast of no change."""
    from serve.mcp.evaluation import evaluated

    if test_data not in ("", call.desk.source):
        raise UsageError(
            f"This desk judges on {call.desk.source!r} alone; others: trader models compare --data."
        )
    return evaluated(call.desk, model_id, metrics or [], symbols, use_gpu)


@tool(Toolset.NEURAL, changes=True)
async def neural_backtest(
    call: Caller,
    context: Context[Any, Any],
    *,
    model_id: Model,
    start_date: str,
    end_date: str,
    symbols: list[str] | None = None,
    benchmark: Literal["buy_and_hold", "equal_weights"] = "buy_and_hold",
    rebalance_frequency: Literal["daily"] = "daily",
    use_gpu: UseGpu = True,
    wait_seconds: WaitSeconds = WAIT_S,
) -> JobReport:
    """Trade the forecasts of a model over history (strategy neural_trend, with costs), beside buy-and-hold and equal weights. A job."""
    from serve.desk.job_requests import BacktestRequest

    desk = await asyncio.to_thread(lambda: call.desk)
    await asyncio.to_thread(desk.forecasts.registry.resolve, model_id)
    request = await asyncio.to_thread(
        lambda: asked(
            BacktestRequest,
            strategy="neural_trend",
            data=source_for_jobs(desk),
            symbols=symbols or [],
            start=start_date,
            end=end_date,
            forecaster=model_id,
        )
    )
    why = "The job computes with the providers of its configuration (models.providers)."
    return await worked(call, context, request, wait_seconds, on_cpu(use_gpu, why))


@tool(Toolset.NEURAL, is_core=True, answer="serve.mcp.models:Models")
def neural_model_status(call: Caller, model_id: str | None = None) -> Provenance:
    """List the models and their versions: part, scores beside the naive forecast, coverage in service, alarms."""
    from serve.mcp.models import models_in_service

    return models_in_service(call.desk.forecasts, model_id or "")


@tool(Toolset.NEURAL, Permission.MODEL_ADMIN, changes=True)
async def neural_optimize(
    call: Caller,
    context: Context[Any, Any],
    *,
    model_id: Model,
    parameter_ranges: Annotated[
        dict[str, Any] | None, Field(description="None: each architecture has its own.")
    ] = None,
    trials: Annotated[int, Field(ge=1, le=1_000)] = 20,
    optimization_metric: Literal["validation_loss"] = "validation_loss",
    use_gpu: UseGpu = True,
    wait_seconds: WaitSeconds = WAIT_S,
) -> JobReport:
    """Search the settings of a model's architecture on Ray, then train one version with the best. A job of minutes to hours."""
    from serve.mcp.training import training

    if parameter_ranges:
        raise UsageError(
            "The search has the ranges of the architecture; leave parameter_ranges out, or train single settings "
            "with neural_train."
        )
    desk = await asyncio.to_thread(lambda: call.desk)
    manifest = await asyncio.to_thread(desk.forecasts.registry.manifest, model_id)
    request = training(
        desk,
        [manifest.kind],
        "",
        epochs=None,
        settings={},
        name=manifest.name,
        trials=trials,
        horizon=manifest.horizon,
    )
    return await worked(call, context, request, wait_seconds, trainers_choice(use_gpu))


def trainers_choice(use_gpu: bool) -> Processing:
    """Say who chooses the device of a training."""
    from serve.mcp.training import DEVICE

    asked_for = "" if use_gpu else "Not to use a GPU cannot be asked for here. "
    return Processing(device="auto", gpu_used=False, why=asked_for + DEVICE)
