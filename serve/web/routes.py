"""`/` and `/web/...`: the page and its files."""

from typing import Any

from fastapi import APIRouter, FastAPI
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from serve.desk.front_desk import FrontDesk
from serve.desk.principal import Permission, Principal, trading_permission
from serve.http.guard import Guard
from serve.http.security_headers import CONTENT_SECURITY_POLICY
from serve.web import columns, figures
from serve.web.assets import TYPES, address, asset
from serve.web.first_state import FirstState, first_state
from trading.errors import AuthError

_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
_FOR_GOOD = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"


def add_page(app: FastAPI, desk: FrontDesk) -> None:
    """Add the page. Who may see it, the guard of the app says (`app.state.guard`) at each request."""
    templates = _templates()
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    def page(request: Request) -> HTMLResponse:
        guard: Guard = request.app.state.guard
        try:
            by = guard(request.scope)
            by.require(Permission.READ)
        except AuthError as refused:
            body = templates.get_template("login.html").render(reason=_reason(request, refused))
        else:
            body = templates.get_template("page.html").render(_context(first_state(desk), by))
        return HTMLResponse(body, headers=_HEADERS)

    router.add_api_route("/web/{name}", _file, methods=["GET", "HEAD"])
    app.include_router(router)


def _file(request: Request, name: str) -> Response:
    if name not in TYPES:
        raise HTTPException(404, f"There is no file {name} of the page")
    found = asset(name)
    is_current = request.query_params.get("v") == found.version
    headers = {
        "etag": f'"{found.version}"',
        "cache-control": _FOR_GOOD if is_current else _ASK_AGAIN,
        "vary": "accept-encoding",
        "x-content-type-options": "nosniff",
    }
    if found.version in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(found.content, headers=headers, media_type=TYPES[name])
    headers["content-encoding"] = "gzip"
    return Response(found.packed, headers=headers, media_type=TYPES[name])


def _templates() -> Environment:
    made = Environment(
        loader=PackageLoader("serve.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(
        address=address,
        columns=columns,
        text=figures.text,
        tone=figures.tone,
        used_percent=figures.used_percent,
        numeric=figures.NUMERIC,
    )
    return made


def _context(state: FirstState, by: Principal) -> dict[str, Any]:
    return {
        "state": state,
        "by": by,
        "may_kill": bool({trading_permission(state.mode), Permission.RISK_ADMIN} & by.permissions),
        "is_admin": Permission.RISK_ADMIN in by.permissions,
        "has_session": by.came_by == "token",
    }


def _reason(request: Request, refused: AuthError) -> str:
    """Say why somebody who did show something was not let in; nothing on a first visit."""
    return str(refused) if {"authorization", "cookie"} & set(request.headers.keys()) else ""
