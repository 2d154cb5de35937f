"""Server middleware: finds out who calls, and joins the two halves of a confirmed call by its ticket."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_REQUEST
from mcp_types.methods import is_input_required

from serve.desk.principal import Permission, Principal
from serve.mcp.call import CURRENT, Call, DeskHolder
from serve.mcp.ticket import Ticket, opened
from trading.errors import AuthError

CARRIERS = frozenset({"tools/call", "resources/read", "prompts/get"})
Who = Callable[[ServerRequestContext[Any, Any]], Principal]
"""From a request to who makes it. Raises `AuthError` when nobody known does."""


class Door:
    """Stands inside the boundary that seals request states, in front of every handler."""

    def __init__(self, holder: DeskHolder, who: Who, shown: frozenset[str]) -> None:
        self._holder = holder
        self._who = who
        self._shown = shown

    async def __call__(
        self, ctx: ServerRequestContext[Any, Any], call_next: CallNext
    ) -> HandlerResult:
        if ctx.method not in CARRIERS:
            return await call_next(ctx)
        params = ctx.params or {}
        ticket, state = opened(params.get("requestState"))
        correlation_id = _correlation_id(ctx, ticket)
        call = Call(self._holder, self._principal(ctx), ticket, correlation_id, self._shown)
        if state is not None:
            ctx = replace(ctx, params={**params, "requestState": state})
        token = CURRENT.set(call)
        try:
            return _with_ticket(await call_next(ctx), ticket)
        finally:
            CURRENT.reset(token)

    def _principal(self, ctx: ServerRequestContext[Any, Any]) -> Principal:
        try:
            found = self._who(ctx)
            if ctx.method != "tools/call":  # of a tool, its own gate tells the agent
                found.require(Permission.READ)
        except AuthError as error:
            raise MCPError(INVALID_REQUEST, f"{error.code}: {error}") from None
        return found


def _with_ticket(result: HandlerResult, ticket: Ticket) -> HandlerResult:
    """Put the ticket into the state of a result that asks for an answer."""
    if result is None or not is_input_required(result):
        return result
    if isinstance(result, Mapping):
        return {**result, "requestState": ticket.sealed_with(str(result["requestState"]))}
    state = ticket.sealed_with(str(getattr(result, "request_state", "")))
    return result.model_copy(update={"request_state": state})


def _correlation_id(ctx: ServerRequestContext[Any, Any], ticket: Ticket) -> str:
    """Return the id that HTTP gave the request; without HTTP the ticket's."""
    scope = getattr(ctx.request, "scope", None) or {}
    found = scope.get("state", {}).get("correlation_id", "")
    return str(found) or f"mcp-{ticket.id}"
