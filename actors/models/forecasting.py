"""From bars of instruments to their forecasts: the same arithmetic for the command line and for the service."""

from collections.abc import Callable, Sequence

import numpy as np

from actors.models.session import ModelSession
from actors.storage.kinds import interval_ns
from trading.errors import ForecastInvalid, ForecastRefused
from trading.forecasting.forecast import Forecast, quantiles_by_level
from trading.forecasting.history import History, inputs_of
from trading.indicators.periods import IntArray
from trading.strategies.signals import FORECAST_DEVIATION, FORECAST_RETURN

WEEK_NS = 7 * interval_ns("1d")


def forecast_histories(
    session: ModelSession,
    histories: Sequence[History],
    horizon: int,
    clock: Callable[[], int],
    *,
    valid_bars: int = 1,
) -> list[Forecast]:
    """Return the forecast of each history, all computed in one run of the model.

    Parameters
    ----------
    horizon : int
        Steps to forecast (bars): from 1 to the horizon of the model.
    clock : callable
        Monotonic time (ns); it measures the latency, which is that of the whole run.
    valid_bars : int
        Bars after which nobody may trade on a forecast any more (>= 1).

    Raises
    ------
    ForecastRefused
        If the model does not reach that far, or a history cannot be forecast (see `history.inputs_of`).
    ForecastInvalid
        If the model answers what cannot be a forecast.
    """
    manifest = session.manifest
    check_horizon(horizon, manifest.horizon, manifest.reference)
    started = clock()
    inputs = inputs_of(histories, manifest.input_size, manifest.features)
    prediction = session.predict(inputs)
    signals = prediction.signals(horizon)
    expected, deviation = signals[FORECAST_RETURN], signals[FORECAST_DEVIATION]
    prices = prediction.prices(inputs["close"][:, -1])[:, :horizon]
    if not (np.isfinite(prices).all() and np.isfinite(expected).all()):
        raise ForecastInvalid(f"Model {manifest.reference} answered what is no price or no spread.")
    latency_ms = (clock() - started) / 1e6
    bar_ns = interval_ns(manifest.bar)
    return [
        Forecast(
            symbol=history.symbol,
            model=manifest.name,
            version=manifest.version,
            provider=session.provider,
            is_fallback=session.is_fallback,
            horizon=horizon,
            as_of=int(history.ts[-1]),
            data_cutoff=manifest.data.last_ts,
            expires_at=close_after(history.ts, valid_bars, bar_ns) + bar_ns // 2,
            last_close=float(history.close[-1]),
            quantiles=quantiles_by_level(prices[row]),
            expected_return=float(expected[row]),
            deviation=float(deviation[row]),
            latency_ms=latency_ms,
        )
        for row, history in enumerate(histories)
    ]


def check_horizon(horizon: int, reach: int, model: str) -> None:
    """Check that a model reaches `horizon` bars ahead.

    Raises
    ------
    ForecastRefused
        Naming the model and how far it reaches.
    """
    if not 1 <= horizon <= reach:
        raise ForecastRefused(
            "FORECAST_HORIZON",
            f"{model} forecasts from 1 to {reach} bars ahead, not {horizon}; "
            "ask for one of those, or train a model for that horizon.",
        )


def close_after(ts: IntArray, count: int, bar_ns: int) -> int:
    """Return when the `count`-th bar after the last one closes (ns UTC), by the same days of earlier weeks.

    A Friday's daily bar is followed by one on Monday, an evening's by one of the next morning: what came after the
    bar of the same time some weeks before says so, without a calendar. Holidays are not foreseen. Of a history
    without that bar, every bar follows the one before at once.
    """
    as_of = int(ts[-1])
    weeks = 1 + 2 * count * bar_ns // WEEK_NS
    then = int(np.searchsorted(ts, as_of - weeks * WEEK_NS - bar_ns // 2))
    if ts[0] > as_of - weeks * WEEK_NS + bar_ns // 2 or then + count >= ts.size:
        return as_of + count * bar_ns
    return as_of + int(ts[then + count] - ts[then])
