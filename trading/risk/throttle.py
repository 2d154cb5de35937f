"""How fast orders may leave: a token bucket over host time."""

from trading.values import NANOS_PER_SECOND


class TokenBucket:
    """Fills at `rate_per_s` tokens a second up to a burst of one second; each order takes one."""

    def __init__(self, rate_per_s: int) -> None:
        self._rate_per_s = rate_per_s
        self._tokens = float(rate_per_s)
        self._filled_at = 0

    def change_rate(self, rate_per_s: int) -> None:
        """Fill at another rate from now on; what is in the bucket stays, up to the new burst."""
        self._tokens = min(self._tokens, float(rate_per_s))
        self._rate_per_s = rate_per_s

    def tokens(self, now: int) -> float:
        """Return what is in the bucket at host time `now` (ns); a clock that steps back adds nothing."""
        gained = max(0, now - self._filled_at) * self._rate_per_s / NANOS_PER_SECOND
        return min(float(self._rate_per_s), self._tokens + gained)

    def take(self, now: int) -> None:
        """Take one token; the bucket never goes below empty."""
        self._tokens = max(0.0, self.tokens(now) - 1.0)
        self._filled_at = now
