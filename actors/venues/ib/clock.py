"""The venue's clock against ours, from a reading in whole seconds."""

from trading.values import NANOS_PER_SECOND


def clock_skew(seconds: int, asked_at: int, answered_at: int) -> int:
    """Return the venue's clock minus ours (ns): the smallest difference that explains the reading.

    TWS tells whole seconds, so a reading proves a difference only when none fits: one within the
    second is 0.

    Parameters
    ----------
    seconds : int
        What TWS said (s UTC).
    asked_at, answered_at : int
        Our clock before the question and after the answer (ns UTC).
    """
    lowest = seconds * NANOS_PER_SECOND - answered_at
    highest = (seconds + 1) * NANOS_PER_SECOND - asked_at
    if lowest <= 0 <= highest:
        return 0
    return lowest if lowest > 0 else highest
