"""Log returns of bars, which forecasters share."""

import numpy as np

from trading.indicators.rolling import FloatArray
from trading.strategies.strategy import Bars


def log_returns(bars: Bars) -> FloatArray:
    """Return log(close[t] / close[t - 1]) (time, instrument), computed once per `bars`; row 0 is NaN."""
    return bars.derived(("log_returns",), lambda: _log_returns(bars.close))


def _log_returns(close: FloatArray) -> FloatArray:
    returns: FloatArray = np.full(close.shape, np.nan)
    returns[1:] = np.diff(np.log(close), axis=0)
    return returns
