"""A population of tiny members learns, and goes on where it was stopped."""

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trading.errors import UsageError
from trading.strategies.search_space import Choice, Span
from tune.population import PopulationPlan
from tune.tuner import train_population

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(240)]

COMPARED_AT = 4
"""The end of the second generation: from the first one the higher member may have left no checkpoint."""
SPACE = {"rate": Span(0.01, 1.0, is_log=True), "side": Choice((-1, 1))}


def make_member(home: Path) -> Any:
    """Return a trainable that climbs by `rate` an iteration; it notes every step, and fails at the 5th if told.

    Until the fault, the lower of two says how far it got behind the higher: else it may find nobody to learn from.
    """

    def member(config: dict[str, Any]) -> None:
        from ray import tune as ray_tune

        state = {"height": 0.0, "step": 0}
        checkpoint = ray_tune.get_checkpoint()
        if checkpoint:
            with checkpoint.as_directory() as folder:
                state = json.loads((Path(folder) / "state.json").read_text())
        while True:
            state["height"] += config["rate"] * config["side"]
            state["step"] += 1
            with (home / "steps").open("a") as file:
                file.write(f"{state['step']} {config['rate']} {config['side']}\n")
            if state["step"] == COMPARED_AT and (home / "fault").exists():
                take_turn(home, state["height"])
            if state["step"] == 5 and (home / "fault").exists():
                wait(lambda: is_explored(home), "a member that learned")
                raise RuntimeError("out of memory")
            with tempfile.TemporaryDirectory() as folder:
                (Path(folder) / "state.json").write_text(json.dumps(state))
                ray_tune.report(
                    {"height": state["height"]},
                    checkpoint=ray_tune.Checkpoint.from_directory(folder),
                )
            if state["step"] == COMPARED_AT:
                (home / "told").touch()

    return member


def take_turn(home: Path, height: float) -> None:
    """Wait until both are so far, and the lower one until the higher one has told."""
    (home / f"height {height}").touch()
    wait(lambda: len(heights(home)) == 2, "the other member")
    if height < max(heights(home)):
        wait((home / "told").exists, "what the other member tells")


def heights(home: Path) -> list[float]:
    return [float(each.name.partition(" ")[2]) for each in home.glob("height *")]


def is_explored(home: Path) -> bool:
    """Return whether a member has taken over the other's state, with parameters near the other's."""
    return len({line.partition(" ")[2] for line in (home / "steps").read_text().splitlines()}) > 2


def wait(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60.0
    while not condition():
        assert time.monotonic() < deadline, f"waited for {what}"
        time.sleep(0.02)


def test_population_learns_within_its_space_and_goes_on_after_a_fault(
    ray_session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tune.tuner.WORKER_DEATHS_MAX", 0)
    plan = PopulationPlan(metric="height", members=2, iterations=6, generation=2, seed=1)
    trainable = make_member(tmp_path)
    (tmp_path / "fault").touch()
    with pytest.raises(UsageError, match="out of memory"):
        train_population(trainable, SPACE, plan, folder=tmp_path, resources={"cpu": 0.5})
    (tmp_path / "fault").unlink()
    before = (tmp_path / "steps").read_text().splitlines()
    found = train_population(trainable, SPACE, plan, folder=tmp_path, resources={"cpu": 0.5})
    after = (tmp_path / "steps").read_text().splitlines()[len(before) :]

    assert min(int(line.split()[0]) for line in after) > 1  # from a checkpoint, not from the start
    steps = [line.split() for line in before + after]
    assert all(0.01 <= float(rate) <= 1.0 and int(side) in (-1, 1) for _, rate, side in steps)
    assert len({(rate, side) for _, rate, side in steps}) > 2  # parameters were explored
    assert found.iterations == (6, 6)
    state = json.loads((found.checkpoint / "state.json").read_text())
    assert state["height"] == pytest.approx(found.score)
    assert found.params["side"] == 1
