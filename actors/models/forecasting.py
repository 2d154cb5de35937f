"""From bars of instruments to their forecasts: the same arithmetic for the command line and for the service."""

from collections.abc import Callable, Sequence

import numpy as np
from msgspec.structs import replace

from actors.models.manifest import ModelManifest
from actors.models.session import ModelSession
from trading.errors import ForecastInvalid, ForecastRefused
from trading.forecasting.expiry import expiry_after
from trading.forecasting.forecast import Forecast, quantiles_by_level
from trading.forecasting.history import History, inputs_of
from trading.forecasting.prediction import Prediction
from trading.strategies.signals import FORECAST_DEVIATION, FORECAST_RETURN


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
        Bars after which nobody may trade on a forecast any more (from 1, fewer than the model reads).
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
    return [
        Forecast(
            symbol=history.symbol,
            model=manifest.name,
            version=manifest.version,
            provider="",
            horizon=horizon,
            as_of=int(history.ts[-1]),
            data_cutoff=manifest.data.last_ts,
            expires_at=expiry_after(history.ts[-manifest.input_size :], valid_bars),
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
