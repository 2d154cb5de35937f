"""What the door answers; every shape is the same whatever the reason was, so that it teaches nothing."""

from serve.http.problems import RequestRefused
from trading.errors import AuthError

CHALLENGE = "WWW-Authenticate"


class NotAuthenticated(AuthError):
    """Nobody known asks (401). `headers` are those of the answer."""

    def __init__(self, reason: str, challenge: str = "Bearer") -> None:
        super().__init__(reason)
        self.headers = {CHALLENGE: challenge}


class TooManyRequests(RequestRefused):
    """Too many requests, or too many wrong passwords (429)."""

    def __init__(self, code: str, reason: str, wait_s: int) -> None:
        super().__init__(429, code, reason, headers={"Retry-After": str(wait_s)})


def no_credentials() -> NotAuthenticated:
    """Return the refusal of a request that shows nothing."""
    return NotAuthenticated(
        "This needs a token or a key: log in at /v1/auth/login, or send `Authorization: Bearer ...` or `X-API-Key`."
    )


def bad_credentials() -> NotAuthenticated:
    """Return the one refusal of whatever was shown and is no good: forged, expired, revoked, malformed."""
    return NotAuthenticated(
        "The token or key is not valid any more, or never was; log in again, or ask for another key.",
        'Bearer error="invalid_token"',
    )


def wrong_password() -> NotAuthenticated:
    """Return the one refusal of a login, whether the name or the password was wrong."""
    return NotAuthenticated("The name or the password is wrong.")
