"""What the routes of the door take and answer."""

from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from serve.auth.access import Granted
from serve.auth.access_book import Key
from serve.desk.principal import Permission, Principal
from trading.values import NANOS_PER_SECOND


class Login(BaseModel):
    """A name and its password."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    username: str = Field(max_length=64, examples=["alice"])
    password: SecretStr = Field(max_length=1024)
    scope: str = Field(
        default="", max_length=256, description="Permissions that are asked for; empty is all."
    )


class Refresh(BaseModel):
    """A refresh token; it is good once."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    refresh_token: str = Field(max_length=256)


class TokenPair(BaseModel):
    """What a login gives.

    A browser gets its token as a cookie that no script can read, and none here.
    """

    model_config = ConfigDict(frozen=True)

    access_token: str | None
    refresh_token: str | None
    token_type: str = "bearer"  # noqa: S105  # the kind of token, as OAuth names it
    expires_in: int = Field(description="Seconds.")
    scope: str
    username: str


class Standing(BaseModel):
    """Whether authentication is on here, and who asks."""

    model_config = ConfigDict(frozen=True)

    enabled: bool
    authenticated: bool
    username: str = ""
    permissions: list[Permission] = Field(default_factory=list)
    came_by: str = Field(default="", description="`loopback`, `token` or `key`.")


class NewKey(BaseModel):
    """A key for a program of one's own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=64, examples=["research-agent"])
    permissions: list[Permission] = Field(min_length=1, max_length=6)
    days: int = Field(default=90, ge=1, le=3650, description="How long it is good.")


class KeyShown(BaseModel):
    """A key without its secret."""

    model_config = ConfigDict(frozen=True)

    key_id: str
    name: str
    owner: str
    permissions: list[Permission]
    issued_at: datetime
    expires_at: datetime | None


class KeyMade(KeyShown):
    """A new key, with its secret: nobody can read it again."""

    key: str


class KeyList(BaseModel):
    """Keys, oldest first."""

    model_config = ConfigDict(frozen=True)

    keys: list[KeyShown]


def token_pair(granted: Granted, *, is_shown: bool) -> TokenPair:
    """Return the answer to a login; for a browser without the tokens."""
    return TokenPair(
        access_token=granted.access_token if is_shown else None,
        refresh_token=granted.refresh_token if is_shown else None,
        expires_in=granted.expires_in_s,
        scope=" ".join(sorted(granted.permissions)),
        username=granted.user,
    )


def standing_of(by: Principal, *, enabled: bool) -> Standing:
    return Standing(
        enabled=enabled,
        authenticated=True,
        username=by.name,
        permissions=sorted(by.permissions),
        came_by=by.came_by,
    )


def key_shown(key: Key) -> KeyShown:
    """Return what may be told of a key."""
    return KeyShown(
        key_id=key.key_id,
        name=key.name,
        owner=key.owner,
        permissions=sorted(key.permissions),
        issued_at=_moment(key.issued_at),
        expires_at=_moment(key.expires_at) if key.expires_at else None,
    )


def key_made(key: Key, text: str) -> KeyMade:
    return KeyMade(**key_shown(key).model_dump(), key=text)


def _moment(ns: int) -> datetime:
    return datetime.fromtimestamp(ns // NANOS_PER_SECOND, UTC)
