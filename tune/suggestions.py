"""Where the points of a search come from. The same seed and the same answers give the same points."""

from collections.abc import Iterator
from enum import StrEnum
from math import isfinite
from typing import Protocol

import numpy as np

from trading.errors import UsageError
from trading.strategies.search_space import SearchSpace
from tune.ledger import Ending
from tune.space import chosen, distributions_of, grid_of, random_point


class Algorithm(StrEnum):
    OPTUNA = "optuna"
    """Tree-structured Parzen estimator (Bergstra et al. 2011): the next point depends on what is known."""
    RANDOM = "random"
    GRID = "grid"


class Suggestions(Protocol):
    """Points, one after the other, numbered from 0."""

    def ask(self) -> dict[str, object] | None:
        """Return the next point; None when there is none left."""

    def tell(self, number: int, ending: Ending, score: float, folds: int) -> None:
        """Say what came of a point: higher scores are better, NaN is none; `folds` were measured."""


def suggestions_of(
    algorithm: Algorithm, space: SearchSpace, *, trials: int | None, seed: int
) -> Suggestions:
    """Return the points of a search.

    Parameters
    ----------
    trials : int or None
        Most points to suggest (>= 1); None, for a grid alone, takes all of them.

    Raises
    ------
    UsageError
        If the number is missing or too small for the grid, or the space does not suit the algorithm.
    """
    if trials is None and algorithm is not Algorithm.GRID:
        raise UsageError(f"Say how many trials the {algorithm} search may make.")
    if trials is not None and trials < 1:
        raise UsageError(f"A search needs at least one trial, got {trials}.")
    match algorithm:
        case Algorithm.GRID:
            return FixedPoints(_grid_points(space, trials))
        case Algorithm.RANDOM:
            random = np.random.default_rng(seed)
            return FixedPoints(random_point(space, random) for _ in range(trials or 0))
        case Algorithm.OPTUNA:
            return ParzenPoints(space, trials=trials or 0, seed=seed)


class FixedPoints:
    """Points that do not depend on any result."""

    def __init__(self, points: Iterator[dict[str, object]]) -> None:
        self._points = points

    def ask(self) -> dict[str, object] | None:
        return next(self._points, None)

    def tell(self, number: int, ending: Ending, score: float, folds: int) -> None:
        """Take note of nothing."""


class ParzenPoints:
    """Points of Optuna's TPE sampler. Its state is what it was asked and told, in that order."""

    def __init__(self, space: SearchSpace, *, trials: int, seed: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._space = space
        self._distributions = distributions_of(space)
        self._left = trials
        self._study = optuna.create_study(
            direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed)
        )
        self._asked: list[optuna.Trial] = []

    def ask(self) -> dict[str, object] | None:
        if self._left == 0:
            return None
        self._left -= 1
        trial = self._study.ask(self._distributions)
        self._asked.append(trial)
        return chosen(self._space, trial.params)

    def tell(self, number: int, ending: Ending, score: float, folds: int) -> None:
        from optuna.trial import TrialState

        trial = self._asked[number]
        if not isfinite(score):
            self._study.tell(trial, state=TrialState.FAIL)
        elif ending is Ending.STOPPED:
            trial.report(score, step=folds)
            self._study.tell(trial, state=TrialState.PRUNED)
        else:
            self._study.tell(trial, score)


def _grid_points(space: SearchSpace, trials: int | None) -> Iterator[dict[str, object]]:
    grid = grid_of(space)
    if trials is not None and len(grid) > trials:
        raise UsageError(
            f"The grid has {len(grid):,} points and {trials:,} trials are allowed; "
            "allow more, or search with optuna or random."
        )
    return (grid.point(index) for index in range(len(grid)))
