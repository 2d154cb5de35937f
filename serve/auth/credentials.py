"""What a request shows of itself: a token, a key, the cookie of the page, or nothing."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from serve.auth.api_keys import PREFIX
from serve.auth.refusals import bad_credentials

COOKIE = "nt_session"
_BEARER = "bearer "


class Kind(StrEnum):
    TOKEN = "token"  # noqa: S105  # the word, not one of them
    KEY = "key"
    COOKIE = "cookie"


class Credential(msgspec.Struct, frozen=True):
    """`text` is secret: it never enters a log or an answer."""

    kind: Kind
    text: str


def credential_of(headers: Mapping[bytes, bytes]) -> Credential | None:
    """Return what a request shows; of several the first of: `Authorization`, `X-API-Key`, cookie.

    Raises
    ------
    NotAuthenticated
        If `Authorization` says something that we do not know.
    """
    authorization = headers.get(b"authorization")
    if authorization is not None:
        text = authorization.decode("latin-1")
        if text[: len(_BEARER)].lower() != _BEARER:
            raise bad_credentials()
        shown = text[len(_BEARER) :].strip()
        return Credential(Kind.KEY if shown.startswith(PREFIX) else Kind.TOKEN, shown)
    key = headers.get(b"x-api-key")
    if key is not None:
        return Credential(Kind.KEY, key.decode("latin-1"))
    cookie = _cookie(headers.get(b"cookie", b"").decode("latin-1"))
    return Credential(Kind.COOKIE, cookie) if cookie else None


def _cookie(header: str) -> str:
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE:
            return value
    return ""
