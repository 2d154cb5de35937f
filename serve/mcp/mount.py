"""The MCP server at `/mcp` of a host application, the same in every replica."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from hashlib import blake2b
from typing import Any

from fastapi import FastAPI
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken, TokenVerifier
from mcp.server.auth.settings import AuthSettings
from mcp.server.context import ServerRequestContext
from mcp.server.transport_security import TransportSecuritySettings
from pydantic import AnyHttpUrl
from starlette.routing import Route

from serve.desk.front_desk import FrontDesk
from serve.desk.principal import Permission, Principal
from serve.http.guard import Guard
from serve.mcp.call import DeskHolder
from serve.mcp.door import Who
from serve.mcp.server import DeskServer, build_server
from serve.mcp.toolsets import VARIABLE, Toolset, toolsets_of

PATH = "/mcp"
METADATA = "/.well-known/oauth-protected-resource/mcp"
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
MAX_BODY_BYTES = 1_048_576


def add_mcp(
    app: FastAPI,
    desk: FrontDesk,
    guard: Guard,
    *,
    verifier: TokenVerifier | None = None,
    url: str = "",
    hosts: Sequence[str] = (),
    toolsets: frozenset[Toolset] | None = None,
) -> DeskServer:
    """Serve MCP at `/mcp` for as long as the application runs: its lifespan is extended.

    What a client carries between question and answer is sealed with a key derived from the secret of the cluster
    (`desk.secret`), so that any replica can take the answer.

    Parameters
    ----------
    verifier : TokenVerifier, optional
        Of bearer tokens; with it nobody comes in without one, and `url` is needed.
    url : str
        Where clients reach this server, such as `https://desk.example.org`.
    hosts : sequence of str
        Names in the header Host, and of pages in Origin, beside loopback. Without any, and with a verifier, every name
        will do: no page of another origin can send a bearer token.
    toolsets : frozenset of Toolset, optional
        What is shown; by default what the environment says (`TOOLSETS`).
    """
    auth = None
    if verifier is not None:
        auth = AuthSettings(
            issuer_url=AnyHttpUrl(url),
            resource_server_url=AnyHttpUrl(f"{url}{PATH}"),
            required_scopes=[Permission.READ],
            validate_token_resource=False,  # the verifier checks the audience itself
        )
    server = build_server(
        DeskHolder(lambda: desk),
        _who(guard),
        toolsets=toolsets_of(os.environ.get(VARIABLE, "")) if toolsets is None else toolsets,
        state_keys=(state_key(desk.secret),),
        auth=auth,
        token_verifier=verifier,
    )
    inner = server.streamable_http_app(
        streamable_http_path=PATH,
        stateless_http=True,
        max_request_body_size=MAX_BODY_BYTES,
        transport_security=_allowed(hosts, is_checked=bool(hosts) or verifier is None),
    )
    app.router.routes.append(Route(PATH, endpoint=inner, include_in_schema=False))
    if auth is not None:
        app.router.routes.append(Route(METADATA, endpoint=inner, include_in_schema=False))
    _extend_lifespan(app, server)
    return server


def state_key(secret: bytes) -> bytes:
    """Return the key that seals request states, derived from the cluster secret."""
    return blake2b(secret, person=b"mcp state", digest_size=32).digest()


def _who(guard: Guard) -> Who:
    def who(ctx: ServerRequestContext[Any, Any]) -> Principal:
        scope = ctx.request.scope if ctx.request is not None else {"type": "http", "headers": []}
        user = scope.get("user")
        if isinstance(user, AuthenticatedUser):
            return _of_token(user.access_token, scope)
        return guard(scope)

    return who


def _of_token(token: AccessToken, scope: Any) -> Principal:
    client = scope.get("client")
    return Principal(
        name=token.subject or token.client_id,
        permissions=frozenset(Permission(each) for each in token.scopes),
        came_by=str((token.claims or {}).get("came_by", "token")),
        address=str(client[0]) if client else "",
    )


def _allowed(hosts: Sequence[str], *, is_checked: bool) -> TransportSecuritySettings:
    """Return the names that a request may carry: a page of another origin cannot reach a server on loopback."""
    known = (*LOOPBACK, *hosts)
    names = [*known, *(f"{each}:*" for each in known)]
    return TransportSecuritySettings(
        enable_dns_rebinding_protection=is_checked,
        allowed_hosts=names,
        allowed_origins=[f"{scheme}://{name}" for scheme in ("http", "https") for name in names],
    )


def _extend_lifespan(app: FastAPI, server: DeskServer) -> None:
    before = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(host: Any) -> AsyncIterator[Any]:
        async with before(host) as state, server.session_manager.run():
            yield state

    app.router.lifespan_context = lifespan
