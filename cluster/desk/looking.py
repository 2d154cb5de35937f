"""Looking at a cluster until something is so."""

from collections.abc import Callable
from typing import TypeVar

from cluster.desk.link import ClusterLink
from trading.values import NANOS_PER_SECOND

POLL_S = 0.02

Seen = TypeVar("Seen")


def look_until(
    link: ClusterLink, look: Callable[[], Seen], holds: Callable[[Seen], bool], seconds: float
) -> Seen:
    """Look until it holds or the time is over, and return the last look; that one is never an old one."""
    deadline = link.now_ns() + int(seconds * NANOS_PER_SECOND)
    while True:
        is_last = link.now_ns() >= deadline  # before looking: a pause costs no answer
        seen = look()
        if is_last or holds(seen):
            return seen
        link.pause(POLL_S)
