"""The variance of the account as a running quadratic form: what an order adds to it costs no matrix product.

With exposures x (money) and the covariance S of one bar's returns, the account's variance is x' S x. The vector S x is
kept, so that a change d of the exposure in asset i gives

    (x + d e_i)' S (x + d e_i) = x' S x + 2 d (S x)_i + d^2 S_ii

S is an exponentially weighted average of products of returns (J.P. Morgan, RiskMetrics Technical Document, 1996), learned
from the bars that the strategies see. The normal value at risk of one bar is z(confidence) * sqrt(x' S x).
"""

from collections.abc import Sequence
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
    """

    def __init__(self, instrument_ids: Sequence[InstrumentId], decay: float) -> None:
        self._column = {name: i for i, name in enumerate(instrument_ids)}
        count = len(self._column)
        self.decay = decay
        self._close = np.full(count, np.nan)
        self._bars = np.zeros(count, dtype=np.int64)
        self._covariance = np.zeros((count, count))
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
        change = exposure - self._exposure[column]
        if change:
            own = self._covariance[column, column]
            self._variance += change * (2.0 * self._marginal[column] + change * own)
            self._marginal += self._covariance[column] * change
            self._exposure[column] = exposure

    def deviation_with(self, instrument_id: InstrumentId, exposure: float) -> float | None:
        """Return the standard deviation (money, one bar) if the instrument's exposure were `exposure`.

        None while the returns of an instrument with exposure are unknown: `BARS_MIN` bars are needed.
        """
        column = self._column.get(instrument_id)
        if column is None or not self.is_known(instrument_id):
            return None
        held = self._exposure != 0.0
        if (self._bars[held] < BARS_MIN).any():
            return None
        change = exposure - self._exposure[column]
        own = self._covariance[column, column]
        variance = self._variance + change * (2.0 * self._marginal[column] + change * own)
        return sqrt(max(variance, 0.0))

    def correlated_exposure(
        self, instrument_id: InstrumentId, exposure: float, threshold: float
    ) -> float | None:
        """Return what is held in step with the instrument (money), itself with `exposure`.

        In step is what would lose with it: correlation above `threshold` on the same side, or below
        -`threshold` on the other. None as for `deviation_with`.
        """
        column = self._column.get(instrument_id)
        if column is None or not self.is_known(instrument_id):
            return None
        scale = np.sqrt(np.diag(self._covariance))
        with np.errstate(divide="ignore", invalid="ignore"):
            correlation = self._covariance[column] / (scale * scale[column])
        side = np.sign(exposure) * np.sign(self._exposure)
        is_peer = correlation * side >= threshold
        is_peer[column] = False
        return abs(exposure) + float(np.abs(self._exposure[is_peer]).sum())

    def is_known(self, instrument_id: InstrumentId) -> bool:
        """Return whether enough returns of the instrument were seen."""
        column = self._column.get(instrument_id)
        return column is not None and bool(self._bars[column] >= BARS_MIN)

    @property
    def deviation(self) -> float:
        """Standard deviation of the account's value over one bar (money)."""
        return sqrt(max(self._variance, 0.0))

    def covariance(self) -> NDArray[np.float64]:
        """Return a copy of the covariance of one bar's returns: (instrument, instrument)."""
        return self._covariance.copy()

    def _restore_sums(self) -> None:
        self._marginal = self._covariance @ self._exposure
        self._variance = float(self._exposure @ self._marginal)


def normal_quantile(confidence: float) -> float:
    """Return how many standard deviations a normal loss stays below with probability `confidence`."""
    return NormalDist().inv_cdf(confidence)
