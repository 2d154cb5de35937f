"""Where a request comes from: the socket's own word, and a proxy's only if it is one of ours."""

from collections.abc import Collection

from starlette.types import Scope


def client_address(scope: Scope, trusted: Collection[str] = ()) -> str:
    """Return the address of the client; empty when there is none.

    Parameters
    ----------
    trusted : collection of str
        Addresses of proxies. Each adds the address that it saw at the end of `X-Forwarded-For`; whatever stands
        further to the left may be made up by the client.
    """
    client = scope.get("client")
    address = str(client[0]) if client else ""
    if address not in trusted:
        return address
    for hop in reversed(_hops(scope)):
        if hop not in trusted:
            return hop
    return address


def is_tls(scope: Scope, trusted: Collection[str] = ()) -> bool:
    """Say whether the client spoke TLS, to us or to a proxy of ours."""
    if scope.get("scheme") in ("https", "wss"):
        return True
    client = scope.get("client")
    if not client or client[0] not in trusted:
        return False
    said = [value for name, value in scope["headers"] if name == b"x-forwarded-proto"]
    return bool(said) and said[-1].strip().lower() in (b"https", b"wss")


def _hops(scope: Scope) -> list[str]:
    values = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return [hop.strip() for hop in b",".join(values).decode("latin-1").split(",") if hop.strip()]
