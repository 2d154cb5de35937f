"""The paths of the original API, for what exists here: the same functions, or the same answers to its bodies."""

import time
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from serve.api import laboratory, market, portfolio, readiness, risk, strategies, system, trading
from serve.api.orders import IdempotencyKey
from serve.api.original_bodies import (
    BacktestBody,
    CorrelationBody,
    ForecastBody,
    OptimizeBody,
    RiskBody,
    StartBody,
    StopBody,
    TradeBody,
    TrainBody,
)
from serve.api.permitted import Asker, CorrelationId, Desk, ModelAdmin, Reader, RiskAdmin, Trader
from serve.api.receipts import answered
from serve.api.starting import Starter
from serve.desk.analysis import catalogue, performance
from serve.desk.analysis.correlation import CorrelationAnalysis
from serve.desk.analysis.performance import PerformanceReport
from serve.desk.analysis.risk_answers import RiskAnalysis
from serve.desk.analysis.system import SystemMetrics
from serve.desk.answers import OrderReceipt
from serve.desk.front_desk import FrontDesk
from serve.desk.jobs import Job
from serve.http import model_routes
from serve.http.guard import Service
from serve.http.json_response import shown
from trading.errors import Conflict, NotFound, UsageError
from trading.values import TradingState

router = APIRouter(include_in_schema=False)
UseGpu = Annotated[bool, Query(description="A hint, as it was.")]
SAME: tuple[tuple[str, str, Callable[..., Any]], ...] = (
    ("GET", "/health", readiness.get_health),
    ("GET", "/trading/status", trading.get_trading),
    ("GET", "/portfolio/status", portfolio.get_portfolio),
    ("POST", "/portfolio/rebalance", portfolio.plan_rebalancing),
    ("GET", "/strategies/list", strategies.list_strategies),
    ("GET", "/strategies/{strategy}/info", strategies.get_strategy),
    ("POST", "/strategies/compare", strategies.compare_strategies),
    ("POST", "/strategies/recommend", strategies.recommend_strategy),
    ("GET", "/market/quick-analysis/{symbol}", market.get_quick_analysis),
    ("GET", "/neural/models", model_routes.list_models),
    ("GET", "/system/execution-analytics", system.get_execution_analytics),
)
"""Nothing but another path."""
for method, path, function in SAME:
    router.add_api_route(path, function, methods=[method])


@router.post("/trading/start")
def start(by: RiskAdmin, desk: Desk, asked: StartBody) -> trading.StateInForce:
    _require_configured(desk, asked)
    return trading.resume_trading(by, desk, trading.Because(reason=asked.reason))


@router.post("/trading/stop")
def stop(by: RiskAdmin, desk: Desk, asked: StopBody) -> trading.StateInForce:
    pause = trading.Pause(state=TradingState.HALTED, reason=asked.reason)
    state = trading.pause_trading(by, desk, pause)
    if asked.cancel_orders:
        desk.trading.cancel_all(by, asked.reason)
    return state


@router.post("/trading/execute-trade", status_code=201)
def execute_trade(
    by: Trader,
    desk: Desk,
    key: IdempotencyKey,
    correlation_id: CorrelationId,
    asked: TradeBody,
    response: Response,
) -> OrderReceipt:
    return answered(desk.trading.submit(asked.order(), by, key, correlation_id), response)


@router.post("/trading/backtest", status_code=202)
def backtest(by: Asker, start: Starter, asked: BacktestBody) -> Job:
    return laboratory.start_backtest(by, start, asked.request())


@router.post("/trading/optimize", status_code=202)
def optimize(by: Asker, start: Starter, asked: OptimizeBody) -> Job:
    return laboratory.start_tuning(by, start, asked.request())


@router.post("/neural/train", status_code=202)
def train(by: ModelAdmin, start: Starter, asked: TrainBody) -> Job:
    return laboratory.start_training(by, start, asked.request())


@router.post("/neural/forecast")
async def forecast(_: Asker, service: Service, asked: ForecastBody) -> Response:
    return shown(await service.forecast(asked.question(), time.perf_counter()))


@router.post("/risk/analysis")
def risk_analysis(by: Asker, desk: Desk, asked: RiskBody) -> RiskAnalysis:
    return risk.analyse_risk(by, desk, asked)


@router.post("/market/correlation-analysis")
def correlation_analysis(by: Asker, desk: Desk, asked: CorrelationBody) -> CorrelationAnalysis:
    return market.analyse_correlation(by, desk, asked)


@router.get("/performance/report")
def performance_report(
    _: Reader,
    desk: Desk,
    strategy: Annotated[str, Query(min_length=1, max_length=64)],
    period_days: strategies.Period = 30,
    include_benchmark: bool = True,
    use_gpu: UseGpu = False,
) -> PerformanceReport:
    return performance.performance_report(desk, strategy, period_days, include_benchmark)


@router.get("/system/metrics")
def system_metrics(
    by: Reader,
    desk: Desk,
    metrics: system.Metrics,
    include_history: bool = False,
) -> SystemMetrics:
    if include_history:
        raise UsageError("No history is kept here; let Prometheus read /metrics.")
    return system.get_system_metrics(by, desk, metrics)


def _require_configured(desk: FrontDesk, asked: StartBody) -> None:
    """Check that what is to be started is what the cluster trades.

    Raises
    ------
    NotFound, Conflict
        If it is not.
    """
    for name in asked.strategies:
        if catalogue.strategy(desk, name).is_running is False:
            raise Conflict(f"{name} is not in this cluster; add it to the configuration first.")
    listed = {row.symbol for row in desk.trading.instruments()} if asked.symbols else set()
    for symbol in asked.symbols:
        if symbol not in listed:
            raise NotFound(f"{symbol!r} is not traded here.")
