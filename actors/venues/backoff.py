"""Pauses between attempts to reconnect: growing, jittered, never faster than the first on average."""

from collections.abc import Iterator

import numpy as np


def reconnect_delays(
    generator: np.random.Generator, first_s: float = 1.0, longest_s: float = 30.0
) -> Iterator[float]:
    """Yield pauses (s) without end: uniform between one half and one and a half of a doubling delay."""
    delay = first_s
    while True:
        yield delay * generator.uniform(0.5, 1.5)
        delay = min(2 * delay, longest_s)
