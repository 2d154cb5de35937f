"""How often one may ask: a token bucket for each principal or address, at each replica.

Replicas do not tell each other: with n of them somebody gets up to n times as much, and no request pays for asking
around. What must hold over all of them, the lock-out, stands in the journal.
"""

import time
from collections import OrderedDict
from collections.abc import Callable

import msgspec

BUCKETS_MAX = 10_000
"""Of one limit; the one that was asked longest ago is dropped, which gives its owner a full one again."""


class Standing(msgspec.Struct, frozen=True):
    """What is left.

    Attributes
    ----------
    limit : int
        Requests that may come at once.
    remaining : int
        Of these, now.
    reset_s : int
        Until all of them may come again (s).
    wait_s : int
        Until the next may come; 0 when this one may.
    """

    limit: int
    remaining: int
    reset_s: int
    wait_s: int = 0

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        return [
            (b"x-ratelimit-limit", b"%d" % self.limit),
            (b"x-ratelimit-remaining", b"%d" % self.remaining),
            (b"x-ratelimit-reset", b"%d" % self.reset_s),
        ]


class RateLimit:
    """Buckets of one size, by name.

    Parameters
    ----------
    per_s : float
        Requests a second in the long run.
    burst : int
        Requests at once.
    """

    def __init__(
        self, per_s: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_s = per_s
        self._burst = max(1, burst)
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, who: str) -> Standing:
        """Take one from the bucket of `who`; when it is empty, `wait_s` says how long."""
        now = self._clock()
        tokens, at = self._buckets.get(who, (float(self._burst), now))
        tokens = min(float(self._burst), tokens + (now - at) * self._per_s)
        wait_s = 0
        if tokens >= 1.0:
            tokens -= 1.0
        else:
            wait_s = max(1, round((1.0 - tokens) / self._per_s + 0.5))
        self._buckets[who] = (tokens, now)
        self._buckets.move_to_end(who)
        if len(self._buckets) > BUCKETS_MAX:
            self._buckets.popitem(last=False)
        reset_s = int((self._burst - tokens) / self._per_s + 0.999)
        return Standing(self._burst, int(tokens), reset_s, wait_s)
