"""What a method would have said in each past bar, and the loss that came."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from trading.errors import UsageError
from trading.indicators.rolling import FloatArray
from trading.portfolio_risk.estimate import Estimate
from trading.portfolio_risk.inputs import require_exposures, require_returns

Method = Callable[[FloatArray], Estimate]
"""Estimates the risk of the next bar from returns (time, asset)."""


@dataclass(frozen=True, slots=True)
class Forecasts:
    """One row for each bar that was forecast.

    Attributes
    ----------
    losses, values_at_risk, shortfalls : (time,)
    """

    losses: FloatArray
    values_at_risk: FloatArray
    shortfalls: FloatArray


def rolling_forecasts(
    method: Method,
    returns: FloatArray,
    exposures: FloatArray,
    names: Sequence[str],
    window: int,
    refresh: int = 1,
) -> Forecasts:
    """Forecast every bar from the `window` bars before it, and from nothing else.

    Parameters
    ----------
    method : callable
        For example `lambda past: historical(past, exposures, names, 0.99)`, with a horizon of 1.
    refresh : int
        Bars that one forecast stands for, above 1 where a method is slow.

    Raises
    ------
    DataError
        If returns or exposures are unfit, or there is no bar after the first window.
    UsageError
        If `window` or `refresh` is below 1, or the method's horizon is not 1.
    """
    if window < 1 or refresh < 1:
        raise UsageError(f"window {window} and refresh {refresh} must be at least 1 bar.")
    require_returns(returns, names, rows_min=window + 1)
    require_exposures(exposures, names)
    losses = -(returns[window:] @ exposures)
    said = [method(returns[end - window : end]) for end in range(window, len(returns), refresh)]
    if said[0].horizon != 1:
        raise UsageError(f"the method's horizon is {said[0].horizon}, must be 1 bar to be tested.")
    bar = np.arange(len(losses)) // refresh
    return Forecasts(
        losses,
        np.array([one.value_at_risk for one in said])[bar],
        np.array([one.expected_shortfall for one in said])[bar],
    )
