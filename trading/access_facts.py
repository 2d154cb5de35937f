"""Who may come in: facts of the stream `access:<cluster>`. No password and no key stands in them, only hashes."""

from trading.events import Event
from trading.identifiers import StreamName


class AccessEvent(Event, frozen=True, kw_only=True):
    """Base of facts about users, keys and logins."""


class UserAdded(AccessEvent, frozen=True, kw_only=True):
    """`password_hash` is argon2id in its encoded form, with its own salt; `by` is who added the user."""

    user: str
    password_hash: str
    permissions: tuple[str, ...]
    by: str


class PasswordChanged(AccessEvent, frozen=True, kw_only=True):
    """All sessions of the user end."""

    user: str
    password_hash: str
    by: str


class UserRemoved(AccessEvent, frozen=True, kw_only=True):
    """All sessions and keys of the user end."""

    user: str
    by: str


class KeyIssued(AccessEvent, frozen=True, kw_only=True):
    """A key for a program.

    Attributes
    ----------
    digest : str
        SHA-256 of the whole key, which is random enough for a fast hash.
    name : str
        What people call it.
    owner : str
        The user in whose name it acts; empty for a service of its own.
    expires_at : int
        ns UTC; 0 is never.
    """

    key_id: str
    digest: str
    name: str
    owner: str
    permissions: tuple[str, ...]
    expires_at: int
    by: str


class KeyRevoked(AccessEvent, frozen=True, kw_only=True):
    key_id: str
    by: str


class LoginSucceeded(AccessEvent, frozen=True, kw_only=True):
    """Begins a session.

    Attributes
    ----------
    permissions : tuple of str
        What was asked for; the user's own are the bound at any time.
    refresh_digest : str
        SHA-256 of the one refresh token that is good now.
    expires_at : int
        End of the session, however often it is refreshed (ns UTC).
    """

    user: str
    address: str
    session: str
    permissions: tuple[str, ...]
    refresh_digest: str
    expires_at: int


class LoginFailed(AccessEvent, frozen=True, kw_only=True):
    """`user` is the name that was tried, or a hash of it when there is nobody of that name."""

    user: str
    address: str


class SessionRefreshed(AccessEvent, frozen=True, kw_only=True):
    """A refresh token was used: of several facts with one `used_digest` the first counts, a second ends the session."""

    session: str
    used_digest: str
    refresh_digest: str
    address: str


class SessionRevoked(AccessEvent, frozen=True, kw_only=True):
    """All tokens of a session are void."""

    session: str
    reason: str
    by: str


def access_stream(cluster: str) -> StreamName:
    """Return the shared stream of the users, keys and logins of a cluster."""
    return StreamName(f"access:{cluster}")
