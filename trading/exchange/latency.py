"""How long a request takes until the venue acts on it."""

import msgspec


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """A fixed time on the way, then a queue in which requests are worked off one by one.

    Attributes
    ----------
    fixed_ns : int
        Every request (ns, >= 0).
    per_request_ns : int
        Time that the venue works on one request before the next (ns, >= 0).
    """

    fixed_ns: int = 0
    per_request_ns: int = 0

    def __post_init__(self) -> None:
        if self.fixed_ns < 0 or self.per_request_ns < 0:
            raise ValueError("latency must not be negative")

    def effective_at(self, now: int, busy_until: int) -> int:
        """Return the earliest time at which a request received at `now` has its effect.

        Parameters
        ----------
        now, busy_until : int
            Host time (ns UTC): the receipt, and when the request before has its effect.
        """
        return max(now + self.fixed_ns, busy_until) + self.per_request_ns
