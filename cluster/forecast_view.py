"""A forecast together with the bars before it and, where they are known, those after it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trading.errors import UsageError
from trading.forecasting.forecast import Forecast, interval
from trading.forecasting.history import History
from trading.forecasting.prediction import COVERAGES
from trading.identifiers import symbol_of
from trading.indicators.periods import IntArray
from trading.indicators.rolling import FloatArray
from trading.strategies.strategy import Bars


@dataclass(frozen=True, slots=True, eq=False)
class ForecastView:
    """What the tables and the charts of a forecast show.

    Attributes
    ----------
    history : History
        Until the last bar that the forecast is made of.
    later_ts, later_close : (step,)
        What then happened (ns UTC; price), as far as it is known.
    """

    forecast: Forecast
    history: History
    later_ts: IntArray
    later_close: FloatArray

    @property
    def title(self) -> str:
        """Symbol and model."""
        return f"{self.forecast.symbol} by {reference_of(self.forecast)}"


def reference_of(forecast: Forecast) -> str:
    """Return `name@version`, or the name alone of what has no version."""
    return f"{forecast.model}@{forecast.version}" if forecast.version else forecast.model


def histories_of(bars: Bars, as_of_ts: int | None = None) -> list[tuple[History, History]]:
    """Return of each instrument the bars until a moment and those after it; missing bars are left out.

    Parameters
    ----------
    as_of_ts : int or None
        Close of the last bar that a forecast may see (ns UTC, included); None is all bars.

    Raises
    ------
    UsageError
        If an instrument has no bar until then.
    """
    found = []
    for column, name in enumerate(bars.instrument_ids):
        symbol = symbol_of(name)
        ts, whole = _known(bars, column, symbol)
        stop = ts.size if as_of_ts is None else int(np.searchsorted(ts, as_of_ts, side="right"))
        if not stop:
            raise UsageError(f"{symbol} has no bar until then; its first one is later.")
        found.append((_rows(whole, slice(stop)), _rows(whole, slice(stop, None))))
    return found


def narrowest_interval(view: ForecastView, step: int) -> str:
    """Return the narrowest interval that holds what happened at a step (from 0), such as "50 %"; "none" if none does."""
    happened = view.later_close[step]
    for coverage in COVERAGES:
        low, high = interval(view.forecast, coverage)
        if low[step] <= happened <= high[step]:
            return f"{coverage:.0%}"
    return "none"


def warnings_of(
    views: Sequence[ForecastView], now_ns: int, *, is_newest: bool, tells_fallback: bool = True
) -> list[str]:
    """Return what a person has to know before believing these forecasts, a sentence each.

    Parameters
    ----------
    now_ns : int
        The time of this machine (ns UTC).
    is_newest : bool
        The newest bars were asked for, so that old ones are a surprise.
    tells_fallback : bool
        Somebody asked for a GPU, and misses it.
    """
    found = []
    for view in views:
        forecast = view.forecast
        if forecast.as_of <= forecast.data_cutoff:
            found.append(
                f"{reference_of(forecast)} was trained on bars until {_day(forecast.data_cutoff)}: it has seen "
                f"those of {forecast.symbol} until {_day(forecast.as_of)}, so this shows nothing of its skill."
            )
        weeks = (now_ns - forecast.as_of) // WEEK_NS
        if is_newest and weeks >= 1:
            found.append(
                f"The last bar of {forecast.symbol} is of {_day(forecast.as_of)}, {weeks:,} weeks old."
            )
        if forecast.is_fallback and tells_fallback:
            found.append(
                f"{reference_of(forecast)} ran on the {forecast.provider.upper()}: what `models.providers` wants first "
                "is not on this machine."
            )
    return list(dict.fromkeys(found))


WEEK_NS = 7 * 86_400_000_000_000


def _known(bars: Bars, column: int, symbol: str) -> tuple[IntArray, History]:
    rows = np.flatnonzero(np.isfinite(bars.close[:, column]))
    volume = bars.volume[rows, column]
    tone = bars.signals.get("sentiment")
    history = History(
        symbol,
        bars.ts[rows],
        bars.close[rows, column],
        volume if (volume > 0).any() else None,
        None if tone is None else tone[rows, column],
    )
    return history.ts, history


def _rows(history: History, rows: slice) -> History:
    return History(
        history.symbol,
        history.ts[rows],
        history.close[rows],
        None if history.volume is None else history.volume[rows],
        None if history.sentiment is None else history.sentiment[rows],
    )


def _day(ts: int) -> str:
    return str(np.datetime64(ts, "ns").astype("datetime64[D]"))
