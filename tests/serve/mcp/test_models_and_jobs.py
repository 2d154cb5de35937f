"""Searches, trainings and clusters of models: what becomes a job, with which command, and what is answered at once."""

import asyncio
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.desk.jobs import JobState
from serve.mcp import long_work
from serve.mcp.tools.strategies import grid_of
from tests.serve.mcp.mcp_scene import MODERN, Person, Scene, called, code, connected, facts


def command(scene: Scene, tool: str, /, **arguments: Any) -> tuple[str, list[str], dict[str, str]]:
    facts(asyncio.run(called(scene.server(), tool, arguments, Person())))
    return scene.jobs.asked[-1]


SPAN = {"start_date": "2015-01-01", "end_date": "2016-12-31"}


def test_backtest_without_costs_says_so_to_the_command(scene: Scene) -> None:
    kind, words, _ = command(
        scene,
        "run_backtest",
        strategy="momentum_trader",
        symbol="KO, JNJ",
        include_costs=False,
        **SPAN,
    )
    assert (kind, words[0]) == ("backtest", "momentum")
    assert {"--symbols=KO,JNJ", "--from=2015-01-01", "--to=2016-12-31", "--fee-bps=0.0"} <= set(
        words
    )


def test_search_without_ranges_is_judged_on_later_bars(scene: Scene) -> None:
    kind, words, _ = command(
        scene,
        "optimize_strategy",
        strategy="momentum",
        symbol="KO",
        max_iterations=7,
        optimization_metric="sortino_ratio",
    )
    assert kind == "tune"
    assert {"--trials=7", "--metric=sortino"} <= set(words)


def test_search_with_ranges_is_that_grid(scene: Scene) -> None:
    kind, words, _ = command(
        scene,
        "optimize_strategy",
        strategy="momentum",
        symbol="KO",
        parameter_ranges={"fast": {"min": 5, "max": 20}, "slow": [100, 200]},
        max_iterations=16,
    )
    assert kind == "sweep"
    assert {"--fast=5:20:5", "--slow=100,200"} <= set(words)


@given(
    ranges=st.dictionaries(
        st.sampled_from(["a", "b", "c"]),
        st.tuples(st.integers(-100, 100), st.integers(1, 500)).map(
            lambda pair: {"min": pair[0], "max": pair[0] + pair[1]}
        ),
        min_size=1,
    ),
    most=st.integers(8, 10_000),
)
def test_grid_never_has_more_points_than_were_allowed(ranges: dict[str, Any], most: int) -> None:
    points = 1
    for text in grid_of(ranges, most).values():
        low, high, step = (float(part) for part in text.split(":"))
        assert step > 0
        points *= int(np.floor((high - low) / step + 1e-9)) + 1
    assert points <= most


def test_training_says_kind_data_and_settings(scene: Scene) -> None:
    kind, words, _ = command(
        scene,
        "neural_train",
        model_type="LSTM",
        batch_size=64,
        validation_split=0.2,
        epochs=1,
        name="mine",
    )
    assert (kind, words[0]) == ("train", "lstm")
    assert {"--name=mine", "--set=batch_size=64", "--set=validation_share=0.2"} <= set(words)
    assert any(word.startswith("--max-steps=") for word in words)


def test_training_by_workers_and_of_several_architectures(fresh: Scene) -> None:
    asyncio.run(called(fresh.server(), "neural_cluster_init", {"name": "one", "models": ["nhits"]}))
    kind, words, _ = command(fresh, "neural_train_distributed", cluster_id="one", workers=3)
    assert (kind, words[0]) == ("train", "nhits")
    assert "--workers=3" in words


def test_submitted_source_is_a_file_of_the_job_and_no_argument(scene: Scene) -> None:
    source = "--config=/etc/passwd\n"
    kind, words, files = command(scene, "submit_strategy", name="calm-one", source=source)
    assert kind == "agent submit"
    assert words[0] == "calm_one.py"
    assert files == {"calm_one.py": source}
    assert not any("passwd" in word for word in words)


def test_names_of_agents_are_those_of_the_ladder(scene: Scene) -> None:
    assert command(scene, "get_report_card", name="calm_one")[1] == ["calm-one"]
    kind, words, _ = command(scene, "promote_strategy", name="calm_one", reason="--passed\nall")
    assert kind == "agent promote"
    assert words == ["calm-one", "paper", "--reason=--passed all"]


