"""Which paths are open to everybody, and which are counted more strictly."""

from collections.abc import Collection

import msgspec
from starlette.types import Scope

from serve.http.forecast_endpoint import PATH as FORECAST
from serve.http.origins import SAFE

_BOTH = ("/v1/auth", "/auth")
LOGINS = frozenset(f"{root}/{name}" for root in _BOTH for name in ("login", "token", "refresh"))
PUBLIC = LOGINS | frozenset(
    (
        "/",  # the page asks the guard itself, and shows the login
        "/favicon.ico",
        "/healthz",
        "/readyz",
        "/docs",
        "/redoc",
        "/openapi.json",
        *(f"{root}/status" for root in _BOTH),
    )
)
PUBLIC_FOLDERS = ("/web/", "/docs/", "/.well-known/oauth-protected-resource")
_OWN_RULES = ("/v1/auth/", "/auth/", "/mcp")
"""What they need is not `read`: they say it themselves."""
_TRADES = ("/v1/orders", "/v1/trading", "/orders", "/trading")


class Paths(msgspec.Struct, frozen=True):
    """Paths that need nobody known; every other one does.

    Attributes
    ----------
    public : collection of str
        Whole paths.
    public_folders : tuple of str
        Beginnings of paths.
    """

    public: Collection[str] = PUBLIC
    public_folders: tuple[str, ...] = PUBLIC_FOLDERS

    def is_public(self, scope: Scope) -> bool:
        path = scope["path"]
        return path in self.public or path.startswith(self.public_folders)

    @staticmethod
    def is_reading(scope: Scope) -> bool:
        """Say whether a request needs `read` and nothing more: what changes something asks for its own permission."""
        path = scope["path"]
        if path.startswith(_OWN_RULES):
            return False
        return scope["type"] == "websocket" or scope["method"] in SAFE or path == FORECAST


def is_login(scope: Scope) -> bool:
    return scope["path"] in LOGINS


def is_trade(scope: Scope) -> bool:
    """Say whether a request may move money."""
    return (
        scope["type"] == "http"
        and scope["method"] not in SAFE
        and scope["path"].startswith(_TRADES)
    )
