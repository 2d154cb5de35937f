"""Latencies and outcomes of one replica."""

import math
from collections import Counter, deque

KEPT = 2_048
"""Latest answers that the percentiles are of."""


class Statistics:
    """Counts since the start; percentiles of the latest answers.

    Attributes
    ----------
    asked : int
        Forecasts that were asked for.
    ongoing : int
        Of them, those that have no answer yet.
    failures : Counter of code
        Of them, those that ended in an error.
    """

    def __init__(self) -> None:
        self._latencies_ms: deque[float] = deque(maxlen=KEPT)
        self.asked = 0
        self.ongoing = 0
        self.failures: Counter[str] = Counter()

    def answered(self, latency_ms: float) -> None:
        self._latencies_ms.append(latency_ms)

    def latency_ms(self, share: float) -> float | None:
        """Return the latency that `share` of the latest answers did not exceed; None before the first."""
        ordered = sorted(self._latencies_ms)
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None
