"""Users, keys and sessions as they are now: a fold over the facts of `access:<cluster>`."""

from functools import singledispatchmethod

import msgspec

from serve.auth.lockout import Lockout
from serve.desk.principal import Permission
from trading.access_facts import (
    AccessEvent,
    KeyIssued,
    KeyRevoked,
    LoginFailed,
    LoginSucceeded,
    PasswordChanged,
    SessionRefreshed,
    SessionRevoked,
    UserAdded,
    UserRemoved,
)

Permissions = frozenset[Permission]


class User(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody with a password; `added_at` is ns UTC."""

    name: str
    password_hash: str
    permissions: Permissions
    added_at: int


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A program's way in; see `trading.access_facts.KeyIssued`."""

    key_id: str
    digest: str
    name: str
    owner: str
    permissions: Permissions
    expires_at: int
    issued_at: int


class Session(msgspec.Struct, kw_only=True):
    """From a login to its end.

    Attributes
    ----------
    refresh_digest : str
        Of the refresh token that is good now.
    used : set of str
        Digests of those before; who shows one of them has stolen it, or was robbed.
    """

    user: str
    permissions: Permissions
    refresh_digest: str
    expires_at: int
    used: set[str] = msgspec.field(default_factory=set)


class AccessBook:
    """What the facts amount to; knows no journal and no clock."""

    def __init__(self) -> None:
        self.users: dict[str, User] = {}
        self.keys: dict[str, Key] = {}
        self.sessions: dict[str, Session] = {}
        self.lockout = Lockout()

    @property
    def is_empty(self) -> bool:
        """Whether nobody could come in."""
        return not (self.users or self.keys)

    def permissions_of(self, key: Key) -> Permissions:
        """Return what a key may do now: never more than its owner."""
        if not key.owner:
            return key.permissions
        owner = self.users.get(key.owner)
        return key.permissions & owner.permissions if owner else frozenset()

    @singledispatchmethod
    def apply(self, fact: AccessEvent) -> None:
        """Take one fact into account."""
        raise TypeError(f"{type(fact).__name__} is no fact of this book")

    @apply.register
    def _(self, fact: UserAdded) -> None:
        self.users[fact.user] = User(
            name=fact.user,
            password_hash=fact.password_hash,
            permissions=permissions_in(fact.permissions),
            added_at=fact.ts_event,
        )

    @apply.register
    def _(self, fact: PasswordChanged) -> None:
        user = self.users.get(fact.user)
        if user is not None:
            changed = msgspec.structs.replace(user, password_hash=fact.password_hash)
            self.users[fact.user] = changed
            self._end_sessions(fact.user)

    @apply.register
    def _(self, fact: UserRemoved) -> None:
        self.users.pop(fact.user, None)
        self._end_sessions(fact.user)
        self.keys = {id_: key for id_, key in self.keys.items() if key.owner != fact.user}

    @apply.register
    def _(self, fact: KeyIssued) -> None:
        self.keys[fact.key_id] = Key(
            key_id=fact.key_id,
            digest=fact.digest,
            name=fact.name,
            owner=fact.owner,
            permissions=permissions_in(fact.permissions),
            expires_at=fact.expires_at,
            issued_at=fact.ts_event,
        )

    @apply.register
    def _(self, fact: KeyRevoked) -> None:
        self.keys.pop(fact.key_id, None)

    @apply.register
    def _(self, fact: LoginSucceeded) -> None:
        self.lockout.succeeded(fact.user, fact.address)
        self.sessions = {
            id_: session
            for id_, session in self.sessions.items()
            if session.expires_at > fact.ts_event
        }
        if fact.user in self.users:
            self.sessions[fact.session] = Session(
                user=fact.user,
                permissions=permissions_in(fact.permissions),
                refresh_digest=fact.refresh_digest,
                expires_at=fact.expires_at,
            )

    @apply.register
    def _(self, fact: LoginFailed) -> None:
        self.lockout.failed(fact.user, fact.address, fact.ts_event)

    @apply.register
    def _(self, fact: SessionRefreshed) -> None:
        session = self.sessions.get(fact.session)
        if session is None:
            return
        if (
            session.refresh_digest != fact.used_digest
        ):  # two used one token; nobody knows who was meant
            del self.sessions[fact.session]
            return
        session.used.add(fact.used_digest)
        session.refresh_digest = fact.refresh_digest

    @apply.register
    def _(self, fact: SessionRevoked) -> None:
        self.sessions.pop(fact.session, None)

    def _end_sessions(self, user: str) -> None:
        self.sessions = {
            id_: session for id_, session in self.sessions.items() if session.user != user
        }


def permissions_in(names: tuple[str, ...]) -> Permissions:
    """Return the permissions of that name; a name that a newer version wrote gives nothing here."""
    known = {str(each): each for each in Permission}
    return frozenset(known[name] for name in names if name in known)
