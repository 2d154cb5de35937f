from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.errors import UsageError
from tune.grid import Grid, parse_values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("5:8", (5, 6, 7, 8)),
        ("20:40:5", (20, 25, 30, 35, 40)),
        ("1:6:2", (1, 3, 5)),
        ("0.1:0.5:0.1", (0.1, 0.2, 0.3, 0.4, 0.5)),
        ("1:2:0.5", (1.0, 1.5, 2.0)),
        ("-2:0", (-2, -1, 0)),
        ("7:7", (7,)),
        ("0.5,1,2", (0.5, 1, 2)),
        ("true, False", (True, False)),
        ("equal,inverse", ("equal", "inverse")),
        ("1e-3,2", (0.001, 2)),
    ],
)
def test_text_names_these_values(text: str, values: tuple[object, ...]) -> None:
    found = parse_values(text)
    assert found == values
    assert [type(value) for value in found] == [type(value) for value in values]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5:",
        ":5",
        "1,,2",
        "8:5",
        "1:5:0",
        "1:5:-1",
        "1:2:3:4",
        "a:b",
        "nan:5",
        "1:inf",
        "0:1:1e-9",
    ],
)
def test_text_that_names_no_values_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"names no values|is no range|must rise|are the most"):
        parse_values(text)


@settings(deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=4))
def test_points_are_the_cartesian_product(sizes: list[int]) -> None:
    values = {f"p{place}": tuple(range(size)) for place, size in enumerate(sizes)}
    grid = Grid(values)
    expected = [dict(zip(values, picked, strict=True)) for picked in product(*values.values())]
    assert [grid.point(index) for index in range(len(grid))] == expected


def test_grid_without_values_or_with_too_many_is_refused() -> None:
    with pytest.raises(UsageError, match="no values for b"):
        Grid({"a": (1,), "b": ()})
    with pytest.raises(UsageError, match="no values for any"):
        Grid({})
    with pytest.raises(UsageError, match="points"):
        Grid({"a": tuple(range(4000)), "b": tuple(range(4000))})