def test_job_that_takes_longer_is_answered_with_its_id_and_progress_meanwhile(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    now_s = 0.0

    async def heard(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total, message))

    def slow_wait(job_id: str, timeout_s: float) -> Any:
        nonlocal now_s
        now_s += timeout_s  # time passes while somebody waits, and at no other time
        return scene.jobs.get(job_id)

    async def work() -> Any:
        async with connected(scene.server(), mode=MODERN) as client:
            return await client.call_tool(
                "list_agents", {"wait_seconds": 5}, progress_callback=heard
            )

    monkeypatch.setattr(long_work, "time", SimpleNamespace(monotonic=lambda: now_s))
    scene.jobs.state, scene.jobs.progress = JobState.RUNNING, "\x1b[1m2 of 9"
    scene.jobs.wait = slow_wait  # type: ignore[method-assign]
    try:
        result = facts(asyncio.run(work()))
    finally:
        scene.jobs.state, scene.jobs.progress = JobState.DONE, ""
        del scene.jobs.wait
    assert result["state"] == "running"
    assert result["job_id"] in result["next_step"]
    steps = [progress for progress, _, _ in told]
    assert len(steps) >= 2
    assert steps == sorted(set(steps))
    assert {message for _, _, message in told} == {"2 of 9"}


def test_job_that_failed_with_a_result_still_shows_it(scene: Scene) -> None:
    """A strategy that does not pass ends its command with 1, and its report card is the result."""
    scene.jobs.state, scene.jobs.result = JobState.FAILED, {"passed": False}
    told = facts(
        asyncio.run(called(scene.server(), "submit_strategy", {"name": "calm", "source": "x = 1"}))
    )
    scene.jobs.state, scene.jobs.result = JobState.DONE, {"ok": True}
    assert told["state"] == "failed"
    assert told["result"] == {"passed": False}


def test_cluster_of_models_answers_about_bars_of_the_caller(fresh: Scene) -> None:
    server = fresh.server()
    models = ["nhits@1", "nhits@champion"]
    facts(asyncio.run(called(server, "neural_cluster_init", {"name": "duo", "models": models})))
    close = list(100.0 + np.cumsum(np.sin(np.arange(200.0))))
    asked = {"cluster_id": "duo", "input_data": {"symbol": "MINE", "close": close}, "quorum": 2}
    told = facts(asyncio.run(called(server, "neural_predict_distributed", asked)))
    (forecast,) = told["predictions"]
    assert forecast["symbol"] == "MINE"
    assert forecast["current_price"] == pytest.approx(close[-1])
    assert forecast["models_used"] == models
    assert told["nodes_used"] == 2


def test_cluster_is_known_to_every_replica_and_gone_when_it_is_terminated(fresh: Scene) -> None:
    facts(asyncio.run(called(fresh.server(), "neural_cluster_init", {"name": "duo"})))
    again = asyncio.run(called(fresh.server(), "neural_cluster_init", {"name": "duo"}))
    assert code(again) == "CONFLICT"
    facts(asyncio.run(called(fresh.server(), "neural_cluster_terminate", {"cluster_id": "duo"})))
    gone = asyncio.run(called(fresh.server(), "neural_cluster_status", {"cluster_id": "duo"}))
    assert code(gone) == "NOT_FOUND"


@pytest.mark.parametrize(
    "wrong",
    [{}, {"symbols": []}, {"symbols": "KO"}, {"symbol": "KO", "close": [1, "x"]}, {"sybol": "KO"}],
)
def test_input_that_is_none_is_refused(fresh: Scene, wrong: dict[str, Any]) -> None:
    asyncio.run(called(fresh.server(), "neural_cluster_init", {"name": "duo"}))
    asked = {"cluster_id": "duo", "input_data": wrong}
    assert code(asyncio.run(called(fresh.server(), "neural_predict_distributed", asked))) == "USAGE"


def test_device_is_told_as_it_was(scene: Scene) -> None:
    told = facts(
        asyncio.run(called(scene.server(), "neural_forecast", {"symbol": "KO", "use_gpu": True}))
    )
    assert told["processing"]["device"] == "cpu"
    assert told["processing"]["gpu_used"] is False
    assert "models.providers" in told["processing"]["why"]
