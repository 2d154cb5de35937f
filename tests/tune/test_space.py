import numpy as np
import optuna
import pytest

from trading.errors import UsageError
from trading.strategies.search_space import Choice, Span
from tune.space import chosen, distributions_of, from_record, grid_of, random_point, to_record
from tune.suggestions import Algorithm, suggestions_of

SPACE = {
    "window": Span(5, 60),
    "step": Span(10, 41, step=10),
    "level": Span(0.5, 2.0),
    "tick": Span(0.1, 0.55, step=0.1),
    "scale": Span(0.001, 10.0, is_log=True),
    "count": Span(1, 1000, is_log=True),
    "side": Choice(("long", ("a", "b"), None, True)),
}


def test_space_comes_back_from_its_record() -> None:
    assert from_record(to_record(SPACE)) == SPACE
    assert isinstance(from_record(to_record(SPACE))["window"], Span)


def assert_inside(point: dict[str, object]) -> None:
    assert list(point) == list(SPACE)
    assert isinstance(point["window"], int)
    assert 5 <= point["window"] <= 60
    assert point["step"] in (10, 20, 30, 40)
    assert isinstance(point["level"], float)
    assert 0.5 <= point["level"] <= 2.0
    assert min(abs(float(str(point["tick"])) - tick) for tick in (0.1, 0.2, 0.3, 0.4, 0.5)) < 1e-9
    assert 0.001 <= float(str(point["scale"])) <= 10.0
    assert isinstance(point["count"], int)
    assert 1 <= point["count"] <= 1000
    assert point["side"] in SPACE["side"].values  # type: ignore[attr-defined]


def test_random_points_lie_inside_and_reach_everywhere() -> None:
    random = np.random.default_rng(0)
    points = [random_point(SPACE, random) for _ in range(2000)]
    for point in points:
        assert_inside(point)
    assert {point["window"] for point in points} == set(range(5, 61))
    assert len({point["side"] for point in points}) == 4
    scales = np.log10([float(str(point["scale"])) for point in points])
    assert np.histogram(scales, bins=4, range=(-3, 1))[0].min() > 400  # equal on the log scale


def test_optuna_suggests_inside_the_space() -> None:
    suggestions = suggestions_of(Algorithm.OPTUNA, SPACE, trials=30, seed=0)
    points = [suggestions.ask() for _ in range(30)]
    for point in points:
        assert point is not None
        assert_inside(point)
    assert suggestions.ask() is None


def test_optuna_takes_choices_by_number() -> None:
    where = distributions_of({"side": SPACE["side"]})["side"]
    assert where == optuna.distributions.CategoricalDistribution((0, 1, 2, 3))
    assert chosen({"side": SPACE["side"]}, {"side": 1}) == {"side": ("a", "b")}


def test_grid_holds_every_point_once() -> None:
    grid = grid_of({"step": SPACE["step"], "tick": SPACE["tick"], "side": SPACE["side"]})
    assert len(grid) == 4 * 5 * 4
    assert grid.values["tick"] == (0.1, 0.2, 0.3, 0.4, 0.5)
    assert len({tuple(grid.point(index).items()) for index in range(80)}) == 80


def test_search_that_the_space_does_not_allow_is_refused() -> None:
    with pytest.raises(UsageError, match="'level' has no step"):
        suggestions_of(Algorithm.GRID, {"level": SPACE["level"]}, trials=None, seed=0)
    with pytest.raises(UsageError, match="56 points and 10 trials"):
        suggestions_of(Algorithm.GRID, {"window": SPACE["window"]}, trials=10, seed=0)
    stepped = {"a": Span(1, 9, step=2, is_log=True)}
    with pytest.raises(UsageError, match="logarithmic"):
        suggestions_of(Algorithm.OPTUNA, stepped, trials=3, seed=0)
    with pytest.raises(UsageError, match="how many trials"):
        suggestions_of(Algorithm.RANDOM, SPACE, trials=None, seed=0)
    with pytest.raises(UsageError, match="at least one trial"):
        suggestions_of(Algorithm.RANDOM, SPACE, trials=0, seed=0)
