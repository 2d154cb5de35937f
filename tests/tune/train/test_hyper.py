"""Searches without Ray: spaces, what trials are judged on, one trial, what is made of a search."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.models.registry import ModelRegistry
from trading.errors import ClusterUnreachable, ConfigError, DataError, UsageError
from trading.forecasting.scores import crps
from trading.identifiers import InstrumentId
from trading.strategies.search_space import Choice, Span
from trading.strategies.strategy import Bars
from tune.ledger import Ending, Measured
from tune.space import random_point, to_record
from tune.store import Store
from tune.train import hyper
from tune.train.card import card_of
from tune.train.export import network_predictor
from tune.train.fit import fit
from tune.train.hyper import SCHEMA, HyperOutcome, HyperPlan, search_plan, train_found
from tune.train.hyper_space import LIVE, SPACES, plan_at, require_space, space_for
from tune.train.hyper_trial import ground_of, looks_of, run_trial
from tune.train.kinds import KINDS
from tune.train.network import ScaledNetwork
from tune.train.plan import TrainingPlan, plan_of
from tune.train.splits import spans_of
from tune.train.windows import windows_of
from tune.trial import ENDING, FOLDS, MEASURED, NUMBER, PARAMS, REASON, SCORE

DAY = 86_400_000_000_000
SIZES = {"input_size": Choice((8, 24, 16))}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng():
        yield
    torch.set_num_threads(before)


def bars_of(count: int = 240) -> Bars:
    moves = np.random.default_rng(3).normal(0.0, 0.01, (count, 3))
    names = tuple(InstrumentId(f"{name}.X") for name in "ABC")
    return Bars.of_closes(np.arange(count) * DAY, names, 100.0 * np.exp(np.cumsum(moves, axis=0)))


def base_with(kind: str = "linear", **changes: Any) -> TrainingPlan:
    facts = {"horizon": 2, "input_size": 16, "max_steps": 35, "check_every": 10, "batch_size": 32}
    return plan_of(kind, **{**facts, "warmup_steps": 0, **changes})


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(sorted(KINDS)), st.integers(0, 2**32 - 1))
def test_every_point_of_every_space_is_a_plan(kind: str, seed: int) -> None:
    base = plan_of(kind, seed=7)
    point = random_point(SPACES[kind], np.random.default_rng(seed))
    plan = plan_at(base, point)
    assert plan.learning_rate == point["learning_rate"]
    assert plan.input_size == point["input_size"]
    assert (plan.kind, plan.seed, plan.max_steps) == (kind, 7, base.max_steps)
    for name, value in point.items():
        if name.startswith("network."):
            assert plan.network[name[8:]] == msgspec.json.decode(msgspec.json.encode(value))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_largest_network_of_every_space_can_be_built(kind: str) -> None:
    ends = {
        name: where.values[-1] if isinstance(where, Choice) else where.high
        for name, where in SPACES[kind].items()
    }
    plan = plan_at(plan_of(kind), ends)
    close = torch.exp(torch.randn(2, plan.input_size, dtype=torch.float64))
    outputs, _ = ScaledNetwork(plan)(close)
    assert outputs.shape[:2] == (2, plan.horizon)


def test_what_cannot_be_searched_is_said() -> None:
    base = base_with("nhits")
    require_space(base, space_for(base))
    for name in ("horizon", "seed", "test_share", "features", "kind", "network.layers", "speed"):
        with pytest.raises(UsageError, match=f"'{name}' cannot be searched for nhits"):
            require_space(base, {name: Choice((1, 2))})
    with pytest.raises(UsageError, match="nothing"):
        require_space(base, {})
    with pytest.raises(UsageError, match="'input_size' cannot change while"):
        require_space(base, SIZES, is_live=True)
    assert set(space_for(base, is_live=True)) == set(LIVE) & set(SPACES["nhits"])
    with pytest.raises(ConfigError, match="input_size"):
        plan_at(base, {"input_size": 3})


@settings(deadline=None, max_examples=40)
@given(
    sizes=st.lists(st.integers(8, 60), min_size=1, max_size=3, unique=True),
    validation=st.floats(0.1, 0.3),
    calibration=st.floats(0.1, 0.2),
    test=st.floats(0.1, 0.3),
)
def test_no_trial_sees_what_its_plan_is_calibrated_or_tested_on(
    sizes: list[int], validation: float, calibration: float, test: float
) -> None:
    base = base_with(validation_share=validation, calibration_share=calibration, test_share=test)
    bars = bars_of()
    space = {"input_size": Choice(tuple(sizes))}
    ground = ground_of(base, space, bars)
    assert ground.bars.ts[-1] == ground.validation.last_ts
    assert ground.train_end_ts < ground.validation.first_ts
    for size in sizes:
        spans = spans_of(bars.ts, msgspec.structs.replace(base, input_size=size))
        assert ground.bars.ts[-1] < spans["calibration"].first_ts < spans["test"].first_ts


def test_every_input_size_is_judged_on_the_same_moments_and_instruments() -> None:
    bars = bars_of()
    close = bars.close.copy()
    first = int(ground_of(base_with(), SIZES, bars).validation.first_ts // DAY)
    close[: first - 12, 1] = np.nan  # young: too short for the largest windows at first
    bars = replace(bars, close=close, open=close, high=close, low=close)
    ground = ground_of(base_with(), SIZES, bars)
    judged = []
    for size in (8, 16, 24):
        windows = ground.validation_windows(base_with(input_size=size))
        assert windows.inputs["close"].shape[1] == size
        judged.append(set(zip(windows.ts.tolist(), windows.instrument.tolist(), strict=True)))
    assert judged[0] == judged[1] == judged[2]
    assert {instrument for _, instrument in judged[0]} == {0, 1, 2}
    span = {"start_ts": ground.validation.first_ts, "end_ts": ground.validation.last_ts}
    assert len(windows_of(bars, 8, 2, stride=2, **span)) > len(judged[0])


def test_when_the_largest_windows_leave_no_room_it_is_said() -> None:
    with pytest.raises(DataError, match="bars leave"):
        ground_of(base_with(), {"input_size": Span(16, 230)}, bars_of())


def heard_of(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    heard: list[dict[str, Any]] = []
    monkeypatch.setattr("ray.tune.report", heard.append)
    return heard


@pytest.mark.parametrize("patience", [5, 1])
def test_a_trial_reports_the_score_of_the_weights_that_a_training_keeps(
    monkeypatch: pytest.MonkeyPatch, patience: int
) -> None:
    rate = 1e-3 if patience == 5 else 1.0  # the second one gets worse, and ends early
    base = base_with(patience=patience, schedule="constant", clip=1000.0)
    ground = ground_of(base, SIZES, bars_of())
    heard = heard_of(monkeypatch)
    params = {"learning_rate": rate, "input_size": 24}
    run_trial({NUMBER: 3, PARAMS: params}, ground=ground, has_gpu=False, threads=1)
    assert [each[FOLDS] for each in heard] == [1, 2, 3, 4]
    assert looks_of(base) == 4

    plan = plan_at(base, params)
    validation = ground.validation_windows(plan)
    fitted = fit(plan, ground.train_windows(plan), validation, device="cpu")
    prediction = network_predictor(fitted.network)(validation.inputs)
    expected = float(crps(prediction, validation.outcomes).mean())
    assert heard[-1][SCORE] == pytest.approx(-expected, rel=1e-9)
    assert (len(fitted.looks) < 5) == (patience == 1)
    last = msgspec.msgpack.decode(heard[-1][MEASURED], type=Measured)
    assert (last.number, last.fold, last.train["crps"]) == (3, 4, -heard[-1][SCORE])


def test_a_trial_whose_network_cannot_be_built_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    ground = ground_of(base_with("patchtst"), {"network.n_heads": Choice((4, 5))}, bars_of())
    heard = heard_of(monkeypatch)
    odd = {"network.n_heads": 0}
    run_trial({NUMBER: 0, PARAMS: odd}, ground=ground, has_gpu=False, threads=1)
    assert [each[ENDING] for each in heard] == ["failed"]
    assert "Error" in heard[0][REASON]


def test_a_search_needs_ray_and_two_trials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    with pytest.raises(ValueError, match="at least 2 trials"):
        HyperPlan(base=base_with(), trials=1)
    plan = HyperPlan(base=base_with(), trials=2)
    with pytest.raises(ClusterUnreachable, match="connect to a cluster"):
        search_plan(plan, bars_of(300), store=Store(tmp_path), name="a", source="")
    wrong = HyperPlan(base=base_with(), trials=2, scheduler="pbt", space=to_record(SIZES))
    with pytest.raises(UsageError, match="cannot change while"):
        search_plan(wrong, bars_of(300), store=Store(tmp_path), name="b", source="")
    assert Store(tmp_path).names() == ("a",)


def table_of(*rows: tuple[Any, ...]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def test_the_best_whole_trial_is_found_and_the_number_of_trials_is_kept() -> None:
    plan = HyperPlan(base=base_with(), trials=3, space=to_record(SIZES), seed=5)
    table = table_of(
        (2, "stopped", 0.010, 1, '{"input_size":8}', ""),
        (0, "complete", 0.011, 4, '{"input_size":24}', ""),
        (1, "complete", 0.012, 4, '{"input_size":16}', ""),
    )
    found = hyper._outcome(plan, plan.searched, table)
    assert (found.plan.input_size, found.crps) == (24, 0.011)
    assert found.record["trials"] == 3
    assert (found.record["seed"], found.record["algorithm"]) == (5, "optuna")
    failed = table_of((0, Ending.FAILED.value, None, 0, "{}", "ValueError: no"))
    with pytest.raises(UsageError, match="the first said: ValueError: no"):
        hyper._outcome(plan, plan.searched, failed)


def test_the_version_that_is_trained_says_what_was_searched(tmp_path: Path) -> None:
    record = {"trials": 12, "seed": 5, "space": to_record(SIZES)}
    found = HyperOutcome(base_with(input_size=24), 0.01, table_of(), record)
    registry = ModelRegistry(str(tmp_path))
    made = train_found(found, bars_of(), registry, "drawn")
    assert msgspec.json.encode(registry.manifest("linear@1")) == msgspec.json.encode(made)
    assert registry.versions("linear") == (1,)
    assert made.input_size == made.parameters["input_size"] == 24
    assert made.parameters["search"] == {
        "trials": 12,
        "seed": 5,
        "space": {"input_size": {"values": [8, 24, 16]}},
    }
    assert all(registry.read(made, file.name) for file in made.files)
    assert "`{'trials': 12" in card_of(made)


def test_when_the_training_fails_nothing_is_registered(tmp_path: Path) -> None:
    found = HyperOutcome(base_with(input_size=24, test_share=0.0), 0.01, table_of(), {})
    registry = ModelRegistry(str(tmp_path))
    with pytest.raises(UsageError, match="test_share"):
        train_found(found, bars_of(), registry, "drawn")
    assert registry.names() == ()
