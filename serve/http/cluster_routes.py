"""How the service is: for people, for probes, for Prometheus."""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from serve.api.permitted import Reader
from serve.forecast.service import ForecastService
from serve.forecast.status import ServiceStatus, summed
from serve.http.json_response import answers, shown

router = APIRouter(tags=["service"])
Overview = Callable[[], Awaitable[ServiceStatus]]
"""Where `/v1/cluster` comes from (`app.state.overview`): one replica knows only itself."""


def alone(service: ForecastService) -> Overview:
    """Return the overview of a service without other replicas."""

    async def overview() -> ServiceStatus:
        return summed((service.status(),), cpus=0.0, gpus=0.0, gpus_free=0.0)

    return overview


@router.get(
    "/v1/cluster",
    summary="Replicas, versions, latencies, cache and shadow of the forecasting service",
    **answers(ServiceStatus),
)
async def get_forecast_service(_: Reader, request: Request) -> Response:
    overview: Overview = request.app.state.overview
    return shown(await overview())
