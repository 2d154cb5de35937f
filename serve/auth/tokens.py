"""Access tokens: JWT, signed with HS256 and nothing else. No header of a token chooses an algorithm, a key or an address."""

import secrets
import time
from collections.abc import Iterable
from datetime import timedelta

import jwt
import msgspec

from serve.auth.access_book import Permissions, permissions_in
from serve.auth.refusals import bad_credentials

ALGORITHMS = ["HS256"]
ISSUER = "neural-trader"
LENGTH_MAX = 4096
"""A longer text is not looked at."""
KNOWN_MAX = 1024
"""Tokens whose signature is not checked again; whether their session goes on is asked each time."""
_REQUIRED = ["iss", "aud", "sub", "exp", "nbf", "iat", "jti", "sid", "scope"]


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """What a good token says; `expires_at` is s UTC."""

    user: str
    session: str
    token_id: str
    permissions: Permissions
    expires_at: int


class Tokens:
    """Signs and checks for one cluster.

    Parameters
    ----------
    cluster : str
        Tokens of another cluster are no good here, even with the same secret.
    """

    def __init__(self, secret: bytes, cluster: str, life: timedelta) -> None:
        self._secret = secret
        self._audience = f"neural-trader:{cluster}"
        self.life_s = int(life.total_seconds())
        self._good: dict[str, Claims] = {}

    def issue(self, user: str, session: str, permissions: Iterable[str]) -> str:
        """Return a token that is good from now on."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": self._audience,
            "sub": user,
            "iat": now,
            "nbf": now,
            "exp": now + self.life_s,
            "jti": secrets.token_hex(16),
            "sid": session,
            "scope": " ".join(sorted(permissions)),
        }
        return jwt.encode(claims, self._secret, ALGORITHMS[0])

    def read(self, token: str) -> Claims:
        """Return the claims of a token that we signed and whose time it is.

        Raises
        ------
        NotAuthenticated
            If it is anything else.
        """
        known = self._good.get(token)
        if known is not None and known.expires_at > time.time():
            return known
        if len(token) > LENGTH_MAX:
            raise bad_credentials()
        found = self._verified(token)
        if len(self._good) >= KNOWN_MAX:
            self._good.clear()
        self._good[token] = found
        return found

    def _verified(self, token: str) -> Claims:
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=ALGORITHMS,
                audience=self._audience,
                issuer=ISSUER,
                options={"require": _REQUIRED, "verify_sub": True, "verify_jti": True},
            )
            return Claims(
                user=str(claims["sub"]),
                session=str(claims["sid"]),
                token_id=claims["jti"],
                permissions=permissions_in(tuple(str(claims["scope"]).split())),
                expires_at=int(claims["exp"]),
            )
        except (jwt.InvalidTokenError, ValueError, RecursionError):
            raise bad_credentials() from None
