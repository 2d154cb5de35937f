"""Which version of a model answers: the champion, or a share of the traffic."""

import hashlib

from actors.models.aliases import Aliases

_SPAN = 2**64


def version_for(aliases: Aliases, symbol: str, as_of: int) -> int | None:
    """Return the version that forecasts these bars; None when there is no champion.

    The same bars of a symbol always go to the same version, in every replica: the choice is a hash of both.
    """
    if not aliases.weights:
        return aliases.champion
    digest = hashlib.blake2b(f"{symbol}\0{as_of}".encode(), digest_size=8).digest()
    point = int.from_bytes(digest, "big") / _SPAN
    reached = 0.0
    version: int | None = None
    for version in sorted(aliases.weights):
        reached += aliases.weights[version]
        if point < reached:
            return version
    return version
