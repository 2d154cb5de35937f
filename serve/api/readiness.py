"""Whether this replica, and the cluster behind it, can do their work: and if not, why."""

import asyncio
from collections.abc import Iterator

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from serve.desk.accounts import AccountViews, accounts_of
from serve.desk.answers import Answer
from serve.desk.front_desk import FrontDesk
from serve.desk.view import ClusterSnapshot
from serve.http.guard import Service
from trading.errors import TradingError

router = APIRouter(tags=["service"])


class Health(Answer):
    """The process answers."""

    status: str = "ok"


class Readiness(Answer):
    """`ready`, or what is not: an account that does not agree with its venue, risk that is down, stale market data, no model."""

    status: str = Field(description="`ready`, or `not ready`.")
    reasons: list[str] = Field(description="Empty when ready.")


@router.get("/healthz", summary="The process answers")
async def get_health() -> Health:
    return Health()


@router.get(
    "/readyz",
    summary="Accounts agree, risk is up, data is fresh, a model is warm",
    responses={503: {"model": Readiness, "description": "Not ready, and why."}},
)
async def get_readiness(request: Request, service: Service, response: Response) -> Readiness:
    desk: FrontDesk | None = request.app.state.desk
    reasons = [] if service.is_ready else ["forecasts: the model is being loaded"]
    if desk is not None:
        reasons += await asyncio.to_thread(_of_cluster, desk)
    if reasons:
        response.status_code = 503
    return Readiness(status="not ready" if reasons else "ready", reasons=reasons)


def _of_cluster(desk: FrontDesk) -> list[str]:
    try:
        return list(reasons_of(desk.trading.snapshot()))
    except TradingError as error:
        return [f"{error.code}: {error}"]


def reasons_of(snapshot: ClusterSnapshot) -> Iterator[str]:
    """Yield what keeps the cluster from trading."""
    for account in accounts_of(snapshot):
        name = account.account or "the account"
        yield from (f"{name}: {reason}" for reason in _of_account(account))


def _of_account(account: AccountViews) -> Iterator[str]:
    broker = account.of("broker")
    if not broker:
        yield "its broker is down"
    elif not broker.get("is_ready"):
        yield "not reconciled with its venue"
    if not account.of("risk"):
        yield "its risk manager is down"
    if account.venue is not None and account.venue.feed_problem:
        yield f"market data: {account.venue.feed_problem}"
