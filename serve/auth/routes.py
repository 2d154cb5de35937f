"""`/v1/auth`: logging in and out, who one is, and keys of one's own. `/auth` is the same."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Form, Response
from starlette.requests import Request

from serve.auth.access import Access, Granted
from serve.auth.access_book import Permissions, permissions_in
from serve.auth.answers import (
    KeyList,
    KeyMade,
    Login,
    NewKey,
    Refresh,
    Standing,
    TokenPair,
    key_made,
    key_shown,
    standing_of,
    token_pair,
)
from serve.auth.credentials import COOKIE, Kind, credential_of
from serve.auth.gate import Gate
from serve.desk.principal import Principal
from serve.http.client_address import client_address, is_tls
from serve.http.guard import Caller
from serve.http.problems import RequestRefused
from trading.errors import AuthError, Conflict, PermissionMissing

_OFF = "Authentication is off here (auth.enabled): everybody on this machine may do everything without a token."
_OPEN: dict[str, Any] = {"security": []}
_SCHEMES = {
    "password": {
        "type": "oauth2",
        "flows": {"password": {"tokenUrl": "/v1/auth/token", "scopes": {}}},
    },
    "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


async def gate_of(request: Request) -> Gate:
    """Return the gate of the app (`app.state.gate`)."""
    gate: Gate = request.app.state.gate
    return gate


async def access_of(request: Request) -> Access:
    """Return who knows the users. Raises `Conflict` where nobody is asked who they are."""
    gate: Gate = request.app.state.gate
    if gate.access is None:
        raise Conflict(_OFF)
    return gate.access


Door = Annotated[Gate, Depends(gate_of)]
Users = Annotated[Access, Depends(access_of)]
router = APIRouter(tags=["auth"])


def add_auth(app: FastAPI, gate: Gate) -> None:
    """Add the routes, and what lets `/docs` log in. `protect` has to stand in front of the app."""
    app.state.gate = gate
    app.state.one_login = asyncio.Lock()
    app.include_router(router, prefix="/v1/auth")
    app.include_router(router, prefix="/auth", include_in_schema=False)
    _document(app)


def _document(app: FastAPI) -> None:
    """Let `/docs` log in, and every route but the public ones ask for it."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        document.setdefault("components", {})["securitySchemes"] = _SCHEMES
        document["security"] = [{}, *({name: []} for name in _SCHEMES)]
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # the documented way to extend it


@router.post("/login", summary="Log in with name and password", openapi_extra=_OPEN)
async def log_in(asked: Login, request: Request, response: Response, users: Users) -> TokenPair:
    """A browser gets a cookie, everybody else a token and a refresh token."""
    granted = await _login(
        users, request, asked.username, asked.password.get_secret_value(), asked.scope
    )
    return _handed_out(granted, request, response)


@router.post("/token", summary="Log in as OAuth 2 does, with a form", openapi_extra=_OPEN)
async def log_in_with_form(
    request: Request,
    users: Users,
    username: Annotated[str, Form(max_length=64)],
    password: Annotated[str, Form(max_length=1024)],
    scope: Annotated[str, Form(max_length=256)] = "",
    grant_type: Annotated[str, Form(pattern="^password$")] = "password",
) -> TokenPair:
    granted = await _login(users, request, username, password, scope)
    return token_pair(granted, is_shown=True)


@router.post("/refresh", summary="Exchange a refresh token for new ones", openapi_extra=_OPEN)
async def refresh_tokens(asked: Refresh, request: Request, users: Users) -> TokenPair:
    """A token that is used a second time ends the session: one of the two who had it has no right to it."""
    granted = await asyncio.to_thread(users.refresh, asked.refresh_token, _address(request))
    return token_pair(granted, is_shown=True)


@router.post("/logout", summary="End the session", status_code=204)
async def log_out(by: Caller, request: Request, response: Response, door: Door) -> None:
    """The tokens of the session are void everywhere, from now on."""
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
    shown = credential_of(dict(request.scope["headers"]))
    if door.access is None or shown is None:
        return
    if shown.kind is Kind.KEY:
        raise Conflict(f"{by.name} came with a key, which has no session; revoke it instead.")
    await asyncio.to_thread(door.access.logout, shown.text)


@router.get("/status", summary="Is authentication on, and who am I?", openapi_extra=_OPEN)
async def auth_status(request: Request, door: Door) -> Standing:
    """Everybody may ask."""
    headers = dict(request.scope["headers"])
    try:
        by = door.identify(headers, _address(request))
    except AuthError:
        return Standing(enabled=True, authenticated=False)
    return standing_of(by, enabled=door.access is not None)


@router.get("/verify", summary="Check the token or key that comes with the request")
async def verify(by: Caller, door: Door) -> Standing:
    return standing_of(by, enabled=door.access is not None)


@router.post("/verify", summary="The same, for those who cannot GET")
async def verify_by_post(by: Caller, door: Door) -> Standing:
    return standing_of(by, enabled=door.access is not None)


@router.get("/keys", summary="Keys of one's own")
async def my_keys(by: Caller, users: Users) -> KeyList:
    owner = _person(by)
    found = (key for key in users.book().keys.values() if key.owner == owner)
    return KeyList(keys=[key_shown(key) for key in found])


@router.post("/keys", summary="Make a key for a program", status_code=201)
async def make_my_key(asked: NewKey, by: Caller, users: Users) -> KeyMade:
    """It can do no more than its owner, and the answer is the only place where it is ever shown."""
    owner, wanted = _person(by), frozenset(asked.permissions)
    if not wanted <= by.permissions:
        raise PermissionMissing(f"{by.name} cannot give a key more permissions than it has itself.")
    key, text = await asyncio.to_thread(
        users.issue_key, asked.name, wanted, owner, owner=owner, life_s=asked.days * 86_400
    )
    return key_made(key, text)


@router.delete("/keys/{key_id}", summary="Revoke a key", status_code=204)
async def revoke_my_key(key_id: str, by: Caller, users: Users) -> None:
    owner = _person(by)
    await asyncio.to_thread(users.revoke_key, key_id, owner, owner=owner)


async def _login(users: Access, request: Request, name: str, password: str, scope: str) -> Granted:
    wanted = _wanted(scope)
    async with request.app.state.one_login:  # a check takes 64 MiB and a tenth of a second
        return await asyncio.to_thread(users.login, name, password, _address(request), wanted)


def _wanted(scope: str) -> Permissions | None:
    names = tuple(scope.split())
    wanted = permissions_in(names)
    if len(wanted) != len(set(names)):
        raise RequestRefused(
            422, "REQUEST_INVALID", f"`scope` names what is no permission: {scope[:100]!r}."
        )
    return wanted or None


def _handed_out(granted: Granted, request: Request, response: Response) -> TokenPair:
    headers = request.headers
    is_browser = "origin" in headers or "sec-fetch-site" in headers
    if is_browser:
        gate: Gate = request.app.state.gate
        response.set_cookie(
            COOKIE,
            granted.access_token,
            max_age=granted.expires_in_s,
            path="/",
            secure=is_tls(request.scope, gate.settings.trusted_proxies),
            httponly=True,
            samesite="strict",
        )
    return token_pair(granted, is_shown=not is_browser)


def _person(by: Principal) -> str:
    """Return whose keys are meant: a key must not beget keys, or it could outlive its own end."""
    if by.came_by != "token":
        raise PermissionMissing("Log in with name and password to see, make or revoke keys.")
    return by.name


def _address(request: Request) -> str:
    gate: Gate = request.app.state.gate
    return client_address(request.scope, gate.settings.trusted_proxies)
