"""A strategy that answers late, or not now, or never."""

import threading
from concurrent.futures import Future, wait
from contextlib import suppress

import numpy as np
import pytest

from sandboxes.errors import (
    SandboxBusy,
    SandboxError,
    SandboxGone,
    SandboxRefused,
    SandboxTimeout,
    StrategyFailed,
)
from sandboxes.patience import PatientStrategy
from trading.identifiers import InstrumentId
from trading.indicators.rolling import FloatArray
from trading.strategies.strategy import Bars, Undecided

NAMES = (InstrumentId("S.X"),)
PATIENCE_S = 60.0
"""More than a thread ever takes to begin: whoever is to answer in time does."""


def bars(count: int) -> Bars:
    return Bars.of_closes(np.arange(1, count + 1), NAMES, np.ones((count, 1)))


class Scripted:
    """Answers with the number of bars, raises what is scripted, or waits until it is let go."""

    lookback = 7

    def __init__(self, *script: SandboxError | threading.Event | None) -> None:
        self._script = list(script)
        self.asked: list[int] = []
        self.began = threading.Event()

    def targets(self, given: Bars) -> FloatArray:
        self.asked.append(len(given))
        self.began.set()
        step = self._script.pop(0) if self._script else None
        if isinstance(step, threading.Event):
            step.wait()
        elif step:
            raise step
        return np.full((len(given), 1), float(len(given)))


def answered(patient: PatientStrategy, given: Bars) -> FloatArray:
    """Ask until there is an answer: a thread may need a moment."""
    while True:
        try:
            return patient.targets(given)
        except Undecided:
            continue


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_answer_is_that_of_the_strategy() -> None:
    patient = PatientStrategy(Scripted(), PATIENCE_S)
    assert patient.lookback == 7
    assert (patient.targets(bars(3)) == 3.0).all()


def test_late_answer_leaves_it_undecided_and_is_not_taken_for_the_next_one() -> None:
    let_go = threading.Event()
    strategy = Scripted(let_go)
    patient = PatientStrategy(strategy, patience_s=0.05)
    for count in (3, 4):
        with pytest.raises(Undecided):
            patient.targets(bars(count))
    assert strategy.began.wait(PATIENCE_S)
    assert strategy.asked == [3]
    let_go.set()
    patient._patience_s = PATIENCE_S
    assert (answered(patient, bars(5)) == 5.0).all()
    assert set(strategy.asked) == {3, 5}


@pytest.mark.parametrize(
    "trouble", [SandboxGone("g"), SandboxBusy("b"), SandboxError("no pool runs")]
)
def test_trouble_leaves_it_undecided_until_it_has_lasted_too_long(trouble: SandboxError) -> None:
    clock = Clock()
    strategy = Scripted(trouble, trouble, None, trouble, trouble)
    patient = PatientStrategy(strategy, PATIENCE_S, clock=clock)
    for second in (0, 59):
        clock.now_s = second
        with pytest.raises(Undecided):
            patient.targets(bars(1))
    clock.now_s = 70
    assert patient.targets(bars(1)) == 1.0
    with pytest.raises(Undecided):
        patient.targets(bars(1))
    clock.now_s = 131
    with pytest.raises(type(trouble)) as raised:
        patient.targets(bars(1))
    assert raised.value is trouble


@pytest.mark.parametrize(
    "error", [SandboxTimeout("late"), StrategyFailed("KeyError", "k"), SandboxRefused("no")]
)
def test_fault_of_the_strategy_is_raised_at_once(error: SandboxError) -> None:
    with pytest.raises(type(error)):
        PatientStrategy(Scripted(error), PATIENCE_S).targets(bars(1))


class Killed(Scripted):
    """Is late with its first answer, which is that it was killed."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()

    def targets(self, given: Bars) -> FloatArray:
        if len(given) > 1:
            return super().targets(given)
        self.let_go.wait()
        raise SandboxTimeout("late")


def test_kill_that_comes_after_patience_is_over_is_not_lost() -> None:
    strategy = Killed()
    patient = PatientStrategy(strategy, patience_s=0.05)
    with pytest.raises(Undecided):
        patient.targets(bars(1))
    strategy.let_go.set()
    patient._patience_s = PATIENCE_S
    with pytest.raises(SandboxTimeout):
        answered(patient, bars(2))


def test_kill_that_comes_at_the_moment_when_patience_ends_is_not_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    strategy, is_done = Killed(), Future.done

    def done_just_then(asked: "Future[FloatArray]") -> bool:
        strategy.let_go.set()
        wait([asked])
        return is_done(asked)

    monkeypatch.setattr(Future, "done", done_just_then)
    patient = PatientStrategy(strategy, patience_s=0.05)

    def both() -> None:
        with suppress(Undecided):
            patient.targets(bars(1))
        answered(patient, bars(2))

    with pytest.raises(SandboxTimeout):
        both()
