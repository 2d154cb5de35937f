"""Half-life of mean reversion: the rows in which a distance from the mean shrinks to half of it.

Over a moving window `value = a + phi * value before` is fitted by least squares; the half-life is
`-ln 2 / ln phi`. Source: Chan (2013), "Algorithmic Trading", chapter 2, who regresses the change and uses
`-ln 2 / (phi - 1)`, the same for a phi near 1.

The estimate of phi is too low in short windows (Kendall 1954, "Note on Bias in the Estimation of
Autocorrelation"), and so is the half-life.

NaN rule: a row is NaN where a NaN is in its window, and where the window is flat.
"""

import math

from trading.indicators.beta import RollingBeta, rolling_beta
from trading.indicators.rolling import FloatArray
from trading.indicators.shift import delayed
from trading.indicators.windows import require_rows


def half_life(values: FloatArray, window: int) -> FloatArray:
    """Return the half-life in rows. Warm-up: `window - 1` rows.

    Parameters
    ----------
    values : (time, instrument)
        As a rule a spread or a log price.
    window : int
        Rows (>= 3), the current one included; they make `window - 1` pairs.

    Returns
    -------
    (time, instrument)
        Infinite where phi is 1 or more (nothing reverts); 0 where it is not positive (it reverts within
        one row).
    """
    require_rows("window", window, 3)
    xp = values.__array_namespace__()
    phi = rolling_beta(values, delayed(values, 1), window - 1)
    reverts = (phi > 0) & (phi < 1)
    rows = -math.log(2.0) / xp.log(xp.where(reverts, phi, 0.5))
    beyond = xp.where(phi >= 1, xp.inf, phi * 0.0)
    result: FloatArray = xp.where(reverts, rows, beyond)
    return result


class HalfLife:
    """`half_life`, one value at a time."""

    __slots__ = ("_before", "_phi")

    def __init__(self, window: int) -> None:
        require_rows("window", window, 3)
        self._before, self._phi = math.nan, RollingBeta(window - 1)

    def update(self, value: float) -> float:
        """Return the half-life in rows after `value`."""
        phi = self._phi.update(value, self._before)
        self._before = value
        if 0 < phi < 1:
            return -math.log(2.0) / math.log(phi)
        return math.inf if phi >= 1 else phi * 0.0
