"""Which names this server goes by, and which web pages may make it do something.

A page from anywhere can let its visitor's browser ask a server on loopback, and with a name of its own that it
points to 127.0.0.1 (DNS rebinding) it can read the answers too. So the name that a request uses must be one of ours,
and what changes something must come from a page of ours, or from no page at all.
"""

import re
from collections.abc import Collection

from serve.auth.settings import is_loopback
from serve.http.problems import RequestRefused

SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
_OWN_SITE = (b"same-origin", b"none")
_HOST = re.compile(rb"(\[[0-9a-f:.]+\]|[^][:/@\s]+)(?::[0-9]{1,5})?")
_KNOWN_MAX = 1000


class Origins:
    """Checks `Host`, `Origin` and `Sec-Fetch-Site`.

    Parameters
    ----------
    hosts : collection of str or None
        Names of this server beside those of loopback, without port; None lets every name pass.
    foreign : collection of str
        Origins of other pages that may ask, such as `https://desk.example`.
    """

    def __init__(self, hosts: Collection[str] | None = (), foreign: Collection[str] = ()) -> None:
        self._hosts = None if hosts is None else {host.lower() for host in hosts}
        self._foreign = {origin.lower().encode() for origin in foreign}
        self._known: set[bytes] = set()

    def require_host(self, host: bytes | None) -> None:
        """Check the name that the request uses.

        Raises
        ------
        RequestRefused
            421, if it is none of ours.
        """
        if self._hosts is None or host in self._known:
            return
        if host is None or not self._is_ours(_name(host)):
            raise RequestRefused(
                421,
                "HOST_UNKNOWN",
                "This server does not go by that name; use 127.0.0.1, or add the name to auth.hosts.",
            )
        if len(self._known) < _KNOWN_MAX:
            self._known.add(host)

    def require_own_page(
        self, host: bytes | None, origin: bytes | None, fetch_site: bytes | None
    ) -> None:
        """Check that a request which may change something comes from a page of ours, or from no page.

        Raises
        ------
        RequestRefused
            403, if it comes from another page.
        """
        if origin is not None and origin.lower() in self._foreign:
            return
        is_foreign = origin is not None and _authority(origin) != (host or b"").lower()
        if is_foreign or (fetch_site is not None and fetch_site not in _OWN_SITE):
            raise RequestRefused(
                403,
                "ORIGIN_REFUSED",
                "Another web page must not do this; to allow it, add its origin to auth.origins.",
            )

    def _is_ours(self, name: str) -> bool:
        assert self._hosts is not None
        return name in self._hosts or is_loopback(name)


def _name(host: bytes) -> str:
    """Return a Host header without its port; empty when it is no name at all."""
    found = _HOST.fullmatch(host.lower())
    return found.group(1).decode("latin-1") if found else ""


def _authority(origin: bytes) -> bytes:
    """Return host and port of an origin; of `null` what no Host is equal to."""
    return origin.lower().partition(b"://")[2] or b"\0"
