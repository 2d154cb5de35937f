"""What a registry tells who watches a version, and what it keeps of what was seen."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors.models.in_service import expectations_of, put_down
from actors.models.manifest import InputBins
from actors.models.registry import ModelRegistry
from trading.errors import ModelRefused, ModelUnknown
from trading.forecasting.conformal import Calibration
from trading.forecasting.monitoring import MonitorReport

BINS = InputBins(edges=(0.0, 1.0), shares=(0.2, 0.5, 0.3))
ALERT = "The input trend is not distributed as in training."


def a_manifest(trend_model: Callable[..., Any], **changes: Any) -> Any:
    manifest, _ = trend_model("nhits")
    facts = {
        "inputs": {"trend": BINS},
        "metrics": {"pinball_in_deviations": 0.4},
        "calibration": Calibration(windows=1, grid=(1.0,), scores=(((0.0,),),)),
    }
    return msgspec.structs.replace(manifest, **facts | changes)


def a_report(*alerts: str, moments: int = 0, at: int = 0) -> MonitorReport:
    return MonitorReport(
        forecasts=moments,
        moments=moments,
        coverage={},
        input_drift={},
        error_ratio=None,
        alerts=alerts,
        updated_at=at,
    )


@pytest.fixture
def registry(tmp_path: Path, register_trend: Callable[..., Any]) -> ModelRegistry:
    registry = ModelRegistry(str(tmp_path / "models"))
    register_trend(registry)
    return registry


def test_expectations_are_those_of_the_manifest(trend_model: Callable[..., Any]) -> None:
    found = expectations_of(a_manifest(trend_model), 5)
    assert found.model == "nhits@1"
    assert found.inputs == {"trend": (BINS.edges, BINS.shares)}
    assert found.loss == 0.4
    assert found.is_adaptive


def test_loss_over_another_horizon_is_not_compared(trend_model: Callable[..., Any]) -> None:
    assert expectations_of(a_manifest(trend_model), 3).loss is None


def test_intervals_without_calibration_do_not_adapt(
    trend_model: Callable[..., Any],
) -> None:
    bare = a_manifest(trend_model, calibration=None)
    assert not expectations_of(bare, 5).is_adaptive


def test_newest_report_rules(registry: ModelRegistry) -> None:
    for at in (1, 2):
        put_down(registry, "nhits@1", a_report(moments=at, at=at))
    found = registry.report("nhits@1")
    assert found is not None
    assert found.updated_at == 2


def test_alarm_is_lifted_by_who_has_looked_long_enough_only(registry: ModelRegistry) -> None:
    put_down(registry, "nhits@1", a_report(ALERT, moments=3))
    put_down(registry, "nhits@1", a_report(moments=99))
    with pytest.raises(ModelRefused, match="not distributed as in training"):
        registry.promote("nhits@1", "champion", by="t", why="t", at=1)
    put_down(registry, "nhits@1", a_report(moments=100))
    registry.promote("nhits@1", "champion", by="t", why="t", at=1)


def test_report_on_an_unknown_version_is_refused(registry: ModelRegistry) -> None:
    with pytest.raises(ModelUnknown, match="nhits@9"):
        put_down(registry, "nhits@9", a_report())
