"""The recent past of one instrument, and the windows that a model reads of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trading.errors import ForecastRefused
from trading.indicators.periods import IntArray
from trading.indicators.rolling import FloatArray

Inputs = Mapping[str, NDArray[Any]]
"""Inputs of a graph by name, each (window, bar): "close", "volume" and "sentiment" float64, "time" int64 (ns UTC)."""


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """Bars of one instrument, oldest first.

    Attributes
    ----------
    ts : (time,) int64
        Close of each bar (ns UTC), rising.
    close : (time,)
        Prices (> 0).
    volume, sentiment : (time,) or None
        None when the source has none.
    """

    symbol: str
    ts: IntArray
    close: FloatArray
    volume: FloatArray | None = None
    sentiment: FloatArray | None = None


def inputs_of(
    histories: Sequence[History], input_size: int, features: Sequence[str] = ()
) -> dict[str, NDArray[Any]]:
    """Return the newest window of each history.

    Raises
    ------
    ForecastRefused
        Naming the instrument, when its history is too short, holds a number that is no price, does not move, or has
        no values of a feature.
    """
    for history in histories:
        _check(history, input_size, features)
    rows: dict[str, NDArray[Any]] = {
        "close": np.stack([each.close[-input_size:] for each in histories]).astype(np.float64)
    }
    for feature in features:
        arrays = [_values(each, feature)[-input_size:] for each in histories]
        rows[feature] = np.stack(arrays).astype(np.int64 if feature == "time" else np.float64)
    return rows


def _check(history: History, input_size: int, features: Sequence[str]) -> None:
    symbol, close = history.symbol, history.close
    if close.size < input_size:
        raise ForecastRefused(
            "FORECAST_HISTORY_SHORT",
            f"{symbol} has {close.size} bars; the model reads {input_size}.",
        )
    window = close[-input_size:]
    if not (np.isfinite(window).all() and (window > 0).all()):
        raise ForecastRefused(
            "FORECAST_HISTORY_INVALID",
            f"{symbol}: among the last {input_size} closes is one that is not a finite number above 0.",
        )
    if (window == window[0]).all():
        raise ForecastRefused(
            "FORECAST_HISTORY_CONSTANT",
            f"{symbol}: the last {input_size} closes are all the same, which leaves nothing to forecast.",
        )
    if (np.diff(history.ts[-input_size:]) <= 0).any():
        raise ForecastRefused(
            "FORECAST_HISTORY_INVALID", f"{symbol}: the bars do not rise in time."
        )
    for feature in features:
        values = _values(history, feature)[-input_size:]
        if values.size < input_size or not np.isfinite(values).all():
            raise ForecastRefused(
                "FORECAST_FEATURE_MISSING",
                f"{symbol}: the model also reads {feature}, which is not known for every bar.",
            )


def _values(history: History, feature: str) -> NDArray[Any]:
    if feature == "time":
        return history.ts
    values: FloatArray | None = getattr(history, feature)
    return np.empty(0) if values is None else values
