"""Keys of programs, `nt_<id>_<secret>`: shown once, stored as a hash."""

import re
import secrets
from hashlib import sha256
from hmac import compare_digest

PREFIX = "nt_"
_SHAPE = re.compile(r"nt_([0-9a-f]{12})_([0-9a-f]{64})")


def new_key() -> tuple[str, str]:
    """Return the id of a new key, and the key."""
    key_id = secrets.token_hex(6)
    return key_id, f"{PREFIX}{key_id}_{secrets.token_hex(32)}"


def key_id_of(key: str) -> str | None:
    """Return the id in a key; None when it is no key."""
    found = _SHAPE.fullmatch(key)
    return found.group(1) if found else None


def digest_of(text: str) -> str:
    """Return the hash under which a random secret is stored."""
    return sha256(text.encode()).hexdigest()


def is_digest_of(digest: str, text: str) -> bool:
    """Compare in constant time."""
    return compare_digest(digest, digest_of(text))
