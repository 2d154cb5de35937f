"""From bars of instruments to their forecasts: the same arithmetic for the command line and for the service."""

from collections.abc import Callable, Sequence

import numpy as np
from msgspec.structs import replace

from actors.models.manifest import ModelManifest
from actors.models.session import ModelSession
from actors.storage.kinds import interval_ns
from trading.errors import ForecastInvalid, ForecastRefused
from trading.forecasting.aggregation import Method, aggregate
from trading.forecasting.forecast import Forecast, quantiles_by_level
from trading.forecasting.history import History, inputs_of
from trading.forecasting.prediction import Prediction
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
    miscoverage: Sequence[float] | None = None,
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
    miscoverage : sequence of float or None
        What the intervals shall leave out, see `ModelSession.predict`.

    Raises
    ------
    ForecastRefused
        If the model does not reach that far, or a history cannot be forecast (see `history.inputs_of`).
    ForecastInvalid
        If the model answers what cannot be a forecast.
    """
    manifest = session.manifest
    started = clock()
    prediction = _predict(session, histories, horizon, miscoverage)
    found = _forecasts(prediction, histories, horizon, manifest, valid_bars)
    latency_ms = (clock() - started) / 1e6
    return [
        replace(
            each,
            provider=session.provider,
            is_fallback=session.is_fallback,
            latency_ms=latency_ms,
        )
        for each in found
    ]


def forecast_together(
    sessions: Sequence[ModelSession],
    histories: Sequence[History],
    horizon: int,
    clock: Callable[[], int],
    method: Method,
    *,
    valid_bars: int = 1,
) -> list[Forecast]:
    """Return what several models say together of each history; version 0 of a model that is named after them.

    "weighted" weighs a model by the CRPS of its evaluation. Other parameters are those of `forecast_histories`.

    Raises
    ------
    ForecastRefused, ForecastInvalid
        As `forecast_histories`, naming the model.
    UsageError
        If there is no such method, or a model was not evaluated and the method needs it.
    """
    started = clock()
    manifests = [session.manifest for session in sessions]
    members = {
        session.manifest.reference: _predict(session, histories, horizon) for session in sessions
    }
    losses = {m.reference: m.metrics["crps"] for m in manifests if "crps" in m.metrics}
    together = aggregate(method, members, losses=losses)
    found = _forecasts(together, histories, horizon, manifests[0], valid_bars)
    latency_ms = (clock() - started) / 1e6
    return [
        replace(
            each,
            model=f"{method}({', '.join(members)})",
            version=0,
            provider=", ".join(dict.fromkeys(session.provider for session in sessions)),
            is_fallback=any(session.is_fallback for session in sessions),
            data_cutoff=max(manifest.data.last_ts for manifest in manifests),
            latency_ms=latency_ms,
        )
        for each in found
    ]


def _predict(
    session: ModelSession,
    histories: Sequence[History],
    horizon: int,
    miscoverage: Sequence[float] | None = None,
) -> Prediction:
    manifest = session.manifest
    check_horizon(horizon, manifest.horizon, manifest.reference)
    inputs = inputs_of(histories, manifest.input_size, manifest.features)
    prediction = session.predict(inputs, miscoverage)
    return Prediction(prediction.log_returns[:, :horizon], prediction.scale)


def _forecasts(
    prediction: Prediction,
    histories: Sequence[History],
    horizon: int,
    manifest: ModelManifest,
    valid_bars: int,
) -> list[Forecast]:
    """Return the forecasts but for who computed them and how long it took."""
    signals = prediction.signals(horizon)
    expected, deviation = signals[FORECAST_RETURN], signals[FORECAST_DEVIATION]
    with np.errstate(over="ignore"):
        prices = prediction.prices(np.array([history.close[-1] for history in histories]))
    if not (np.isfinite(prices).all() and np.isfinite(expected).all()):
        raise ForecastInvalid(f"Model {manifest.reference} answered what is no price or no spread.")
    bar_ns = interval_ns(manifest.bar)
    return [
        Forecast(
            symbol=history.symbol,
            model=manifest.name,
            version=manifest.version,
            provider="",
            horizon=horizon,
            as_of=int(history.ts[-1]),
            data_cutoff=manifest.data.last_ts,
            expires_at=close_after(history.ts, valid_bars, bar_ns) + bar_ns // 2,
            last_close=float(history.close[-1]),
            quantiles=quantiles_by_level(prices[row]),
            expected_return=float(expected[row]),
            deviation=float(deviation[row]),
            latency_ms=0.0,
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
