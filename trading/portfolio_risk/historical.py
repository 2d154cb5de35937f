"""Historical simulation: today's positions through every stretch of the past."""

from collections.abc import Sequence

from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.empirical import estimate_of
from trading.portfolio_risk.estimate import Estimate
from trading.portfolio_risk.portfolio_losses import dependence_of, window_losses


def historical(
    returns: FloatArray,
    exposures: FloatArray,
    names: Sequence[str],
    confidence: float,
    horizon: int = 1,
) -> Estimate:
    """Return the quantile of what the positions would have lost over every past window of `horizon` bars.

    The windows overlap and positions are held through them, so that returns compound. Intervals are order
    statistics (value at risk) and the delta method (shortfall); both allow for overlap and for the clustering
    of losses over some weeks. An upper end is infinite where the history is too short to bound the loss.

    Parameters
    ----------
    returns : (time, asset)
        Simple returns of one bar.
    exposures : (asset,)
        Signed value (money).

    Raises
    ------
    DataError
        If returns or exposures are unfit, or fewer than one window is expected beyond the value at risk.
    UsageError
        If `confidence` or `horizon` is out of range.
    """
    losses = window_losses(returns, exposures, names, confidence, horizon)
    return estimate_of(
        losses, "historical", confidence, horizon, dependence_of(len(losses), horizon)
    )
