"""How the service is: for people, for probes, for Prometheus."""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from serve.forecast.service import ForecastService
from serve.forecast.status import ReplicaStatus, ServiceStatus, summed
from serve.http.guard import Principal, Service
from serve.http.json_response import shown

router = APIRouter(tags=["service"])
Overview = Callable[[], Awaitable[ServiceStatus]]
"""Where `/v1/cluster` comes from (`app.state.overview`): one replica knows only itself."""


def alone(service: ForecastService) -> Overview:
    """Return the overview of a service without other replicas."""

    async def overview() -> ServiceStatus:
        return summed((service.status(),), cpus=0.0, gpus=0.0, gpus_free=0.0)

    return overview


@router.get("/v1/cluster", summary="Replicas, versions, latencies, cache and shadow")
async def cluster(_: Principal, request: Request) -> Response:
    overview: Overview = request.app.state.overview
    return shown(await overview())


@router.get("/healthz", summary="The process answers")
async def healthz() -> Response:
    return shown({"status": "ok"})


@router.get("/readyz", summary="A model is loaded and warm")
async def readyz(service: Service) -> Response:
    return shown(
        {"status": "ready" if service.is_ready else "starting"}, 200 if service.is_ready else 503
    )


@router.get("/metrics", summary="This replica for Prometheus", response_class=PlainTextResponse)
async def metrics(_: Principal, service: Service) -> PlainTextResponse:
    """Of the replica that answers; Ray exports Serve's own metrics of all of them."""
    return PlainTextResponse(exposition(service.status()), media_type="text/plain; version=0.0.4")


def exposition(status: ReplicaStatus) -> str:
    """Return a status in the text format of Prometheus."""
    label = f'replica="{status.replica}"'
    lines = [
        "# TYPE forecast_asked_total counter",
        f"forecast_asked_total{{{label}}} {status.asked}",
    ]
    lines.append("# TYPE forecast_failures_total counter")
    lines += [
        f'forecast_failures_total{{{label},code="{code}"}} {count}'
        for code, count in sorted(status.failures.items())
    ]
    lines += ["# TYPE forecast_queued gauge", f"forecast_queued{{{label}}} {status.queued}"]
    lines.append("# TYPE forecast_cache_total counter")
    lines.append(f'forecast_cache_total{{{label},result="hit"}} {status.cache_hits}')
    lines.append(f'forecast_cache_total{{{label},result="miss"}} {status.cache_misses}')
    lines.append("# TYPE forecast_latency_ms gauge")
    for name, value in (("0.5", status.p50_ms), ("0.99", status.p99_ms)):
        if value is not None:
            lines.append(f'forecast_latency_ms{{{label},quantile="{name}"}} {value:.3f}')
    return "\n".join(lines) + "\n"
