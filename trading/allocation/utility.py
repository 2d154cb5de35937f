"""What another portfolio is worth more, until the next rebalancing: the gain to hold against its cost."""

import numpy as np

from trading.errors import UsageError
from trading.indicators.rolling import FloatArray


def utility_gain(
    held: FloatArray,
    target: FloatArray,
    mean: FloatArray,
    covariance: FloatArray,
    risk_aversion: float,
    bars: int,
) -> float:
    """Return how much more certain return `target` is worth than `held`, over `bars` (fraction of the equity).

    The certainty equivalent of weights w is mean . w - risk_aversion / 2 x w . covariance . w per bar, as in
    `construct`; positions are taken to stay in place. Times the equity it is the `gain` of `rebalance`.

    Parameters
    ----------
    held, target : (asset,)
        Weights.
    mean : (asset,)
        Expected return per bar. Zeros if only risk counts.
    covariance : (asset, asset)
        Of returns, per bar.
    bars : int
        Until the next rebalancing (>= 1).

    Raises
    ------
    UsageError
        If there is no time to gain anything, or the risk aversion is negative or not finite.
    """
    if bars < 1:
        raise UsageError(f"The next rebalancing must be at least 1 bar away, got {bars}.")
    if not (np.isfinite(risk_aversion) and risk_aversion >= 0.0):
        raise UsageError(f"The risk aversion must be a number, 0 or more, got {risk_aversion}.")

    def per_bar(weights: FloatArray) -> float:
        return float(mean @ weights - 0.5 * risk_aversion * (weights @ covariance @ weights))

    return bars * (per_bar(target) - per_bar(held))
