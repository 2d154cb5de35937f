"""Who may do what, and the trail of it: the one place where a request that may change something is recorded.

A route names what it needs by the type of its caller: `by: Reader`, `by: Trader`, `by: RiskAdmin` ... A request that needs more than
`Reader` is in the audit trail before it is carried out, and again with a code when it is refused.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Annotated, NamedTuple

from fastapi import Depends
from starlette.requests import HTTPConnection, Request

from serve.desk.audit import OK
from serve.desk.front_desk import FrontDesk
from serve.desk.principal import Permission, Principal, require_one_of, trading_permission
from serve.http.guard import Caller
from serve.http.problems import code_of
from trading.errors import PermissionMissing

SUBJECT_MAX = 128


class Need(NamedTuple):
    """A permission that is needed; it may depend on the cluster: live money asks for more."""

    words: str
    of: Callable[[FrontDesk | None], Permission]


async def desk_of(connection: HTTPConnection) -> FrontDesk:
    """Return the front desk of the app (`app.state.desk`)."""
    desk: FrontDesk = connection.app.state.desk
    return desk


async def correlation_of(request: Request) -> str:
    """Return the id of the request; an order keeps it down to its fills."""
    return str(request.scope["state"]["correlation_id"])


def always(permission: Permission) -> Need:
    """Return a need that does not depend on the cluster."""
    return Need(permission, lambda _: permission)


def _to_trade(desk: FrontDesk | None) -> Permission:
    return Permission.TRADE_LIVE if desk is None else trading_permission(desk.trading.mode)


TO_TRADE = Need("trade:paper, or trade:live with real money", _to_trade)


def reads(permission: Permission) -> Callable[..., object]:
    """Return the dependency of a route that changes nothing."""

    async def permitted(by: Caller) -> Principal:
        by.require(permission)
        return by

    permitted.asks = str(permission)  # type: ignore[attr-defined]  # for the reference
    return permitted


def does(*needs: Need) -> Callable[..., object]:
    """Return the dependency of a route with an unsafe method; any one of the needs is enough."""

    async def permitted(request: Request, by: Caller) -> AsyncIterator[Principal]:
        desk: FrontDesk | None = request.app.state.desk

        async def record(outcome: str) -> None:
            if desk is not None:
                await asyncio.to_thread(_record, desk, request, by, outcome)

        try:
            require_one_of(by, *(need.of(desk) for need in needs))
        except PermissionMissing as error:
            await record(error.code)
            raise
        await record(OK)
        try:
            yield by
        except Exception as error:
            await record(code_of(error))
            raise

    permitted.asks = " or ".join(need.words for need in needs)  # type: ignore[attr-defined]
    permitted.is_recorded = True  # type: ignore[attr-defined]  # a test looks for it at every route
    return permitted


def _record(desk: FrontDesk, request: Request, by: Principal, outcome: str) -> None:
    named = "/".join(str(value) for value in request.path_params.values())
    subject = named or request.headers.get("idempotency-key", "")
    desk.audit.record(
        by,
        f"{request.method} {request.url.path}"[:SUBJECT_MAX],
        subject=subject[:SUBJECT_MAX],
        outcome=outcome,
        correlation_id=request.scope["state"]["correlation_id"],
    )


Desk = Annotated[FrontDesk, Depends(desk_of)]
CorrelationId = Annotated[str, Depends(correlation_of)]
Reader = Annotated[Principal, Depends(reads(Permission.READ))]
Auditor = Annotated[Principal, Depends(reads(Permission.RISK_ADMIN))]
Asker = Annotated[Principal, Depends(does(always(Permission.READ)))]
"""Of a POST that calculates, or starts a calculation."""
Trader = Annotated[Principal, Depends(does(TO_TRADE))]
RiskAdmin = Annotated[Principal, Depends(does(always(Permission.RISK_ADMIN)))]
Stopper = Annotated[Principal, Depends(does(always(Permission.RISK_ADMIN), TO_TRADE))]
"""Whoever may trade may stop all trading."""
ModelAdmin = Annotated[Principal, Depends(does(always(Permission.MODEL_ADMIN)))]
SandboxUser = Annotated[Principal, Depends(does(always(Permission.SANDBOX_RUN)))]
