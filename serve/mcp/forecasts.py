"""Forecasts as agents get them: the service's own answer, with the interval that was asked for."""

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime

from pydantic import Field

from serve.desk.analysis.question_now import question_now
from serve.desk.answers import Answer, Provenance, Source, moment
from serve.forecast.service import ForecastService
from serve.mcp.call import Call
from serve.mcp.device import Processing
from trading.errors import UsageError
from trading.forecasting.forecast import Forecast, interval
from trading.forecasting.prediction import COVERAGES


class Step(Answer):
    step: int = Field(description="Bars ahead.")
    predicted_price: float = Field(description="Median.")
    lower_bound: float
    upper_bound: float


class ModelUsed(Answer):
    id: str
    data_cutoff: datetime = Field(description="Last bar that it was trained on.")


class SymbolForecast(Provenance):
    symbol: str
    model: ModelUsed
    horizon: int
    confidence_level: float
    current_price: float
    predictions: list[Step]
    expected_return: float
    deviation: float = Field(description="Standard deviation of the return over the horizon.")
    expires_at: datetime = Field(description="Market time after which nobody may trade on it.")
    latency_ms: float
    is_cached: bool
    processing: Processing


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for; None leaves it to the model, or to the service."""

    symbol: str
    horizon: int | None = None
    confidence_level: float = 0.95
    model: str | None = None
    use_gpu: bool = False


async def forecast_of(call: Call, wish: Wish) -> SymbolForecast:
    """Ask the service of this replica about what is known at the market time of the cluster.

    Raises
    ------
    UsageError
        If the interval is not one that the model is calibrated for.
    NotFound, DataError
        As `question_now`.
    ForecastError, ModelError
        As `ForecastService.forecast`.
    """
    require_coverage(wish.confidence_level)
    service = await service_of(call)
    question = await asyncio.to_thread(
        lambda: question_now(call.desk, wish.symbol, wish.horizon, wish.model)
    )
    found = await service.forecast(question, time.perf_counter())
    assert isinstance(found, Forecast)
    return shown(found, wish.confidence_level, wish.use_gpu)


async def service_of(call: Call) -> ForecastService:
    """Return the forecasting service, which follows the registry from its first question on."""
    desk = await asyncio.to_thread(lambda: call.desk)
    if not desk.forecasts.is_ready:
        await desk.forecasts.start()
    return desk.forecasts


def require_coverage(level: float) -> None:
    """Check that an interval is one that the models are calibrated for."""
    if level not in COVERAGES:
        known = ", ".join(map(str, COVERAGES))
        raise UsageError(
            f"confidence_level is {level}; the models are calibrated for {known}, and any other would be made up."
        )


def shown(found: Forecast, confidence_level: float, use_gpu: bool) -> SymbolForecast:
    """Return a forecast as an agent gets it."""
    low, high = interval(found, confidence_level)
    middle = found.quantiles["0.5"]
    return SymbolForecast(
        source=Source.COMPUTED,
        as_of=moment(found.as_of),
        symbol=found.symbol,
        model=ModelUsed(id=f"{found.model}@{found.version}", data_cutoff=moment(found.data_cutoff)),
        horizon=found.horizon,
        confidence_level=confidence_level,
        current_price=found.last_close,
        predictions=[
            Step(step=number, predicted_price=price, lower_bound=lower, upper_bound=upper)
            for number, (price, lower, upper) in enumerate(
                zip(middle, low, high, strict=True), start=1
            )
        ],
        expected_return=found.expected_return,
        deviation=found.deviation,
        expires_at=moment(found.expires_at),
        latency_ms=found.latency_ms,
        is_cached=found.is_cached,
        processing=processing_of(found, use_gpu),
    )


def processing_of(found: Forecast, use_gpu: bool) -> Processing:
    """Say what computed a forecast, and why that."""
    on_gpu = any(name in found.provider for name in ("cuda", "tensorrt"))
    if on_gpu:
        why = "The service is configured for a GPU."
    elif found.is_fallback:
        why = "The service is configured for a GPU, and there is none it can use."
    elif use_gpu:
        why = "The service is configured for the CPU (models.providers); a call cannot change that."
    else:
        why = "No GPU was asked for."
    return Processing(device=found.provider, gpu_used=on_gpu, why=why)
