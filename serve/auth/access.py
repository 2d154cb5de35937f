"""Who comes in: users, keys and sessions of one cluster, as every replica knows them.

Nothing is remembered but what the journal says. Before each decision the new records are read (a look at the head of
the stream, about 15 us with SQLite), so that a revocation or a lock-out holds in every replica from the moment it is
durable. When the journal cannot be read, nobody comes in.
"""

import secrets
import threading
import time
from collections.abc import Callable, Iterable
from datetime import timedelta

import msgspec

from actors.journal.journal import Journal
from serve.auth.access_book import AccessBook, Key, Permissions, User
from serve.auth.api_keys import digest_of, is_digest_of, key_id_of, new_key
from serve.auth.passwords import Passwords, require_strong
from serve.auth.refusals import TooManyRequests, bad_credentials, wrong_password
from serve.auth.tokens import Tokens
from serve.desk.principal import Principal
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
    access_stream,
)
from trading.codec import decode, encode
from trading.errors import Conflict, NotFound, PermissionMissing, UsageError
from trading.values import NANOS_PER_SECOND

NAME_LENGTH_MAX = 64
KEYS_OF_ONE_MAX = 50
Clock = Callable[[], int]


class Granted(msgspec.Struct, frozen=True, kw_only=True):
    """What a login gives; the refresh token is good once."""

    user: str
    access_token: str
    refresh_token: str
    expires_in_s: int
    permissions: Permissions


