"""How far a venue's clock is from ours. Pure."""


def clock_skew(reading: tuple[int, int], asked_at: int, answered_at: int) -> int:
    """Return the venue's clock minus ours (ns): the smallest difference that explains a reading.

    Clocks are told in whole seconds or milliseconds, and the answer took some time: whatever lies within
    that is no skew.

    Parameters
    ----------
    reading : tuple of int, int
        What the venue said (ns UTC), and how much later the time may have been (ns): the length of its
        last digit.
    asked_at, answered_at : int
        Our clock before the question and after the answer (ns UTC).
    """
    at, digit = reading
    lowest, highest = at - answered_at, at + digit - asked_at
    return lowest if lowest > 0 else min(highest, 0)
