"""How the machines do, and how orders were executed."""

from typing import Annotated

from fastapi import APIRouter, Query

from serve.api.permitted import Desk, Reader
from serve.desk.analysis import performance, system
from serve.desk.analysis.execution import ExecutionAnalytics
from serve.desk.analysis.system import SystemMetrics

router = APIRouter(prefix="/system", tags=["cluster"])


Metrics = Annotated[
    list[str],
    Query(
        default_factory=list,
        max_length=10,
        description="cpu, memory, latency, throughput, gpu; nothing: all.",
    ),
]


@router.get("/metrics", summary="This machine, and the cluster on it, measured now")
def get_system_metrics(_: Reader, desk: Desk, metrics: Metrics) -> SystemMetrics:
    return system.system_metrics(desk, metrics)


@router.get("/execution-analytics", summary="How orders were executed: delays, slippage, success")
def get_execution_analytics(
    _: Reader,
    desk: Desk,
    time_period: Annotated[
        str, Query(max_length=8, description="1h, 24h, 7d, 30d or all.", examples=["24h"])
    ] = "1h",
) -> ExecutionAnalytics:
    return performance.execution_analytics(desk, time_period)
