"""Returns and realised volatility of prices."""

from trading.indicators.rolling import FloatArray, rolling_std

TRADING_DAYS_PER_YEAR = 252


def simple_returns(close: FloatArray) -> FloatArray:
    """Return `close[t] / close[t-1] - 1`; the first row is NaN.

    Parameters
    ----------
    close : (time, instrument)
        Prices (> 0, or NaN where unknown; a NaN price makes its two returns NaN).

    Returns
    -------
    (time, instrument)
    """
    xp = close.__array_namespace__()
    returns: FloatArray = xp.full(close.shape, xp.nan)
    returns[1:] = close[1:] / close[:-1] - 1.0
    return returns


def realised_volatility(close: FloatArray, window: int) -> FloatArray:
    """Return the standard deviation of the last `window` daily returns, per year.

    Needs `window` + 1 prices; rows before that are NaN.

    Parameters
    ----------
    close : (time, instrument)
        Daily prices.

    Returns
    -------
    (time, instrument)
        Fraction per year (0.2 is 20 %).
    """
    annual: FloatArray = rolling_std(simple_returns(close), window) * TRADING_DAYS_PER_YEAR**0.5
    return annual
