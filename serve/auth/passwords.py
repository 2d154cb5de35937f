"""Passwords: argon2id hashes, equal work for people who exist and who do not."""

import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from trading.errors import UsageError

LENGTH_MIN = 12
LENGTH_MAX = 1024
REST_MIN = 8
"""Characters beside well-known words."""
DIFFERENT_MIN = 5
_WELL_KNOWN = (
    "changeme",
    "password",
    "neural-trader",
    "neuraltrader",
    "letmein",
    "qwerty",
    "admin",
)


class Passwords:
    """Hashes and checks with the library's defaults (64 MiB, about a tenth of a second)."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._nobody = self._hasher.hash(secrets.token_hex(16))

    def hash(self, password: str) -> str:
        return self._hasher.hash(password)

    def is_right(self, password: str, password_hash: str | None) -> bool:
        """Say whether the password belongs to the hash; without one the same work is done for a no."""
        try:
            self._hasher.verify(password_hash or self._nobody, password)
        except (VerificationError, InvalidHashError):
            return False
        return password_hash is not None


def require_strong(password: str, user: str) -> None:
    """Refuse what is guessed first.

    Raises
    ------
    UsageError
        If it is short, endless, well known, or the user's name.
    """
    if not LENGTH_MIN <= len(password) <= LENGTH_MAX:
        raise UsageError(f"The password needs {LENGTH_MIN} to {LENGTH_MAX} characters.")
    rest = password.lower()
    for word in (*_WELL_KNOWN, user.lower()):
        rest = rest.replace(word, "")
    if len(rest) < REST_MIN or len(set(password)) < DIFFERENT_MIN:
        raise UsageError("This password is guessed first; take four random words, for example.")
