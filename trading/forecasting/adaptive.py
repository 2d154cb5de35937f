"""Adaptive conformal inference: ask for wider intervals after misses, for narrower ones after hits.

Source: Gibbs and Candes (2021), "Adaptive Conformal Inference Under Distribution Shift", NeurIPS 34:
alpha[t + 1] = alpha[t] + rate * (alpha - missed[t]). Whatever the data do, the part of outcomes that T intervals
missed is within (max(alpha, 1 - alpha) + rate) / (rate * T) of alpha, as long as a miscoverage of 0 gives an interval
that holds the outcome.
"""

from collections.abc import Sequence

import msgspec

from trading.forecasting.prediction import COVERAGES

RATE = 0.005
"""The step of the paper's experiments."""


class AdaptiveMiscoverage(msgspec.Struct, frozen=True, kw_only=True):
    """What to ask `conformal.calibrated` for, so that the intervals cover what they say.

    Attributes
    ----------
    shares : tuple of float
        Miscoverage to ask for, one for each of `prediction.COVERAGES`; from -rate to 1 + rate.
    rate : float
        How far one outcome moves it (> 0). A larger one follows faster and trembles more.
    """

    shares: tuple[float, ...] = tuple(round(1.0 - coverage, 6) for coverage in COVERAGES)
    rate: float = RATE

    def update(self, missed: Sequence[float]) -> "AdaptiveMiscoverage":
        """Return it after one more forecast.

        Parameters
        ----------
        missed : sequence of float
            Part of the forecast's outcomes (its steps) outside of each interval, 0 to 1, one for each of
            `prediction.COVERAGES`.
        """
        moved = (
            share + self.rate * (1.0 - coverage - miss)
            for share, coverage, miss in zip(self.shares, COVERAGES, missed, strict=True)
        )
        # The bounds hold by themselves where 0 gives everything; here they keep a series of misses that no
        # interval of the calibration could have prevented from being remembered for ever.
        shares = tuple(min(max(share, -self.rate), 1.0 + self.rate) for share in moved)
        return msgspec.structs.replace(self, shares=shares)
