"""From bars to forecasts: the numbers are the model's, a forecast expires with the next bar, and refusals say why."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx.parser
import pytest

from actors.models.forecasting import forecast_histories
from actors.models.manifest import ModelManifest, TrainingData
from actors.models.session import ModelSession
from trading.errors import ForecastInvalid, ForecastRefused
from trading.forecasting.forecast import interval
from trading.forecasting.history import History
from trading.forecasting.prediction import COVERAGES, LEVELS

INPUT_SIZE, HORIZON = 10, 3
Z = (-2.6, -2.0, -1.3, -0.7, 0.0, 0.7, 1.3, 2.0, 2.6)
DAY_NS = 86_400_000_000_000


def a_session(unit: float = 0.01, **changes: Any) -> ModelSession:
    """The same quantiles for every window: unit * z, wider with the root of the step."""
    table = np.sqrt(np.arange(1, HORIZON + 1))[:, None] * unit * np.array(Z)
    numbers = ", ".join(repr(float(each)) for each in table.ravel())
    graph = onnx.parser.parse_model(f"""
    <ir_version: 10, opset_import: ["" : 18]>
    same (double[window, {INPUT_SIZE}] close) => (float[window, {HORIZON}, 9] log_returns, float[window] scale)
    <int64[1] last = {{-1}}, int64[3] wide = {{-1, 1, 1}}, double[1] zero = {{0}}, float[1] one = {{1}},
     float[1, {HORIZON}, 9] table = {{{numbers}}}>
    {{
        blank = Mul(close, zero)
        sums = ReduceSum<keepdims = 0>(blank, last)
        nothing = Cast<to = 1>(sums)
        scale = Add(nothing, one)
        column = Reshape(scale, wide)
        log_returns = Mul(column, table)
    }}""").SerializeToString()
    facts: dict[str, Any] = {
        "name": "same",
        "version": 3,
        "kind": "linear",
        "horizon": HORIZON,
        "input_size": INPUT_SIZE,
        "data": TrainingData(source="", digest="", symbols=("A",), first_ts=1, last_ts=77),
        "code": "",
        "parameters": {},
        "metrics": {"crps": 0.5},
        "baselines": {},
        "beats_naive": True,
        "files": (),
        "created_at": 3,
    }
    return ModelSession(ModelManifest(**{**facts, **changes}), graph, ("cpu",))


def a_history(symbol: str = "A", count: int = 40, last: float = 100.0) -> History:
    close = last * np.exp(0.01 * np.sin(np.arange(count) - (count - 1)))
    return History(symbol, weekdays(count), close)


def weekdays(count: int) -> np.ndarray:
    """Closes at 21:00 UTC of as many working days, the last one a Friday."""
    days = np.busday_offset("2020-03-06", np.arange(count) - count + 1)
    return (days.astype("datetime64[ns]") + np.timedelta64(21, "h")).astype(np.int64)


def a_clock(step_ns: int = 2_500_000) -> Callable[[], int]:
    ticks = iter(range(0, 100 * step_ns, step_ns))
    return lambda: next(ticks)


def test_forecast_holds_what_the_model_says_and_where_it_came_from() -> None:
    histories = [a_history("A"), a_history("B", last=50.0)]
    one, two = forecast_histories(a_session(), histories, 2, a_clock())
    assert (one.symbol, two.symbol, one.model, one.version) == ("A", "B", "same", 3)
    assert (one.provider, one.is_fallback, one.latency_ms) == ("cpu", False, 2.5)
    assert (one.horizon, one.data_cutoff, one.as_of) == (2, 77, int(histories[0].ts[-1]))
    for forecast, last in ((one, 100.0), (two, 50.0)):
        assert forecast.last_close == pytest.approx(last)
        for level, z in zip(LEVELS, Z, strict=True):
            wanted = [last * np.exp(0.01 * z * np.sqrt(step)) for step in (1, 2)]
            assert forecast.quantiles[str(level)] == pytest.approx(wanted, rel=1e-6)
    sigma = 0.01 * np.sqrt(2) * 1.3 / 1.2815515655446004
    assert one.expected_return == pytest.approx(np.expm1(sigma**2 / 2), rel=1e-5)
    assert one.deviation == pytest.approx(
        np.exp(sigma**2 / 2) * np.sqrt(np.expm1(sigma**2)), rel=1e-5
    )
    for coverage in COVERAGES:
        low, high = interval(one, coverage)
        assert len(low) == len(high) == 2
        assert low[0] < high[0]


def test_horizon_beyond_the_model_is_refused_by_name() -> None:
    for horizon in (0, -1, HORIZON + 1):
        with pytest.raises(ForecastRefused, match="same@3 forecasts from 1 to 3 bars") as caught:
            forecast_histories(a_session(), [a_history()], horizon, a_clock())
        assert caught.value.code == "FORECAST_HORIZON"


def test_short_history_is_refused() -> None:
    with pytest.raises(ForecastRefused) as caught:
        forecast_histories(a_session(), [a_history(count=9)], 1, a_clock())
    assert caught.value.code == "FORECAST_HISTORY_SHORT"


@pytest.mark.parametrize("unit", [0.0, 400.0])
def test_spread_of_nothing_or_without_bound_is_no_forecast(unit: float) -> None:
    with pytest.raises(ForecastInvalid, match="same@3"):
        forecast_histories(a_session(unit=unit), [a_history()], HORIZON, a_clock())


@pytest.mark.parametrize(("bars_back", "days"), [(0, 3), (1, 1), (4, 1)])
def test_forecast_of_a_friday_may_be_used_until_monday(bars_back: int, days: int) -> None:
    whole = a_history()
    stop = whole.ts.size - bars_back
    history = History("A", whole.ts[:stop], whole.close[:stop])
    (found,) = forecast_histories(a_session(), [history], 1, a_clock())
    assert found.expires_at == int(history.ts[-1]) + days * DAY_NS + DAY_NS // 2


def test_expiry_is_told_by_the_bars_that_the_model_reads() -> None:
    """A longer break before them is no reason to believe an old forecast."""
    history = a_history()
    ts = history.ts.copy()
    ts[: -INPUT_SIZE - 1] -= 28 * DAY_NS
    broken = History("A", ts, history.close)
    one, two = forecast_histories(a_session(), [history, broken], 1, a_clock(), valid_bars=2)
    assert one.expires_at == two.expires_at == int(ts[-1]) + 4 * DAY_NS + DAY_NS // 2
