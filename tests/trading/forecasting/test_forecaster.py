"""The contract of every forecaster: batch over all history and live on the trailing window agree."""

import numpy as np
import pytest

from trading.forecasting.autoregression import Autoregression
from trading.forecasting.drift import Drift
from trading.forecasting.forecaster import Forecaster, with_forecast
from trading.identifiers import InstrumentId
from trading.indicators.rolling import FloatArray
from trading.strategies.signals import FORECAST_DEVIATION, FORECAST_RETURN, SENTIMENT
from trading.strategies.strategy import Bars

FORECASTERS: list[Forecaster] = [
    Autoregression(fit_bars=120),
    Autoregression(horizon=1, order=1, fit_bars=60, ridge=0.0),
    Autoregression(horizon=21, order=8, fit_bars=252),
    Drift(),
    Drift(horizon=1, fit_bars=20),
]
each_forecaster = pytest.mark.parametrize(
    "forecaster", FORECASTERS, ids=lambda each: f"{type(each).__name__}-{each.lookback}"
)


def forecast(forecaster: Forecaster, bars: Bars) -> FloatArray:
    """Both signals, one behind the other: (signal, time, instrument)."""
    signals = forecaster.forecast(bars)
    assert set(signals) == {FORECAST_RETURN, FORECAST_DEVIATION}
    assert all(signal.shape == bars.close.shape for signal in signals.values())
    return np.stack([signals[FORECAST_RETURN], signals[FORECAST_DEVIATION]])


def with_closes(bars: Bars, close: FloatArray) -> Bars:
    return Bars.of_closes(bars.ts, bars.instrument_ids, close)


def assert_live_is_batch(forecaster: Forecaster, bars: Bars) -> None:
    batch, lookback = forecast(forecaster, bars), forecaster.lookback
    assert np.isnan(batch[:, : lookback - 1]).all()
    for row in range(lookback - 1, len(bars)):
        live = forecast(forecaster, bars.rows(row - lookback + 1, row + 1))
        np.testing.assert_array_equal(live[:, -1], batch[:, row], err_msg=f"row {row}")


@each_forecaster
def test_live_equals_batch_to_the_bit_at_every_bar(forecaster: Forecaster, bars: Bars) -> None:
    assert_live_is_batch(forecaster, bars)
    batch = forecast(forecaster, bars)[:, forecaster.lookback - 1 :]
    assert np.isfinite(batch).all()
    assert (batch[1] > 0).all()


@each_forecaster
def test_live_equals_batch_with_gaps_in_the_prices(forecaster: Forecaster, bars: Bars) -> None:
    close = bars.close.copy()
    close[:200, 0] = np.nan  # listed late
    close[420, 2] = np.nan  # one price missing
    holed = with_closes(bars, close)
    batch = forecast(forecaster, holed)
    assert np.isnan(batch[:, 420:422, 2]).all()
    np.testing.assert_array_equal(np.isnan(batch[0]), np.isnan(batch[1]))
    assert_live_is_batch(forecaster, holed)


@each_forecaster
def test_another_future_changes_nothing_before_it(forecaster: Forecaster, bars: Bars) -> None:
    batch = forecast(forecaster, bars)
    for now in (300, 401, 512, 698):
        close = bars.close.copy()
        close[now + 1 :] = close[now + 1 :][::-1] * 3.0
        changed = forecast(forecaster, with_closes(bars, close))
        np.testing.assert_array_equal(changed[:, : now + 1], batch[:, : now + 1])
        truncated = forecast(forecaster, bars.rows(0, now + 1))
        np.testing.assert_array_equal(truncated, batch[:, : now + 1])


@each_forecaster
def test_past_before_the_lookback_changes_nothing(forecaster: Forecaster, bars: Bars) -> None:
    close = bars.close.copy()
    first = len(bars) - forecaster.lookback
    close[:first] *= np.linspace(3.0, 1.5, first)[:, None]
    changed = forecast(forecaster, with_closes(bars, close))
    np.testing.assert_array_equal(changed[:, -1], forecast(forecaster, bars)[:, -1])


@each_forecaster
def test_too_little_history_gives_no_forecast(forecaster: Forecaster, bars: Bars) -> None:
    for count in (0, 1, forecaster.lookback - 1):
        assert np.isnan(forecast(forecaster, bars.rows(0, count))).all()


@each_forecaster
def test_price_that_does_not_move_and_one_that_is_unknown_have_no_forecast(
    forecaster: Forecaster, bars: Bars
) -> None:
    silent = np.column_stack([bars.close, np.full(len(bars), 7.0), np.full(len(bars), np.nan)])
    names = (*bars.instrument_ids, InstrumentId("FLAT.X"), InstrumentId("NONE.X"))
    batch = forecast(forecaster, Bars.of_closes(bars.ts, names, silent))
    assert np.isnan(batch[..., 4:]).all()
    np.testing.assert_array_equal(batch[..., :4], forecast(forecaster, bars))


@each_forecaster
def test_forecast_joins_the_signals_that_are_there(forecaster: Forecaster, bars: Bars) -> None:
    tone = np.zeros(bars.close.shape)
    told = Bars(**{**_fields(bars), "signals": {SENTIMENT: tone}})
    joined = with_forecast(told, forecaster)
    assert set(joined.signals) == {SENTIMENT, FORECAST_RETURN, FORECAST_DEVIATION}
    assert joined.signals[SENTIMENT] is tone
    assert set(told.signals) == {SENTIMENT}
    expected = forecaster.forecast(bars)[FORECAST_RETURN]
    np.testing.assert_array_equal(joined.signals[FORECAST_RETURN], expected)


def _fields(bars: Bars) -> dict[str, object]:
    names = ("ts", "instrument_ids", "close", "open", "high", "low", "volume")
    return {name: getattr(bars, name) for name in names}
