"""Irregular numbers without chance: a hash of the parent's id, so that every decision can be repeated."""

from decimal import Decimal
from hashlib import blake2b

from trading.identifiers import ClientOrderId


def fraction(key: ClientOrderId, index: int) -> Decimal:
    """Return a number in [0, 1) that belongs to this id and this index, as good as drawn."""
    digest = blake2b(f"{key}\x1f{index}".encode(), digest_size=8).digest()
    return Decimal(int.from_bytes(digest) % 1_000_000) / 1_000_000
