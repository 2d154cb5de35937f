"""Where a strategy's parameters may lie when they are searched: declared beside the strategy.

    SEARCH: ClassVar[SearchSpace] = {"window_bars": Span(5, 60), "allow_short": Choice((False, True))}

The bounds of a search are those that make sense together, narrower than the range that the strategy
accepts. A point that the strategy refuses (an exit beyond the entry) is skipped, not repaired.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Span:
    """Every number from `low` to `high`, both included; whole if both bounds are ints.

    Attributes
    ----------
    step : int or float or None
        Distance of the points; None is 1 for whole numbers and no grid for others.
    is_log : bool
        Whether equal ratios count as equal distances.
    """

    low: float
    high: float
    step: float | None = None
    is_log: bool = False

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"a span must rise, got {self.low} to {self.high}")

    @property
    def is_whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few values."""

    values: tuple[object, ...]


SearchSpace: TypeAlias = Mapping[str, Span | Choice]
