"""Small random bars, and a plan to search on them without Ray."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from trading.identifiers import InstrumentId
from trading.strategies.search_space import Choice, Span
from trading.strategies.strategy import Bars
from trading.validation.splits import walk_forward
from tune.course import Course
from tune.ledger import Ending, Ledger
from tune.objective import Objective, folds_of, strategy_of
from tune.search import SearchPlan
from tune.space import from_record, to_record
from tune.suggestions import Algorithm, suggestions_of

DAY_NS = 86_400_000_000_000


@pytest.fixture(scope="session")
def bars() -> Bars:
    random = np.random.default_rng(3)
    close = 100.0 * np.exp(np.cumsum(random.normal(0.0, 0.01, (400, 3)), axis=0))
    ts = 1_500_000_000_000_000_000 + DAY_NS * np.arange(400)
    return Bars.of_closes(ts, tuple(InstrumentId(f"I{n}.paper") for n in range(3)), close)


@pytest.fixture(scope="session")
def objective(bars: Bars) -> Objective:
    splits = walk_forward(len(bars), train_bars=160, test_bars=80)
    return Objective(strategy="mean_reversion", folds=folds_of(splits, len(bars)))


@pytest.fixture(scope="session")
def plan(objective: Objective) -> SearchPlan:
    space = {
        "window_bars": Span(5, 40),
        "entry_z": Span(0.2, 2.5),
        "allow_short": Choice((False, True)),
    }
    return SearchPlan(objective=objective, space=to_record(space), trials=16, seed=5)


@pytest.fixture
def open_course(plan: SearchPlan) -> Callable[..., Course]:
    """Return a function that opens a course on a ledger."""

    def make(path: Path, algorithm: Algorithm = Algorithm.OPTUNA, seed: int = 5) -> Course:
        space = from_record(plan.space)
        return Course(
            Ledger(path),
            suggestions_of(algorithm, space, trials=plan.trials, seed=seed),
            check=lambda params: strategy_of(plan.objective.strategy, params),
            score=plan.objective.score,
        )

    return make


@pytest.fixture
def finish(bars: Bars, objective: Objective) -> Callable[[Course], int]:
    """Return a function that runs a course to its end, in this process; it returns how many folds it measured."""

    def run(course: Course) -> int:
        measured = 0
        while task := course.next():
            known = {each.fold for each in course.folds(task.number)}
            strategy = strategy_of(objective.strategy, task.params)
            for fold in range(len(objective.folds)):
                if fold not in known:
                    course.measure(objective.measure(strategy, bars, task.number, fold))
                    measured += 1
            course.end(task.number, Ending.COMPLETE)
        return measured

    return run
