"""A session answers what its graph says, calibrated and checked, or says by name why not."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest

from actors.models import providers
from actors.models.manifest import ModelFile, ModelManifest, TrainingData
from actors.models.registry import ModelRegistry
from actors.models.session import ModelSession, load_session
from trading.errors import ForecastInvalid, ForecastRefused, ModelCorrupt
from trading.forecasting.conformal import calibrate
from trading.forecasting.history import History, inputs_of
from trading.forecasting.prediction import LEVELS, Prediction

INPUT_SIZE, HORIZON = 12, 3
Z = (-2.6, -2.0, -1.3, -0.7, 0.0, 0.7, 1.3, 2.0, 2.6)


def a_graph(z: Sequence[float] = Z) -> bytes:
    """Quantiles of a random walk: the scale of the window, times `z`, times the root of the step."""
    table = np.sqrt(np.arange(1, HORIZON + 1))[:, None] * np.array(z)
    numbers = ", ".join(repr(float(each)) for each in table.ravel())
    model = onnx.parser.parse_model(f"""
    <ir_version: 10, opset_import: ["" : 18]>
    walk (double[window, {INPUT_SIZE}] close) => (float[window, {HORIZON}, 9] log_returns, float[window] scale)
    <int64[1] one = {{1}}, int64[1] zero = {{0}}, int64[1] end = {{{INPUT_SIZE}}}, int64[1] last = {{-1}},
     int64[3] wide = {{-1, 1, 1}}, float[1, {HORIZON}, 9] table = {{{numbers}}}>
    {{
        path = Log(close)
        newer = Slice(path, one, end, one)
        older = Slice(path, zero, last, one)
        moves = Sub(newer, older)
        squares = Mul(moves, moves)
        variance = ReduceMean<keepdims = 0>(squares, one)
        deviation = Sqrt(variance)
        scale = Cast<to = 1>(deviation)
        unit = Reshape(scale, wide)
        log_returns = Mul(unit, table)
    }}""")
    onnx.checker.check_model(model)
    return model.SerializeToString()


def a_manifest(**changes: object) -> ModelManifest:
    facts = {
        "name": "walk",
        "version": 1,
        "kind": "linear",
        "horizon": HORIZON,
        "input_size": INPUT_SIZE,
        "data": TrainingData(source="", digest="", symbols=("A",), first_ts=1, last_ts=2),
        "code": "",
        "parameters": {},
        "metrics": {},
        "baselines": {},
        "beats_naive": True,
        "files": (ModelFile(name="model.onnx", sha256="", size_bytes=0),),
        "created_at": 3,
    }
    return ModelManifest(**{**facts, **changes})


def some_closes(windows: int = 5) -> np.ndarray:
    moves = np.random.default_rng(3).normal(0, 0.02, (windows, INPUT_SIZE))
    return 50.0 * np.exp(np.cumsum(moves, axis=1))


def test_quantiles_are_those_of_the_graph() -> None:
    session = ModelSession(a_manifest(), a_graph(), ("cpu",))
    close = some_closes()
    found = session.predict({"close": close})
    scale = np.sqrt(np.mean(np.diff(np.log(close), axis=1) ** 2, axis=1))
    expected = scale[:, None, None] * np.sqrt([[1], [2], [3]]) * np.array(Z)
    np.testing.assert_allclose(found.scale, scale, rtol=1e-6)
    np.testing.assert_allclose(found.log_returns, expected, rtol=1e-6)
    assert (session.provider, session.is_fallback) == ("cpu", False)
    session.warm_up()


def test_wanted_gpu_that_is_not_there_is_flagged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers, "has_gpu", lambda: False)
    session = ModelSession(a_manifest(), a_graph(), ("tensorrt", "cuda", "cpu"))
    assert (session.provider, session.is_fallback) == ("cpu", True)


def test_calibration_of_the_manifest_is_applied() -> None:
    raw = ModelSession(a_manifest(), a_graph(), ("cpu",)).predict({"close": some_closes(400)})
    outcomes = raw.scale[:, None] * np.random.default_rng(4).normal(0, 5.0, (400, HORIZON))
    calibration = calibrate(raw, outcomes)
    session = ModelSession(a_manifest(calibration=calibration), a_graph(), ("cpu",))
    wide = session.predict({"close": some_closes(400)})
    low, high = LEVELS.index(0.1), LEVELS.index(0.9)
    is_inside = (outcomes >= wide.log_returns[..., low]) & (outcomes <= wide.log_returns[..., high])
    assert (is_inside.mean(axis=0) >= 0.79).all()
    assert (is_inside.mean(axis=0) <= 0.83).all()
    np.testing.assert_array_equal(
        session.predict_raw({"close": some_closes(400)}).log_returns, raw.log_returns
    )


def test_answer_that_is_no_number_is_an_error() -> None:
    session = ModelSession(a_manifest(), a_graph(), ("cpu",))
    close = some_closes()
    close[2, 4] = np.nan
    with pytest.raises(ForecastInvalid, match="walk@1 answered a number that is not finite"):
        session.predict({"close": close})


def test_quantiles_that_cross_are_an_error() -> None:
    session = ModelSession(a_manifest(), a_graph(Z[::-1]), ("cpu",))
    with pytest.raises(ForecastInvalid, match="out of order"):
        session.predict({"close": some_closes()})


def test_wrong_shape_is_an_error_of_the_model() -> None:
    session = ModelSession(a_manifest(), a_graph(), ("cpu",))
    with pytest.raises(ForecastInvalid, match="walk@1 failed"):
        session.predict({"close": some_closes()[:, 1:]})


def test_bytes_that_are_no_graph_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ModelCorrupt, match="walk@1 is no graph"):
        ModelSession(a_manifest(), b"not a graph", ("cpu",))
    registry = ModelRegistry(str(tmp_path))
    registry.register(a_manifest(), {"model.onnx": a_graph()})
    assert load_session(registry, "walk@1").manifest.reference == "walk@1"
    (graph,) = (tmp_path / "files").iterdir()
    graph.write_bytes(a_graph()[:-7])
    with pytest.raises(ModelCorrupt, match="checksum differs"):
        load_session(registry, "walk@1")


def a_history(close: np.ndarray, **more: object) -> History:
    return History("KO", np.arange(close.size, dtype=np.int64) * 86_400 * 10**9, close, **more)


def test_window_is_the_newest_bars() -> None:
    close = some_closes(1)[0]
    longer = np.concatenate([[1.0, 2.0], close])
    rows = inputs_of([a_history(longer), a_history(longer * 2)], INPUT_SIZE, ("time",))
    np.testing.assert_array_equal(rows["close"], [close, close * 2])
    assert rows["time"].dtype == np.int64
    assert rows["time"][0, -1] == 13 * 86_400 * 10**9


@pytest.mark.parametrize(
    ("close", "code"),
    [
        (some_closes(1)[0][1:], "FORECAST_HISTORY_SHORT"),
        (np.full(INPUT_SIZE, 7.0), "FORECAST_HISTORY_CONSTANT"),
        (np.append(some_closes(1)[0][1:], np.nan), "FORECAST_HISTORY_INVALID"),
        (np.append(some_closes(1)[0][1:], np.inf), "FORECAST_HISTORY_INVALID"),
        (np.append(some_closes(1)[0][1:], 0.0), "FORECAST_HISTORY_INVALID"),
        (np.append(some_closes(1)[0][1:], -1.0), "FORECAST_HISTORY_INVALID"),
    ],
)
def test_unusable_history_is_refused_with_its_code(close: np.ndarray, code: str) -> None:
    with pytest.raises(ForecastRefused, match="KO") as refusal:
        inputs_of([a_history(close)], INPUT_SIZE)
    assert refusal.value.code == code


def test_missing_feature_and_falling_time_are_refused() -> None:
    close = some_closes(1)[0]
    with pytest.raises(ForecastRefused, match="also reads volume"):
        inputs_of([a_history(close)], INPUT_SIZE, ("volume",))
    with pytest.raises(ForecastRefused, match="also reads sentiment"):
        inputs_of(
            [a_history(close, sentiment=np.full(INPUT_SIZE, np.nan))], INPUT_SIZE, ("sentiment",)
        )
    backwards = History("KO", np.arange(INPUT_SIZE, dtype=np.int64)[::-1], close)
    with pytest.raises(ForecastRefused, match="do not rise in time"):
        inputs_of([backwards], INPUT_SIZE)


def test_signals_of_a_step_are_those_of_its_quantiles() -> None:
    steps = np.sort(np.random.default_rng(1).normal(0, 0.05, (2, HORIZON, 9)), axis=2)
    signals = Prediction(steps, np.ones(2)).signals(2)
    median = steps[:, 1, 4]
    width = (steps[:, 1, 6] - steps[:, 1, 2]) / (2 * 1.2815515655446004)
    mean = np.exp(median + width**2 / 2)
    np.testing.assert_allclose(signals["forecast_return"], mean - 1)
    np.testing.assert_allclose(signals["forecast_deviation"], mean * np.sqrt(np.exp(width**2) - 1))
