"""Percentiles over the most recent samples."""

from collections import deque


class LatencyWindow:
    """Keeps the last `size` samples (ns)."""

    def __init__(self, size: int = 10_000) -> None:
        self._samples: deque[int] = deque(maxlen=size)
        self.count = 0

    def record(self, nanoseconds: int) -> None:
        self._samples.append(nanoseconds)
        self.count += 1

    def percentile_us(self, share: float) -> float | None:
        """Return the sample at `share` (0..1) of the sorted window, in microseconds; None if empty."""
        if not self._samples:
            return None
        ordered = sorted(self._samples)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)] / 1_000