class Access:
    """The one who knows who may come in. May be called from several threads.

    Parameters
    ----------
    session : timedelta
        From a login to the next, however often its tokens are refreshed.
    """

    def __init__(
        self,
        journal: Journal,
        cluster: str,
        tokens: Tokens,
        *,
        session: timedelta = timedelta(days=30),
        clock: Clock = time.time_ns,
    ) -> None:
        self._journal = journal
        self._stream = access_stream(cluster)
        self._tokens = tokens
        self._passwords = Passwords()
        self._session_ns = int(session.total_seconds()) * NANOS_PER_SECOND
        self._clock = clock
        self._lock = threading.RLock()
        self._book = AccessBook()
        self._read = 0

    def close(self) -> None:
        """Release the journal."""
        with self._lock:
            self._journal.close()

    def book(self) -> AccessBook:
        """Return the newest state.

        Raises
        ------
        JournalUnavailable
            If it is not known.
        """
        with self._lock:
            if self._journal.head(self._stream) != self._read:
                for record in self._journal.read(self._stream, self._read):
                    fact = decode(record.payload)
                    assert isinstance(fact, AccessEvent)
                    self._book.apply(fact)
                    self._read = record.seq
            return self._book

    # -- coming in

    def by_token(self, token: str, address: str) -> Principal:
        """Return who shows an access token.

        Raises
        ------
        NotAuthenticated
            If it is not a good one of a session that goes on.
        """
        claims = self._tokens.read(token)
        with self._lock:
            book = self.book()
            session = book.sessions.get(claims.session)
            user = book.users.get(claims.user)
            if session is None or user is None or session.user != user.name:
                raise bad_credentials()
            if session.expires_at <= self._clock():
                raise bad_credentials()
            permissions = claims.permissions & session.permissions & user.permissions
        return Principal(name=user.name, permissions=permissions, came_by="token", address=address)

    def by_key(self, key: str, address: str) -> Principal:
        """Return who shows a key.

        Raises
        ------
        NotAuthenticated
            If there is no such key now.
        """
        with self._lock:
            book = self.book()
            known = book.keys.get(key_id_of(key) or "")
            if known is None or not is_digest_of(known.digest, key):
                raise bad_credentials()
            if known.expires_at and known.expires_at <= self._clock():
                raise bad_credentials()
            permissions = book.permissions_of(known)
        name = f"{known.owner}/{known.name}" if known.owner else f"key:{known.name}"
        return Principal(name=name, permissions=permissions, came_by="key", address=address)

    def login(
        self, name: str, password: str, address: str, wanted: Permissions | None = None
    ) -> Granted:
        """Begin a session. Takes about a tenth of a second, so let few do it at once.

        Parameters
        ----------
        wanted : frozenset of Permission, optional
            Of what the user has; all by default.

        Raises
        ------
        NotAuthenticated
            If name or password is wrong; which of them is not told.
        TooManyRequests
            If there were too many wrong ones; whether the name exists is not told.
        """
        user = self.book().users.get(name)
        counted = name if user else f"unknown:{digest_of(name)[:16]}"
        wait = self.book().lockout.wait_s(counted, address, self._clock())
        if wait:
            raise TooManyRequests(
                "AUTH_LOCKED", f"Too many wrong passwords; wait {wait} s, then try again.", wait
            )
        if not self._passwords.is_right(password, user.password_hash if user else None):
            self._append(lambda now: LoginFailed(ts_event=now, user=counted, address=address))
            raise wrong_password()
        assert user is not None
        granted = user.permissions if wanted is None else user.permissions & wanted
        session, refresh = secrets.token_hex(8), secrets.token_hex(32)
        self._append(
            lambda now: LoginSucceeded(
                ts_event=now,
                user=name,
                address=address,
                session=session,
                permissions=tuple(sorted(granted)),
                refresh_digest=digest_of(refresh),
                expires_at=now + self._session_ns,
            )
        )
        return self._granted(name, session, refresh, granted)

    def refresh(self, token: str, address: str) -> Granted:
        """Exchange a refresh token, which is good once; a second use ends the session for everybody.

        Raises
        ------
        NotAuthenticated
            If it is not the newest one of a session that goes on.
        """
        name, _, secret = token.partition(".")
        used, fresh = digest_of(secret), secrets.token_hex(32)
        with self._lock:
            session = self.book().sessions.get(name)
            if session is None or session.expires_at <= self._clock():
                raise bad_credentials()
            if used != session.refresh_digest and used not in session.used:
                raise bad_credentials()
            user, granted = session.user, session.permissions
        self._append(
            lambda now: SessionRefreshed(
                ts_event=now,
                session=name,
                used_digest=used,
                refresh_digest=digest_of(fresh),
                address=address,
            )
        )
        with self._lock:
            session = self.book().sessions.get(name)
            if session is None or session.refresh_digest != digest_of(fresh):
                raise bad_credentials()
        return self._granted(user, name, fresh, granted)

    def logout(self, token: str) -> None:
        """End the session of an access token. Raises `NotAuthenticated` when there is none."""
        claims = self._tokens.read(token)
        if claims.session not in self.book().sessions:
            raise bad_credentials()
        self._append(
            lambda now: SessionRevoked(
                ts_event=now, session=claims.session, reason="logout", by=claims.user
            )
        )

    def _granted(self, user: str, session: str, refresh: str, permissions: Permissions) -> Granted:
        return Granted(
            user=user,
            access_token=self._tokens.issue(user, session, permissions),
            refresh_token=f"{session}.{refresh}",
            expires_in_s=self._tokens.life_s,
            permissions=permissions,
        )

    # -- users and keys

    def add_user(self, name: str, password: str, permissions: Iterable[str], by: str) -> None:
        """Let somebody in.

        Raises
        ------
        UsageError
            If the name or the password will not do.
        Conflict
            If there is a user of that name.
        """
        _require_name(name)
        require_strong(password, name)
        if name in self.book().users:
            raise Conflict(
                f"There is a user {name} already; remove it first, or change its password."
            )
        hashed, granted = self._passwords.hash(password), tuple(sorted(permissions))
        self._append(
            lambda now: UserAdded(
                ts_event=now, user=name, password_hash=hashed, permissions=granted, by=by
            )
        )

    def change_password(self, name: str, password: str, by: str) -> None:
        """Change a password; the sessions of the user end. Raises `NotFound`, `UsageError`."""
        self.user(name)
        require_strong(password, name)
        hashed = self._passwords.hash(password)
        self._append(
            lambda now: PasswordChanged(ts_event=now, user=name, password_hash=hashed, by=by)
        )

    def has_password(self, name: str, password: str) -> bool:
        """Say whether this is the password of a user, without a login."""
        return self._passwords.is_right(password, self.user(name).password_hash)

    def remove_user(self, name: str, by: str) -> None:
        """Keep somebody out, with their sessions and keys. Raises `NotFound`."""
        self.user(name)
        self._append(lambda now: UserRemoved(ts_event=now, user=name, by=by))

    def user(self, name: str) -> User:
        """Return a user. Raises `NotFound`."""
        users = self.book().users
        if name not in users:
            known = ", ".join(sorted(users)) or "none"
            raise NotFound(f"There is no user {name!r}; there are: {known}.")
        return users[name]

    def issue_key(
        self, name: str, permissions: Permissions, by: str, *, owner: str = "", life_s: int = 0
    ) -> tuple[Key, str]:
        """Return a new key and its text, which nobody can read again.

        Raises
        ------
        UsageError, NotFound
            If the name or the owner will not do.
        PermissionMissing
            If the owner has less.
        Conflict
            If the owner has a key of that name, or too many.
        """
        _require_name(name)
        book = self.book()
        if owner and not permissions <= self.user(owner).permissions:
            raise PermissionMissing(f"{owner} cannot give a key more permissions than {owner} has.")
        theirs = [key for key in book.keys.values() if key.owner == owner]
        if any(key.name == name for key in theirs):
            raise Conflict(f"There is a key named {name}; revoke it first, or take another name.")
        if owner and len(theirs) >= KEYS_OF_ONE_MAX:
            raise Conflict(f"{owner} has {KEYS_OF_ONE_MAX} keys; revoke one first.")
        key_id, text = new_key()
        self._append(
            lambda now: KeyIssued(
                ts_event=now,
                key_id=key_id,
                digest=digest_of(text),
                name=name,
                owner=owner,
                permissions=tuple(sorted(permissions)),
                expires_at=now + life_s * NANOS_PER_SECOND if life_s else 0,
                by=by,
            )
        )
        return self.book().keys[key_id], text

    def revoke_key(self, key_id: str, by: str, *, owner: str | None = None) -> None:
        """Take a key back; with `owner` only one of theirs. Raises `NotFound`."""
        key = self.book().keys.get(key_id)
        if key is None or owner not in (None, key.owner):
            raise NotFound(f"There is no key {key_id!r}; `trader keys list` shows them.")
        self._append(lambda now: KeyRevoked(ts_event=now, key_id=key_id, by=by))

    def _append(self, make: Callable[[int], AccessEvent]) -> None:
        now = self._clock()
        fact = msgspec.structs.replace(make(now), ts_init=now)
        with self._lock:
            self._journal.append_shared(self._stream, [encode(fact)], now)


def _require_name(name: str) -> None:
    is_plain = (
        name.isascii() and name[:1].isalnum() and all(c.isalnum() or c in "._@-" for c in name)
    )
    if not is_plain or len(name) > NAME_LENGTH_MAX:
        raise UsageError(
            f"{name!r} is no name: write up to {NAME_LENGTH_MAX} letters, digits, '.', '_', '-' or '@'."
        )
