"""Where a search stands: which trials were suggested, measured and ended, and which comes next.

All of it follows from the ledger. Ray Tune's own restore would not do: it writes its state every ten seconds, its
searcher and its trials apart, and forgets what a scheduler knew (ray 2.60, `TuneController.__getstate__`). A
course that is rebuilt from the ledger asks and tells the sampler exactly what it was asked and told before.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isnan, nan
from typing import Any

import msgspec

from trading.errors import ConfigError, DataError
from tune.ledger import Ended, Ending, Ledger, Measured, Suggested
from tune.suggestions import Suggestions


@dataclass(frozen=True, slots=True)
class Task:
    """A trial to run."""

    number: int
    params: dict[str, object]


@dataclass(frozen=True, slots=True)
class Progress:
    """What a progress bar shows.

    Attributes
    ----------
    ended, complete, skipped, failed : int
        Trials.
    best_score : float
        Of the complete trials; NaN before the first.
    """

    ended: int
    complete: int
    skipped: int
    failed: int
    best_score: float
    best_params: Mapping[str, object]


class Course:
    """A search in progress.

    Attributes
    ----------
    measured : dict
        By trial and fold.
    ended : dict
        By trial.
    cut_off : tuple
        Trials that the ledger shows begun and not ended.

    Parameters
    ----------
    check : callable
        Raises `ConfigError` when the strategy refuses a point.
    score : callable
        Of the folds measured so far, in their order; higher is better, NaN is none.
    """

    def __init__(
        self,
        ledger: Ledger,
        suggestions: Suggestions,
        *,
        check: Callable[[Mapping[str, object]], object],
        score: Callable[[list[Measured]], float],
    ) -> None:
        self._ledger = ledger
        self._suggestions = suggestions
        self._check = check
        self._score = score
        self._params: list[dict[str, object]] = []
        self.measured: dict[int, dict[int, Measured]] = {}
        self.ended: dict[int, Ended] = {}
        self._replay()
        self.cut_off = tuple(n for n in range(len(self._params)) if n not in self.ended)
        self._waiting = deque(self.cut_off)
        self._is_exhausted = False

    @property
    def is_over(self) -> bool:
        """Whether every point was suggested and every trial has ended."""
        return self._is_exhausted and len(self.ended) == len(self._params)

    def next(self) -> Task | None:
        """Return the next trial to run, first those that were cut off; None when there is none."""
        while True:
            number = self._waiting.popleft() if self._waiting else self._suggest()
            if number is None:
                self._is_exhausted = True
                return None
            try:
                self._check(self._params[number])
            except ConfigError as error:
                self.end(number, Ending.SKIPPED, str(error))
            else:
                return Task(number, self._params[number])

    def measure(self, measured: Measured) -> None:
        """Take note of a fold; one that is known already is the same again."""
        folds = self.measured.setdefault(measured.number, {})
        if measured.fold not in folds:
            folds[measured.fold] = measured
            self._ledger.append(measured)

    def end(self, number: int, ending: Ending, reason: str = "") -> None:
        """Take note of the end of a trial."""
        score = nan
        if ending in (Ending.COMPLETE, Ending.STOPPED):
            score = self._score(self.folds(number))
        ended = Ended(number, ending, score, reason)
        self._ledger.append(ended)
        self._tell(ended)

    def folds(self, number: int) -> list[Measured]:
        """Return what was measured of a trial, in the order of the folds."""
        folds = self.measured.get(number, {})
        return [folds[fold] for fold in sorted(folds)]

    def scores(self, number: int) -> list[float]:
        """Return the score of a trial after each of its folds."""
        folds = self.folds(number)
        return [self._score(folds[: count + 1]) for count in range(len(folds))]

    def progress(self) -> Progress:
        """Return how far the search is."""
        endings = [ended.ending for ended in self.ended.values()]
        complete = [e for e in self.ended.values() if e.ending is Ending.COMPLETE]
        best = min(complete, key=rank, default=None)
        return Progress(
            ended=len(endings),
            complete=len(complete),
            skipped=endings.count(Ending.SKIPPED),
            failed=endings.count(Ending.FAILED),
            best_score=nan if best is None else best.score,
            best_params={} if best is None else self._params[best.number],
        )

    def _suggest(self) -> int | None:
        params = self._suggestions.ask()
        if params is None:
            return None
        number = len(self._params)
        self._params.append(params)
        self._ledger.append(Suggested(number, _plain(params)))
        return number

    def _tell(self, ended: Ended) -> None:
        self.ended[ended.number] = ended
        folds = len(self.measured.get(ended.number, {}))
        self._suggestions.tell(ended.number, ended.ending, ended.score, folds)

    def _replay(self) -> None:
        for record in self._ledger.records:
            match record:
                case Suggested(number, params):
                    self._ask_again(number, params)
                case Measured(number, fold):
                    self.measured.setdefault(number, {})[fold] = record
                case Ended():
                    self._tell(record)

    def _ask_again(self, number: int, recorded: dict[str, Any]) -> None:
        params = self._suggestions.ask()
        if params is None or _plain(params) != recorded:
            raise DataError(
                f"Trial {number} of this run was {recorded} and would now be {params}; its ledger "
                "belongs to another search. Choose another name."
            )
        self._params.append(params)


def rank(ended: Ended) -> tuple[bool, float, int]:
    """Return the sort key of a trial: best first, no score last, the earlier first in a tie."""
    is_unknown = isnan(ended.score)
    return is_unknown, 0.0 if is_unknown else -ended.score, ended.number


def _plain(params: Mapping[str, object]) -> dict[str, Any]:
    """Return parameters as the ledger holds them: tuples are lists there."""
    plain: dict[str, Any] = msgspec.to_builtins(params)
    return msgspec.msgpack.decode(msgspec.msgpack.encode(plain), type=dict[str, Any])
