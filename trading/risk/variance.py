"""The variance of the account as a running quadratic form: what an order adds to it costs no matrix product.

With exposures x (money) and the covariance S of one bar's returns, the account's variance is x' S x. The vector S x is
kept, so that a change d of the exposure in asset i gives

    (x + d e_i)' S (x + d e_i) = x' S x + 2 d (S x)_i + d^2 S_ii

S is an exponentially weighted average of products of returns (J.P. Morgan, RiskMetrics Technical Document, 1996), learned
from the bars that the strategies see. The normal value at risk of one bar is z(confidence) * sqrt(x' S x).
"""

from collections.abc import Sequence
from functools import lru_cache
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from trading.data import BarSlice
from trading.identifiers import InstrumentId

BARS_MIN = 60
"""Returns of an instrument before its variance is known."""


class AccountVariance:
    """Exposures of one account and the covariance of its instruments.

    Parameters
    ----------
    decay : float
        Weight of yesterday's average, in (0, 1): 0.97 forgets half in 23 bars.
    threshold : float
        Correlation from which on two instruments move together, in (0, 1).
    """

    def __init__(
        self, instrument_ids: Sequence[InstrumentId], decay: float, threshold: float
    ) -> None:
        self._column = {name: i for i, name in enumerate(instrument_ids)}
        count = len(self._column)
        self.decay, self.threshold = decay, threshold
        self._close = np.full(count, np.nan)
        self._bars = np.zeros(count, dtype=np.int64)
        self._covariance = np.zeros((count, count))
        self._together = self._opposed = _Peers(np.zeros((count, count), dtype=np.bool_))
        self._long, self._short = np.zeros((2, count))
        self._unmeasured = 0
        """Instruments with exposure whose returns are not known."""
        self._own = np.zeros(count)
        """The diagonal of the covariance: close together, so that a question costs no cache miss."""
        self._exposure = np.zeros(count)
        self._marginal = np.zeros(count)
        self._variance = 0.0
        self.last_sequence = 0

    @property
    def bars_wanted(self) -> int:
        """How many bars of history make the average independent of its start (to 1 %), and one more."""
        return max(BARS_MIN, int(np.ceil(np.log(0.01) / np.log(self.decay)))) + 1

    def learn(self, slice_: BarSlice) -> None:
        """Take the returns of one bar slice in; one that was taken before changes nothing."""
        if slice_.sequence <= self.last_sequence:
            return
        self.last_sequence = slice_.sequence
        returns = np.zeros(len(self._column))
        for bar in slice_.bars:
            column = self._column.get(bar.instrument_id)
            if column is None or not 0 < bar.close < np.inf:
                continue
            before = self._close[column]
            if before > 0:
                returns[column] = bar.close / before - 1.0
                self._bars[column] += 1
            self._close[column] = bar.close
        decay = self.decay if self._bars.max(initial=0) > 1 else 0.0
        self._covariance *= decay
        self._covariance += (1.0 - decay) * np.outer(returns, returns)
        self._restore_sums()

    def set_exposure(self, instrument_id: InstrumentId, exposure: float) -> None:
        """The account now has `exposure` (signed money) in the instrument."""
        column = self._column.get(instrument_id)
        if column is None:
            return
        before = float(self._exposure[column])
        change = exposure - before
        if change:
            own = self._covariance[column, column]
            self._variance += change * (2.0 * self._marginal[column] + change * own)
            self._marginal += self._covariance[column] * change
            self._exposure[column] = exposure
            self._long[column], self._short[column] = max(exposure, 0.0), max(-exposure, 0.0)
            if self._bars[column] < BARS_MIN:
                self._unmeasured += (exposure != 0.0) - (before != 0.0)

    def deviation_with(self, instrument_id: InstrumentId, exposure: float) -> float | None:
        """Return the standard deviation (money, one bar) if the instrument's exposure were `exposure`.

        None while the returns of an instrument with exposure are unknown: `BARS_MIN` bars are needed.
        """
        column = self._column.get(instrument_id)
        if column is None or self._unmeasured or self._bars.item(column) < BARS_MIN:
            return None
        change = exposure - self._exposure.item(column)
        own, marginal = self._own.item(column), self._marginal.item(column)
        return sqrt(max(self._variance + change * (2.0 * marginal + change * own), 0.0))

    def correlated_exposure(self, instrument_id: InstrumentId, exposure: float) -> float | None:
        """Return what is held in step with the instrument (money), itself with `exposure`.

        In step is what would lose with it: correlation of at least `threshold` on the same side, of at most
        -`threshold` on the other. None as for `deviation_with`.
        """
        column = self._column.get(instrument_id)
        if column is None or self._unmeasured or self._bars.item(column) < BARS_MIN:
            return None
        same, other = (self._long, self._short) if exposure >= 0 else (self._short, self._long)
        return abs(exposure) + self._together.sum(column, same) + self._opposed.sum(column, other)

    @property
    def deviation(self) -> float:
        """Standard deviation of the account's value over one bar (money)."""
        return sqrt(max(self._variance, 0.0))

    def covariance(self) -> NDArray[np.float64]:
        """Return a copy of the covariance of one bar's returns: (instrument, instrument)."""
        return self._covariance.copy()

    def _restore_sums(self) -> None:
        self._own = np.diag(self._covariance).copy()
        scale = np.sqrt(self._own)
        scale = np.where(scale > 0, scale, np.inf)
        correlation = self._covariance / np.outer(scale, scale)
        np.fill_diagonal(correlation, 0.0)
        self._together = _Peers(correlation >= self.threshold)
        self._opposed = _Peers(correlation <= -self.threshold)
        is_unknown = (self._bars < BARS_MIN) & (self._exposure != 0.0)
        self._unmeasured = int(is_unknown.sum())
        self._marginal = self._covariance @ self._exposure
        self._variance = float(self._exposure @ self._marginal)


class _Peers:
    """Who belongs to whom, of a matrix of yes and no in which most is no."""

    __slots__ = ("_columns", "_starts")

    def __init__(self, is_peer: NDArray[np.bool_]) -> None:
        rows, self._columns = np.nonzero(is_peer)
        self._starts: list[int] = np.searchsorted(rows, np.arange(len(is_peer) + 1)).tolist()

    def sum(self, row: int, values: NDArray[np.float64]) -> float:
        """Return the sum of `values` over the peers of `row`."""
        start, stop = self._starts[row], self._starts[row + 1]
        return float(values[self._columns[start:stop]].sum()) if stop > start else 0.0


@lru_cache(maxsize=8)
def normal_quantile(confidence: float) -> float:
    """Return how many standard deviations a normal loss stays below with probability `confidence`."""
    return NormalDist().inv_cdf(confidence)
