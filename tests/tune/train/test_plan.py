"""A plan says what is wrong with it."""

import msgspec
import pytest

from trading.errors import UsageError
from tune.train.kinds import KINDS
from tune.train.plan import TrainingPlan, plan_of, recorded_plan


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_plan_that_survives_its_record(kind: str) -> None:
    plan = plan_of(kind)
    record = {**msgspec.json.decode(msgspec.json.encode(plan)), "steps_kept": 3}
    assert msgspec.convert(recorded_plan(record), TrainingPlan) == plan
    assert plan.model_name == kind


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"horizon": 0}, "horizon"),
        ({"input_size": 4}, "input_size"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"loss": "absolute"}, "loss"),
        ({"stepps": 3}, "stepps"),
        ({"network": {"depth": 3}}, "'depth'"),
        ({"features": ("weather",)}, "'weather'"),
        ({"features": ("time", "time")}, "twice"),
        ({"test_share": 0.5, "calibration_share": 0.4}, "0.9"),
    ],
)
def test_wrong_setting_is_refused_by_name(settings: dict, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        plan_of("nhits", **settings)


def test_unknown_kind_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"'arima'.*nhits"):
        plan_of("arima")


@pytest.mark.parametrize("kind", ["patchtst", "transformer", "linear"])
def test_kind_that_reads_closes_alone_refuses_features(kind: str) -> None:
    with pytest.raises(UsageError, match=f"{kind} reads closes alone, not volume"):
        plan_of(kind, features=("volume",))


def test_volatility_is_no_input_of_the_graph() -> None:
    plan = plan_of("nhits", features=("volatility", "time", "volume"))
    assert plan.inputs == ("close", "volume", "time")
