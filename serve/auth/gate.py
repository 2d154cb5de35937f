"""Everything that a request must pass before any route sees it, in one place and without waiting for anything.

`Gate` is a `Guard`: the fast way of forecasts calls it as it is, `protect` puts it in front of everything else.
"""

import logging

from starlette.types import Scope

from serve.auth.access import Access
from serve.auth.credentials import Kind, credential_of
from serve.auth.paths import Paths, is_login, is_trade
from serve.auth.refusals import TooManyRequests, no_credentials
from serve.auth.settings import AccessSettings, is_loopback
from serve.desk.principal import ALL, Permission, Principal
from serve.http.body_limit import require_few_headers
from serve.http.client_address import client_address
from serve.http.origins import SAFE, Origins
from serve.http.problems import RequestRefused
from serve.http.rate_limit import RateLimit
from trading.errors import AuthError

log = logging.getLogger("ray.serve")

_ONCE = (b"host", b"authorization", b"x-api-key", b"content-length", b"origin")
Headers = dict[bytes, bytes]


class Gate:
    """Host, origin, credentials, limits: in this order, the cheap ones first.

    Parameters
    ----------
    access : Access or None
        None lets everybody in, with all permissions: the server listens on loopback alone.
    """

    def __init__(
        self, settings: AccessSettings, access: Access | None, paths: Paths | None = None
    ) -> None:
        self.settings = settings
        self.access = access if settings.is_on else None
        self.paths = paths or Paths()
        self._origins = Origins(_names(settings), settings.origins)
        self._requests = _limit(settings.requests_per_s if settings.is_on else 0.0)
        self._trades = _limit(settings.trades_per_s)
        self._logins = RateLimit(settings.logins_per_min / 60.0, int(settings.logins_per_min))

    def __call__(self, scope: Scope) -> Principal:
        """Say who makes a request, also one that needs nobody known.

        Raises
        ------
        RequestRefused
            421 or 403 for a name or a page that is not ours, 429 for too many requests, 431 for too many headers.
        NotAuthenticated
            If nobody known makes it.
        PermissionMissing
            If it only reads, and they may not even do that.
        JournalUnavailable
            If it is not known who may come in.
        """
        state = scope.setdefault("state", {})
        known: Principal | None = state.get("principal")
        if known is not None:
            return known
        headers = self._own_headers(scope)
        address = client_address(scope, self.settings.trusted_proxies)
        try:
            by = self.identify(headers, address)
        except AuthError as error:
            self._count(scope, address)
            log.info("%s from %s: %s", scope["path"][:200], address, error.code)
            raise
        if self.access is not None:
            _require_meant(scope, headers)
            if self.paths.is_reading(scope):
                by.require(Permission.READ)
        self._count(scope, address if self.access is None else by.name)
        state["principal"] = by
        return by

    def admit(self, scope: Scope) -> None:
        """Let a request go on, or refuse it as calling does; what is public needs nobody known."""
        if self.access is None or not self.paths.is_public(scope):
            self(scope)
            return
        self._own_headers(scope)
        self._count(scope, client_address(scope, self.settings.trusted_proxies))

    def identify(self, headers: Headers, address: str) -> Principal:
        """Return who shows the credentials in `headers`.

        Raises
        ------
        NotAuthenticated
            If they are no good, or there are none.
        """
        if self.access is None:
            name = f"http:{address}" if address else "http"
            return Principal(name=name, permissions=ALL, came_by="loopback", address=address)
        shown = credential_of(headers)
        if shown is None:
            raise no_credentials()
        if shown.kind is Kind.KEY:
            return self.access.by_key(shown.text, address)
        return self.access.by_token(shown.text, address)

    def _own_headers(self, scope: Scope) -> Headers:
        """Return the headers of a request that is meant for us, by nobody's foreign page."""
        require_few_headers(scope)
        headers: Headers = dict(scope["headers"])
        if len(headers) != len(scope["headers"]):
            _require_once(scope)
        host = headers.get(b"host")
        self._origins.require_host(host)
        if _is_unsafe(scope):
            self._origins.require_own_page(
                host, headers.get(b"origin"), headers.get(b"sec-fetch-site")
            )
        return headers

    def _count(self, scope: Scope, who: str) -> None:
        """Take one from the bucket that fits; the answer tells what is left."""
        limit, code = self._requests, "RATE_LIMITED"
        if is_login(scope):
            limit, code = self._logins, "LOGIN_RATE_LIMITED"
        elif is_trade(scope):
            limit, code = self._trades, "TRADE_RATE_LIMITED"
        if limit is None or "rate" in scope["state"]:
            return
        standing = scope["state"]["rate"] = limit.take(who)
        if standing.wait_s:
            wait = standing.wait_s
            raise TooManyRequests(code, f"Too many requests; wait {wait} s, then go on.", wait)


def _names(settings: AccessSettings) -> tuple[str, ...] | None:
    """Return the names that count; with authentication and none given, a name protects nothing more."""
    if settings.is_on and not settings.hosts and not is_loopback(settings.host):
        return None
    return (*settings.hosts, settings.host)


def _limit(per_s: float) -> RateLimit | None:
    return RateLimit(per_s, max(1, int(per_s * 2))) if per_s > 0 else None


def _is_unsafe(scope: Scope) -> bool:
    """A WebSocket counts: browsers ask nobody before they open one to another site."""
    return scope["type"] == "websocket" or scope["method"] not in SAFE


def _require_once(scope: Scope) -> None:
    """Of two headers different readers take different ones."""
    names = [name for name, _ in scope["headers"]]
    twice = [name for name in _ONCE if names.count(name) > 1]
    if twice:
        raise RequestRefused(
            400, "REQUEST_HEADER_TWICE", f"Send the header {twice[0].decode()} once."
        )


def _require_meant(scope: Scope, headers: Headers) -> None:
    """A cookie comes with whatever a browser sends: there must be a sign that our page meant it.

    No form can give a request the content type of JSON, and no script of another origin without being asked first.
    """
    if scope["type"] != "http" or scope["method"] in SAFE:
        return
    shown = credential_of(headers)
    if shown is None or shown.kind is not Kind.COOKIE:
        return
    is_json = headers.get(b"content-type", b"").startswith(b"application/json")
    if not is_json and b"x-requested-with" not in headers:
        raise RequestRefused(
            403,
            "CSRF_HEADER_MISSING",
            "With the cookie of the page send JSON as application/json, or the header X-Requested-With.",
        )
