"""One forecast of one instrument, as it is served, shown and journalled."""

from collections.abc import Sequence

import msgspec

from trading.forecasting.prediction import LEVELS
from trading.indicators.rolling import FloatArray


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """Calibrated quantiles of the price after each of the next bars.

    Attributes
    ----------
    model, version : str, int
        `nhits` and 3 for `nhits@3`.
    provider : str
        What computed it: "tensorrt", "cuda" or "cpu".
    is_fallback : bool
        A faster provider was asked for and was not there.
    is_cached : bool
        The answer was computed for an earlier request on the same bars.
    horizon : int
        Steps (bars).
    as_of : int
        Close of the last bar that it is made of (ns UTC).
    data_cutoff : int
        Close of the last bar that the model was trained on (ns UTC).
    expires_at : int
        Market time after which nobody may trade on it (ns UTC).
    last_close : float
        The price that the forecast starts from.
    quantiles : mapping of level to prices
        "0.1" -> one price per step; levels are those of `prediction.LEVELS`.
    expected_return, deviation : float
        Simple return over the horizon and its standard deviation (fractions).
    latency_ms : float
        From the request to the answer, where it was computed.
    """

    symbol: str
    model: str
    version: int
    provider: str
    is_fallback: bool = False
    is_cached: bool = False
    horizon: int
    as_of: int
    data_cutoff: int
    expires_at: int
    last_close: float
    quantiles: dict[str, tuple[float, ...]]
    expected_return: float
    deviation: float
    latency_ms: float


def quantiles_by_level(prices: FloatArray) -> dict[str, tuple[float, ...]]:
    """Return (step, level) as a mapping of level to one price per step."""
    return {
        str(level): tuple(column) for level, column in zip(LEVELS, prices.T.tolist(), strict=True)
    }


def interval(forecast: Forecast, coverage: float) -> tuple[Sequence[float], Sequence[float]]:
    """Return the lower and the upper price per step of the central interval (0.5, 0.8, 0.95 or 0.99)."""
    low = round((1.0 - coverage) / 2.0, 6)
    return forecast.quantiles[str(low)], forecast.quantiles[str(round(1.0 - low, 6))]
