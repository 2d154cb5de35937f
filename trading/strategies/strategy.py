"""What a bar strategy is: a causal function from bars to target weights.

    targets(bars) -> weights of shape (time, instrument)

A weight is a fraction of the capital that the strategy was given: 0.25 is a quarter of it long, -0.25 a
quarter short. Row t depends on rows t - lookback + 1 to t alone, so a backtest that calls the function
once over all history and live trading that calls it on the trailing window agree at every bar,
and neither can look ahead. Rows before `lookback - 1` are 0.

A strategy is an immutable value: a frozen `msgspec.Struct` whose fields are its parameters. Its class may say
more about it: `NEEDS` (the signals that it cannot do without, see `signals`), `SEARCH` (where its parameters
may be searched, see `search_space`) and `RISK_LEVEL`.
"""

import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np

from trading.identifiers import InstrumentId
from trading.indicators.periods import IntArray
from trading.indicators.rolling import FloatArray

Derived = TypeVar("Derived")


class Undecided(Exception):
    """A strategy cannot answer now, by no fault of its own: what it decided before stands."""


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """Bars of several instruments, oldest first.

    Attributes
    ----------
    ts : (time,) int64
        Close of each bar (ns UTC), rising.
    close, open, high, low : (time, instrument) float64
        Prices (> 0). NaN where nothing is known yet; a strategy gives weight 0 to an instrument
        with a NaN among the rows that it needs.
    volume : (time, instrument) float64
        Units; 0 when the source has none.
    signals : mapping of name to (time, instrument) float64
        What else was known at each close, see `trading.strategies.signals`.
    """

    ts: IntArray
    instrument_ids: tuple[InstrumentId, ...]
    close: FloatArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    volume: FloatArray
    signals: Mapping[str, FloatArray] = field(default_factory=dict)
    _derived: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        shape = (self.ts.size, len(self.instrument_ids))
        prices = (self.close, self.open, self.high, self.low, self.volume)
        if not self.signals and all(array.shape == shape for array in prices):
            return  # at every bar of a running strategy
        arrays = dict(zip(("close", "open", "high", "low", "volume"), prices, strict=True))
        for name, array in {**arrays, **self.signals}.items():
            if array.shape != shape:
                raise ValueError(f"bars: {name} is {array.shape}, must be {shape}")

    @classmethod
    def of_closes(
        cls, ts: IntArray, instrument_ids: tuple[InstrumentId, ...], close: FloatArray
    ) -> "Bars":
        """Return bars of a source that has closing prices alone."""
        return cls(ts, instrument_ids, close, close, close, close, np.zeros_like(close))

    def __len__(self) -> int:
        return int(self.ts.size)

    def rows(self, start: int, stop: int) -> "Bars":
        """Return the rows from `start` up to, not including, `stop` (views, no copies)."""
        return Bars(
            self.ts[start:stop],
            self.instrument_ids,
            self.close[start:stop],
            self.open[start:stop],
            self.high[start:stop],
            self.low[start:stop],
            self.volume[start:stop],
            {name: array[start:stop] for name, array in self.signals.items()},
        )

    def derived(self, key: Hashable, make: Callable[[], Derived]) -> Derived:
        """Return what `make` makes of these bars; the same key makes it once.

        An indicator that many parameter sets share is computed once in a sweep. The result must
        depend on these bars and the key alone, and must not be changed.
        """
        if key not in self._derived:
            self._derived[key] = make()
        made: Derived = self._derived[key]
        return made


class Strategy(Protocol):
    """What the backtest and the live machine need of a strategy."""

    @property
    def lookback(self) -> int:
        """How many bars, the newest included, make the last row of `targets` exact."""

    def targets(self, bars: Bars) -> FloatArray:
        """Return the target weight of each instrument after each bar: (time, instrument)."""


def require_range(strategy: object, name: str, low: float, high: float) -> None:
    """Check that the parameter `name` is a number from `low` to `high`; whole if both bounds are ints.

    Raises
    ------
    ValueError
        Naming the strategy, the parameter, its range and the value.
    """
    value = getattr(strategy, name)
    is_whole = isinstance(low, int) and isinstance(high, int)
    kinds = (int,) if is_whole else (int, float)
    is_number = isinstance(value, kinds) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or not low <= value <= high:
        kind = "whole number" if is_whole else "number"
        owner = type(strategy).__name__
        raise ValueError(f"{owner}: {name} must be a {kind} from {low} to {high}, got {value!r}")


def require_bool(strategy: object, name: str) -> None:
    """Check that the parameter `name` is true or false.

    Raises
    ------
    ValueError
        Naming the strategy, the parameter and the value.
    """
    value = getattr(strategy, name)
    if not isinstance(value, bool):
        raise ValueError(f"{type(strategy).__name__}: {name} must be true or false, got {value!r}")
