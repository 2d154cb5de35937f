"""Values of some rows ago."""

import math
from collections import deque

from trading.indicators.rolling import FloatArray
from trading.indicators.windows import require_rows


def delayed(values: FloatArray, rows: int) -> FloatArray:
    """Return the value of `rows` rows ago (>= 0); the first `rows` rows are NaN.

    Parameters
    ----------
    values : (time, instrument)

    Returns
    -------
    (time, instrument)
    """
    require_rows("rows", rows, 0)
    xp = values.__array_namespace__()
    missing = min(rows, values.shape[0])
    head = xp.full((missing, *values.shape[1:]), xp.nan)
    joined: FloatArray = xp.concat([head, values[: values.shape[0] - missing, ...]], axis=0)
    return joined


def change(values: FloatArray) -> FloatArray:
    """Return each row less the one before it; the first row is NaN."""
    return values - delayed(values, 1)


class Delay:
    """`delayed`, one value at a time."""

    __slots__ = ("_values",)

    def __init__(self, rows: int) -> None:
        require_rows("rows", rows, 0)
        self._values = deque([math.nan] * (rows + 1), maxlen=rows + 1)

    def update(self, value: float) -> float:
        """Return the value of `rows` updates ago."""
        self._values.append(value)
        return self._values[0]
