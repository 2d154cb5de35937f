"""Whole columns out of what a run wrote down, made when they are first looked at.

Between two fills, cash and units stay as they are, and nothing is paid. A run therefore writes only the bars on
which more than the prices may have changed: most runs touch a hundredth of the memory then, and fresh
memory costs more time than the bars.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, overload

import numpy as np

from trading.backtest.state import Records
from trading.compiled import compiled
from trading.indicators.periods import IntArray
from trading.indicators.rolling import FloatArray


class Column:
    """A field that takes an array, or a call that makes it; reading it gives the array."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, holder: None, owner: type) -> "Column": ...

    @overload
    def __get__(self, holder: object, owner: type) -> FloatArray: ...

    def __get__(self, holder: object | None, owner: type) -> "Column | FloatArray":
        if holder is None:
            raise AttributeError(self._name)  # a field without a default
        value: Any = holder.__dict__[self._name]
        if callable(value):
            value = holder.__dict__[self._name] = value()
        array: FloatArray = value
        return array

    def __set__(self, holder: object, value: FloatArray | Callable[[], FloatArray]) -> None:
        holder.__dict__[self._name] = value


class Written(NamedTuple):
    """What a run wrote down.

    Attributes
    ----------
    closes : (written,) of `state.CLOSE`
        The first of bar 0, bars rising.
    units : (written, instrument)
    mark : (time, instrument)
        Newest known closes.
    """

    closes: Records
    units: FloatArray
    mark: FloatArray

    def lasting(self, name: str) -> FloatArray:
        """Return a field that holds until the next written bar: (time,)."""
        return np.repeat(self.closes[name], self._lengths())

    def of_the_bar(self, name: str) -> FloatArray:
        """Return a field that is 0 in the bars that were not written: (time,)."""
        column = np.zeros(len(self.mark))
        column[self.closes["bar"]] = self.closes[name]
        return column

    def held(self) -> FloatArray:
        """Return the units at each close: (time, instrument)."""
        return np.repeat(self.units, self._lengths(), axis=0)

    def net(self) -> FloatArray:
        """Return the value of all positions: (time,)."""
        return _values(self.closes["bar"], self.units, self.mark, False)

    def gross(self) -> FloatArray:
        """Return the absolute value of all positions: (time,)."""
        return _values(self.closes["bar"], self.units, self.mark, True)

    def _lengths(self) -> IntArray:
        return np.diff(self.closes["bar"], append=len(self.mark))


@compiled
def _values(bars: IntArray, units: FloatArray, mark: FloatArray, is_gross: bool) -> FloatArray:
    rows, columns = mark.shape
    values = np.zeros(rows)
    for index in range(bars.size):
        stop = bars[index + 1] if index + 1 < bars.size else rows
        for row in range(bars[index], stop):
            for column in range(columns):
                if units[index, column] != 0.0:
                    value = units[index, column] * mark[row, column]
                    values[row] += abs(value) if is_gross else value
    return values
