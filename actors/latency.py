"""Percentiles over the most recent samples, and how many there ever were of each size."""

from bisect import bisect_left
from collections import deque

BOUNDS_US = (50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 1_000_000)
"""Upper ends of the classes that samples are counted in (microseconds); above the last is one more class."""
_BOUNDS_NS = tuple(bound * 1_000 for bound in BOUNDS_US)


class LatencyWindow:
    """Keeps the last `size` samples (ns).

    Attributes
    ----------
    count : int
        Samples since the start.
    counts : list of int
        How many of them fell into each class of `BOUNDS_US`, and above.
    total_ns : int
        Their sum.
    """

    def __init__(self, size: int = 10_000) -> None:
        self._samples: deque[int] = deque(maxlen=size)
        self.count = 0
        self.counts = [0] * (len(BOUNDS_US) + 1)
        self.total_ns = 0

    def record(self, nanoseconds: int) -> None:
        self._samples.append(nanoseconds)
        self.count += 1
        self.counts[bisect_left(_BOUNDS_NS, nanoseconds)] += 1
        self.total_ns += nanoseconds

    def percentile_us(self, share: float) -> float | None:
        """Return the sample at `share` (0..1) of the sorted window, in microseconds; None if empty."""
        if not self._samples:
            return None
        ordered = sorted(self._samples)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)] / 1_000
