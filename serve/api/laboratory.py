"""Long work of the laboratory: each request becomes a job, which is one documented `trader` command."""

from fastapi import APIRouter

from serve.api.permitted import Asker, ModelAdmin
from serve.api.starting import BEGUN, Starter
from serve.desk.job_requests import (
    BacktestRequest,
    CheckDataRequest,
    CheckRequest,
    CompareModelsRequest,
    ForecastRequest,
    RiskReportRequest,
    RiskStressRequest,
    SweepRequest,
    TrainRequest,
    TuneRequest,
    VerifyModelsRequest,
)
from serve.desk.jobs import Job

router = APIRouter(tags=["laboratory"])


@router.post("/backtests", summary="Run a strategy over history, with costs", **BEGUN)
def start_backtest(by: Asker, start: Starter, asked: BacktestRequest) -> Job:
    return start(asked, by)


@router.post("/tunings", summary="Search parameters, judged by walking forward", **BEGUN)
def start_tuning(by: Asker, start: Starter, asked: TuneRequest) -> Job:
    return start(asked, by)


@router.post("/sweeps", summary="Backtest every point of a grid", **BEGUN)
def start_sweep(by: Asker, start: Starter, asked: SweepRequest) -> Job:
    return start(asked, by)


@router.post("/checks", summary="Does a strategy look into the future?", **BEGUN)
def start_check(by: Asker, start: Starter, asked: CheckRequest) -> Job:
    return start(asked, by)


@router.post("/forecasts", summary="Forecast many symbols, or by several models", **BEGUN)
def start_forecasts(by: Asker, start: Starter, asked: ForecastRequest) -> Job:
    """For one symbol, and at once: `POST /v1/forecast`."""
    return start(asked, by)


@router.post("/trainings", summary="Train a model and register it as a new version", **BEGUN)
def start_training(by: ModelAdmin, start: Starter, asked: TrainRequest) -> Job:
    return start(asked, by)


@router.post("/models/comparisons", summary="Which version is better?", tags=["models"], **BEGUN)
def start_model_comparison(by: Asker, start: Starter, asked: CompareModelsRequest) -> Job:
    return start(asked, by)


@router.post("/models/verifications", summary="Are the files whole?", tags=["models"], **BEGUN)
def start_model_verification(by: Asker, start: Starter, asked: VerifyModelsRequest) -> Job:
    return start(asked, by)


@router.post("/data/checks", summary="Gaps, repeats and jumps of a data set", **BEGUN)
def start_data_check(by: Asker, start: Starter, asked: CheckDataRequest) -> Job:
    return start(asked, by)


@router.post("/risk/reports", summary="Value at risk, drivers, stress", tags=["risk"], **BEGUN)
def start_risk_report(by: Asker, start: Starter, asked: RiskReportRequest) -> Job:
    return start(asked, by)


@router.post("/risk/stress", summary="What would a crisis cost?", tags=["risk"], **BEGUN)
def start_stress_test(by: Asker, start: Starter, asked: RiskStressRequest) -> Job:
    return start(asked, by)
