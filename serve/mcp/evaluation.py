"""How well a registered model forecasts bars that came after its training, in the replica that answers."""

from dataclasses import dataclass

import numpy as np
from pydantic import Field

from actors.models.manifest import ModelManifest
from actors.models.session import load_session
from serve.desk.analysis.prices import PriceData, prices_of
from serve.desk.answers import Provenance, Source, moment
from serve.desk.front_desk import FrontDesk
from serve.mcp.device import Processing
from serve.mcp.refusal import nearest
from trading.errors import DataError, UsageError
from trading.forecasting.prediction import Prediction
from trading.forecasting.scores import naive_errors, score
from trading.indicators.rolling import FloatArray
from tune.train.evaluation import predict_all
from tune.train.windows import Windows, windows_of

ALL_BARS = 10**9
WINDOWS_MAX = 20_000
"""The newest windows: about a second of a small model on the CPU."""


class ModelEvaluation(Provenance):
    """Scores of log returns (mape: of prices), beside a forecast of no change."""

    model_id: str
    windows: int
    left_out: int = Field(description="Older windows that the bound left out.")
    horizon: int
    results: dict[str, float]
    no_change: dict[str, float] = Field(description="The same metrics of a forecast of no change.")
    data: PriceData
    processing: Processing


@dataclass(frozen=True, slots=True, eq=False)
class _Ground:
    """What a model is judged on: windows that come true after its training."""

    windows: Windows
    left_out: int
    data: PriceData


def evaluated(
    desk: FrontDesk, model_id: str, metrics: list[str], symbols: list[str] | None, use_gpu: bool
) -> ModelEvaluation:
    """Judge a model on the windows of the desk's prices that come true after its training.

    Raises
    ------
    ModelUnknown
        If there is no such version.
    UsageError
        If there is no such metric.
    DataError
        If no window lies after its training.
    """
    settings = desk.forecasts.settings
    session = load_session(
        desk.forecasts.registry,
        model_id,
        settings.providers,
        precision=settings.precision,
        threads=settings.threads,
    )
    ground = _ground(desk, session.manifest, symbols)
    known = _scores(predict_all(session.predict, ground.windows.inputs), ground.windows)
    wanted = metrics or list(known)
    for name in wanted:
        if name not in known:
            raise UsageError(f"There is no metric {name!r}; {nearest(name, known)}")
    outcomes = ground.windows.outcomes
    flat = _errors(np.zeros_like(outcomes), outcomes)
    return ModelEvaluation(
        source=Source.COMPUTED,
        as_of=moment(int(ground.windows.ts[-1])),
        model_id=session.manifest.reference,
        windows=len(ground.windows),
        left_out=ground.left_out,
        horizon=session.manifest.horizon,
        results={name: known[name] for name in wanted},
        no_change={name: flat[name] for name in wanted if name in flat},
        data=ground.data,
        processing=_processing(session.provider, use_gpu),
    )


def _ground(desk: FrontDesk, manifest: ModelManifest, symbols: list[str] | None) -> _Ground:
    prices = prices_of(desk)
    columns = prices.columns(symbols or prices.symbols)
    windows = windows_of(
        prices.bars(columns, ALL_BARS),
        manifest.input_size,
        manifest.horizon,
        manifest.features,
        start_ts=manifest.data.last_ts + 1,
    )
    if not len(windows):
        raise DataError(
            f"{desk.source} has no window after the training of {manifest.reference}, which ends at "
            f"{moment(manifest.data.last_ts).date()}; give newer data."
        )
    left_out = max(0, len(windows) - WINDOWS_MAX)
    newest = windows.take(slice(left_out, None))
    return _Ground(newest, left_out, prices.data(columns, np.unique(newest.ts)))


def _processing(provider: str, use_gpu: bool) -> Processing:
    on_gpu = provider != "cpu"
    why = "The service is configured for it (models.providers)."
    if use_gpu and not on_gpu:
        why = "The service is configured for the CPU (models.providers), or has no GPU it can use."
    return Processing(device=provider, gpu_used=on_gpu, why=why)


def _scores(prediction: Prediction, windows: Windows) -> dict[str, float]:
    return {
        **_errors(prediction.median, windows.outcomes),
        **score(prediction, windows.outcomes, naive_errors(windows.inputs["close"])),
    }


def _errors(forecast: FloatArray, outcomes: FloatArray) -> dict[str, float]:
    """Return the usual errors of a point forecast of log returns."""
    error = forecast - outcomes
    spread = float(((outcomes - outcomes.mean()) ** 2).sum())
    return {
        "mae": float(np.abs(error).mean()),
        "mse": float((error**2).mean()),
        "rmse": float(np.sqrt((error**2).mean())),
        "mape": float(np.abs(np.expm1(error)).mean()),
        "r2_score": 1.0 - float((error**2).sum()) / spread if spread else 0.0,
    }
