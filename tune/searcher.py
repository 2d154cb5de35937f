"""The course of a search as Ray Tune's searcher: suggests trials, writes down what they report."""

from collections.abc import Callable
from typing import Any

import msgspec
from ray.tune.search import Searcher

from tune.course import Course, Progress
from tune.ledger import Ending, Measured
from tune.trial import ENDING, FOLDS, MEASURED, NUMBER, PARAMS, REASON, SCORE


class CourseSearcher(Searcher):  # type: ignore[misc]  # Ray has no types
    """Runs in the driver, in one thread, so the ledger has one order."""

    def __init__(self, course: Course, folds: int, on_progress: Callable[[Progress], None]) -> None:
        super().__init__(metric=SCORE, mode="max")
        self._course = course
        self._folds = folds
        self._on_progress = on_progress
        self._numbers: dict[str, int] = {}

    def suggest(self, trial_id: str) -> Any:
        ended = len(self._course.ended)
        task = self._course.next()
        if len(self._course.ended) > ended:
            self._on_progress(self._course.progress())
        if task is None:
            return Searcher.FINISHED
        self._numbers[trial_id] = task.number
        return {NUMBER: task.number, PARAMS: task.params}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        if MEASURED in result:
            self._course.measure(msgspec.msgpack.decode(result[MEASURED], type=Measured))

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        number = self._numbers.pop(trial_id)
        if error or not result:
            self._course.end(number, Ending.FAILED, "its worker died too often")
        elif ENDING in result:
            self._course.end(number, Ending(result[ENDING]), result[REASON])
        else:
            self.on_trial_result(trial_id, result)
            is_whole = result[FOLDS] == self._folds
            self._course.end(number, Ending.COMPLETE if is_whole else Ending.STOPPED)
        self._on_progress(self._course.progress())

    def save(self, checkpoint_path: str) -> None:
        """Save nothing: the ledger is the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing: the course was rebuilt from the ledger."""

    def __getstate__(self) -> dict[str, Any]:
        """Ray pickles its searcher into a file that nobody reads here."""
        return {}
