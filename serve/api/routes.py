"""The API as a part of an application."""

from fastapi import FastAPI

from serve.api import (
    agents,
    cluster,
    jobs,
    laboratory,
    market,
    orders,
    original,
    portfolio,
    quotes,
    risk,
    sandbox,
    strategies,
    stream,
    system,
    trading,
)
from serve.desk.front_desk import FrontDesk
from serve.http import model_routes

PARTS = (
    portfolio,
    orders,
    risk,
    trading,
    jobs,
    laboratory,
    strategies,
    market,
    agents,
    sandbox,
    cluster,
    system,
    stream,
    quotes,
)


def add_api(app: FastAPI, desk: FrontDesk) -> None:
    """Add every route that stands on the front desk; `app.state.guard` says who asks.

    All are below `/v1`. The paths of the original API lead to the same, and so do those without `/v1`.
    """
    app.state.desk = desk
    app.include_router(original.router)
    for part in PARTS:
        app.include_router(part.router, prefix="/v1")
        app.include_router(part.router, include_in_schema=False)
    app.include_router(model_routes.router, include_in_schema=False)
