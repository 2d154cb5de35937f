"""Nothing that others can reach starts without asking who they are."""

from serve.auth.access import Access
from serve.auth.settings import AccessSettings, is_loopback
from trading.errors import AuthError


def require_protected(host: str, settings: AccessSettings, access: Access | None) -> None:
    """Check that a server which listens on `host` is either out of reach or guarded.

    Raises
    ------
    AuthError
        If others can reach it, and authentication is off or nobody could come in.
    """
    if is_loopback(host):
        return
    if not settings.is_on or access is None:
        raise AuthError(
            f"serve.host is {host!r}, which others can reach, and authentication is off; "
            'remove auth.enabled = "off" (or AUTH_ENABLED), or listen on 127.0.0.1.'
        )
    if access.book().is_empty:
        raise AuthError(
            f"serve.host is {host!r}, which others can reach, and there is neither a user nor a key; "
            "run `trader users add NAME` (or `trader keys create NAME`) first, or listen on 127.0.0.1."
        )
