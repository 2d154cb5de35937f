"""`/v1/forecast` as it is documented, and its stream."""

import time
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from serve.api.permitted import Reader
from serve.http.body import read_body
from serve.http.forecast_endpoint import PATH, forecast_body
from serve.http.forecast_stream import events
from serve.http.guard import Service
from serve.http.problems import RequestRefused

router = APIRouter(tags=["forecasts"])

EXAMPLES: dict[str, Any] = {
    "one symbol": {"value": {"symbol": "AAPL", "horizon": 5}},
    "several symbols": {"value": {"symbols": ["AAPL", "KO"], "model": "nhits@champion"}},
    "bars of your own": {
        "value": {"symbol": "MINE", "close": [100.0, 100.7, 99.9, 101.2], "horizon": 1},
        "summary": "As many closes as the model reads; see `input_size` of its manifest.",
    },
}
_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {"$ref": "#/components/schemas/Question"},
            "examples": EXAMPLES,
        }
    },
}
_ANSWER = {
    "description": "One forecast, or for `symbols` the forecasts and the errors.",
    "content": {
        "application/json": {
            "schema": {
                "anyOf": [
                    {"$ref": "#/components/schemas/Forecast"},
                    {"$ref": "#/components/schemas/Answers"},
                ]
            }
        }
    },
}
SYMBOLS_MAX = 64
"""Of one stream."""


@router.post(
    PATH,
    summary="Forecast one symbol, several, or bars of your own",
    openapi_extra={"requestBody": _BODY},
    responses={200: _ANSWER},
    response_class=Response,
)
async def make_forecast(_: Reader, service: Service, request: Request) -> Response:
    """Any content type will do: the body is JSON."""
    began = time.perf_counter()
    body = await read_body(request.scope, request.receive, service.settings.max_body_bytes)
    answer = await forecast_body(service, body, began)
    return Response(answer, media_type="application/json")


@router.get(
    f"{PATH}/stream",
    summary="Forecasts as server-sent events",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "`event: forecast | problem`, `id`, and JSON as `data`.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    },
)
async def stream_forecasts(
    _: Reader,
    service: Service,
    request: Request,
    symbols: Annotated[str, Query(description="Separated by commas.", examples=["AAPL,KO"])],
    horizon: Annotated[int | None, Query(ge=1)] = None,
    model: Annotated[str | None, Query(max_length=128, examples=["nhits@champion"])] = None,
) -> StreamingResponse:
    """One event per symbol at once, then one whenever there is a new bar or another version answers."""
    wanted = tuple(dict.fromkeys(part.strip() for part in symbols.split(",") if part.strip()))
    if not 1 <= len(wanted) <= SYMBOLS_MAX:
        raise RequestRefused(
            422, "REQUEST_INVALID", f"Give from 1 to {SYMBOLS_MAX} symbols, separated by commas."
        )
    correlation_id = request.scope["state"]["correlation_id"]
    return StreamingResponse(
        events(service, wanted, horizon, model, correlation_id),
        media_type="text/event-stream",
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )
