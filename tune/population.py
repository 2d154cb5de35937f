"""Population-based training (Jaderberg et al. 2017) of anything that reports checkpoints to Ray Tune.

Members train at the same time; after every generation the worst quarter goes on from a checkpoint of the best, with
parameters nearby. Which member is compared with which depends on who is faster, so a population is resumable, but
not repeatable number by number.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from trading.strategies.search_space import Choice, SearchSpace, Span
from tune.space import points_of, random_point

REDRAWN = 0.25
"""Probability that a parameter is drawn anew instead of moved."""
MOVES = (0.8, 1.25)


class PopulationPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How a population trains.

    Attributes
    ----------
    metric : str
        Reported by the trainable after each iteration.
    is_minimised : bool
        Whether less of it is better.
    members : int
        >= 2.
    iterations : int
        Of each member (>= 1).
    generation : int
        Iterations between comparisons (>= 1).
    seed : int
        Of the first parameters and of their changes.
    """

    metric: str
    is_minimised: bool = False
    members: int = 4
    iterations: int = 100
    generation: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        if self.members < 2 or self.iterations < 1 or self.generation < 1:
            raise ValueError("population: members from 2, iterations and generation from 1")

    @property
    def mode(self) -> str:
        return "min" if self.is_minimised else "max"


@dataclass(frozen=True, slots=True)
class Population:
    """What training found.

    Attributes
    ----------
    params : mapping
        Of the best member at its end.
    score : float
        Its last value of the metric.
    checkpoint : Path
        Its last checkpoint.
    iterations : tuple
        Of each member at its end.
    """

    params: Mapping[str, Any]
    score: float
    checkpoint: Path
    iterations: tuple[int, ...]


class Explorer:
    """Moves parameters within their space; what Ray's own explorer does, but never outside it."""

    def __init__(self, space: SearchSpace, seed: int) -> None:
        self._space = space
        self._random = np.random.default_rng(seed)

    def first(self, members: int) -> list[dict[str, object]]:
        """Return the parameters to begin with."""
        return [random_point(self._space, self._random) for _ in range(members)]

    def __call__(self, config: dict[str, Any]) -> dict[str, Any]:
        """Return parameters near those of `config`; what is no parameter stays."""
        drawn = random_point(self._space, self._random)
        moved = {name: self._moved(where, config[name]) for name, where in self._space.items()}
        is_redrawn = self._random.random(len(moved)) < REDRAWN
        chosen = {
            name: drawn[name] if redrawn else moved[name]
            for name, redrawn in zip(moved, is_redrawn, strict=True)
        }
        return {**config, **chosen}

    def _moved(self, where: Span | Choice, value: Any) -> Any:
        if isinstance(where, Choice) or where.step is not None:
            points = points_of("population", where)
            place = points.index(value) + int(self._random.choice((-1, 1)))
            return points[min(max(place, 0), len(points) - 1)]
        moved = min(max(value * float(self._random.choice(MOVES)), where.low), where.high)
        return round(moved) if where.is_whole else moved
