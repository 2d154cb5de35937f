"""`/metrics`: the forecasts of the replica that answers, and the whole trading cluster as it is now."""

import time

from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from serve.desk.front_desk import FrontDesk
from serve.desk.view import ClusterSnapshot
from serve.http.guard import Caller, Service
from serve.monitoring.exposition import exposition
from serve.monitoring.forecast_metrics import forecast_exposition
from trading.errors import ClusterUnreachable

MEDIA_TYPE = "text/plain; version=0.0.4"
router = APIRouter(tags=["service"])


def add_monitoring(app: FastAPI) -> None:
    """Add the page that Prometheus reads; without a desk (`app.state.desk`) it tells of the forecasts alone."""
    app.include_router(router)


@router.get("/metrics", summary="For Prometheus", response_class=PlainTextResponse)
def metrics(_: Caller, service: Service, request: Request) -> PlainTextResponse:
    """Made when it is asked for. Forecast metrics are of the replica that answers; the trading cluster is one for all."""
    text = forecast_exposition(service.status())
    desk: FrontDesk | None = request.app.state.desk
    if desk is not None:
        text += _trading(desk)
    return PlainTextResponse(text, media_type=MEDIA_TYPE)


def _trading(desk: FrontDesk) -> str:
    snapshot: ClusterSnapshot | None
    try:
        snapshot = desk.trading.snapshot()
    except ClusterUnreachable:
        snapshot = None
    return exposition(snapshot, desk.audit.cluster, time.time_ns())
