"""A small seeded generator: the same numbers on every platform, in every process."""

_MASK = (1 << 64) - 1


class SplitMix64:
    """SplitMix64 of Steele, Lea and Flood (2014), "Fast splittable pseudorandom number generators".

    Parameters
    ----------
    seed : int
        Taken modulo 2**64.
    """

    __slots__ = ("_state",)

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

    def next(self) -> int:
        """Return the next number in [0, 2**64)."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        z = self._state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)

    def uniform(self) -> float:
        """Return the next number in [0, 1)."""
        return (self.next() >> 11) / (1 << 53)

    def below(self, bound: int) -> int:
        """Return the next number in [0, bound); its bias is below bound / 2**64."""
        return self.next() % bound
