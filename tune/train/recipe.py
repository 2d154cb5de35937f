"""How one model of a walk-forward backtest is trained: on all bars that it is given, without a test of its own."""

import time
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import msgspec

from actors.models.manifest import ONNX, ModelFile, ModelManifest
from trading.strategies.strategy import Bars
from tune.manifest import PACKAGE
from tune.train.pipeline import train, training_data
from tune.train.plan import TrainingPlan, plan_of
from tune.train.walk_forward import Recipe


def recipe_of(kind: str, **settings: Any) -> Recipe:
    """Return how a kind of network is trained; the backtest itself is the test.

    Parameters
    ----------
    settings
        Of `tune.train.plan.TrainingPlan`, in place of the defaults of the kind.

    Raises
    ------
    UsageError
        If there is no such kind or setting.
    """
    plan = plan_of(kind, **{"test_share": 0.0, **settings})
    made_with = {"package": version(PACKAGE), "torch": version("torch")}
    return Recipe(
        plan={**msgspec.to_builtins(plan), "made_with": made_with},
        horizon=plan.horizon,
        input_size=plan.input_size,
        train=lambda bars: _trained(plan, bars),
    )


def _trained(plan: TrainingPlan, bars: Bars) -> tuple[ModelManifest, Mapping[str, bytes]]:
    trained = train(bars, plan)
    manifest = ModelManifest(
        name=plan.model_name,
        version=1,
        kind=plan.kind,
        horizon=plan.horizon,
        input_size=plan.input_size,
        features=plan.input_features,
        bar=plan.bar,
        data=training_data(bars, "walk-forward", trained.last_ts),
        code=version(PACKAGE),
        parameters=msgspec.to_builtins(plan),
        metrics={},
        baselines={},
        beats_naive=False,
        calibration=trained.calibration,
        files=(ModelFile(name=ONNX, sha256="", size_bytes=0, max_error=trained.max_error),),
        created_at=time.time_ns(),
    )
    return manifest, {ONNX: trained.graph}
