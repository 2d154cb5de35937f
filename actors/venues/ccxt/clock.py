"""How far an exchange's clock is from ours. Pure."""

NANOS_PER_MS = 1_000_000
_SECOND_MS = 1_000


def skew_ns(venue_ms: int, sent: int, received: int) -> int:
    """Return the exchange's time minus ours: the smallest skew that explains the reading.

    Parameters
    ----------
    venue_ms : int
        What the exchange said (ms UTC). Some tell whole seconds only: then the time may be up to one later.
    sent, received : int
        When it was asked, and when the answer came (ns UTC, our clock).
    """
    width = _SECOND_MS if venue_ms % _SECOND_MS == 0 else 1
    earliest = venue_ms * NANOS_PER_MS
    latest = earliest + width * NANOS_PER_MS
    lowest, highest = earliest - received, latest - sent
    return min(max(0, lowest), highest)
