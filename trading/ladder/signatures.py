"""Facts of the ladder are signed: who can write to the journal cannot promote without the cluster's secret."""

import hmac
from hashlib import blake2b, sha256
from typing import TypeVar

from msgspec.structs import replace

from trading.codec import encode
from trading.events import AgentEvent

Fact = TypeVar("Fact", bound=AgentEvent)


def ladder_key(secret: bytes) -> bytes:
    """Return the key under which facts of the ladder are signed, derived from the cluster secret."""
    return blake2b(secret, person=b"agent ladder", digest_size=32).digest()


def signed(fact: Fact, key: bytes) -> Fact:
    """Return the fact with the signature over everything else that it says.

    Raises
    ------
    ValueError
        If the key is empty.
    """
    if not key:
        raise ValueError("facts of the ladder need a key to be signed with")
    return replace(fact, signature=_signature(fact, key))


def is_signed(fact: AgentEvent, key: bytes) -> bool:
    """Return whether the signature is that of this fact under this key."""
    return hmac.compare_digest(_signature(fact, key).encode(), fact.signature.encode())


def _signature(fact: AgentEvent, key: bytes) -> str:
    return hmac.new(key, encode(replace(fact, signature="")), sha256).hexdigest()
