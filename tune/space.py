"""Points of a search space: all of them, a random choice, or as Optuna names them."""

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from trading.errors import UsageError
from trading.strategies.search_space import Choice, SearchSpace, Span
from tune.grid import Grid

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


def to_record(space: SearchSpace) -> dict[str, dict[str, Any]]:
    """Return the space as plain JSON; `from_record` is its inverse."""
    return {name: _record(where) for name, where in space.items()}


def from_record(record: Mapping[str, Mapping[str, Any]]) -> dict[str, Span | Choice]:
    """Return the space that `to_record` wrote; a list in it stands for a tuple."""
    return {
        name: Choice(tuple(_tupled(value) for value in fields["values"]))
        if "values" in fields
        else Span(**fields)
        for name, fields in record.items()
    }


def grid_of(space: SearchSpace) -> Grid:
    """Return every point of the space.

    Raises
    ------
    UsageError
        If a span of fractions has no step.
    """
    return Grid({name: points_of(name, where) for name, where in space.items()})


def random_point(space: SearchSpace, random: np.random.Generator) -> dict[str, object]:
    """Return one point; every point of a grid and every part of a span is equally likely."""
    return {name: _draw(name, where, random) for name, where in space.items()}


def distributions_of(space: SearchSpace) -> dict[str, "BaseDistribution"]:
    """Return the space as Optuna takes it; a choice is the number of its value, see `chosen`.

    Raises
    ------
    UsageError
        If a span has both a step and a logarithmic scale, which Optuna cannot sample.
    """
    return {name: _distribution(name, where) for name, where in space.items()}


def chosen(space: SearchSpace, picked: Mapping[str, Any]) -> dict[str, object]:
    """Return the parameters that Optuna's picks stand for."""
    return {
        name: where.values[picked[name]] if isinstance(where, Choice) else picked[name]
        for name, where in space.items()
    }


def _record(where: Span | Choice) -> dict[str, Any]:
    if isinstance(where, Choice):
        return {"values": list(where.values)}
    return {"low": where.low, "high": where.high, "step": where.step, "is_log": where.is_log}


def _tupled(value: Any) -> Any:
    return tuple(_tupled(each) for each in value) if isinstance(value, list) else value


def points_of(name: str, where: Span | Choice) -> tuple[Any, ...]:
    """Return every value of a choice or of a span with steps; the name is for the error.

    Raises
    ------
    UsageError
        If it is a span of fractions without a step.
    """
    if isinstance(where, Choice):
        return where.values
    step = where.step or (1 if where.is_whole else None)
    if step is None:
        raise UsageError(
            f"The search space of {name!r} has no step, so there is no grid; "
            "search with optuna or random, or name its values."
        )
    low, high, wide = (Decimal(repr(value)) for value in (where.low, where.high, step))
    count = int((high - low) / wide) + 1
    kind = int if where.is_whole and isinstance(step, int) else float
    return tuple(kind(low + wide * place) for place in range(count))


def _draw(name: str, where: Span | Choice, random: np.random.Generator) -> object:
    if isinstance(where, Choice) or where.step is not None:
        points = points_of(name, where)
        return points[int(random.integers(len(points)))]
    if where.is_log:
        drawn = float(np.exp(random.uniform(np.log(where.low), np.log(where.high))))
        return min(max(round(drawn), where.low), where.high) if where.is_whole else drawn
    if where.is_whole:
        return int(random.integers(int(where.low), int(where.high), endpoint=True))
    return float(random.uniform(where.low, where.high))


def _distribution(name: str, where: Span | Choice) -> "BaseDistribution":
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if isinstance(where, Choice):
        return CategoricalDistribution(range(len(where.values)))
    if where.is_log and where.step is not None:
        raise UsageError(
            f"The search space of {name!r} has a step on a logarithmic scale; search at random."
        )
    if where.is_whole and float(where.step or 1).is_integer():
        low, high, step = int(where.low), int(where.high), int(where.step or 1)
        return IntDistribution(low, high - (high - low) % step, log=where.is_log, step=step)
    last = where.high if where.step is None else points_of(name, where)[-1]
    return FloatDistribution(where.low, last, log=where.is_log, step=where.step)
