import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.errors import UsageError
from trading.validation.bootstrap import (
    circular_rows,
    drawn_rows,
    shuffled_rows,
    stationary_rows,
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@settings(deadline=None, max_examples=60)
@given(count=st.integers(1, 40), paths=st.integers(1, 5), data=st.data())
def test_rows_are_rows_of_the_history(count: int, paths: int, data: st.DataObject) -> None:
    length = data.draw(st.integers(1, count))
    for rows in (
        stationary_rows(count, paths, float(length), rng()),
        circular_rows(count, paths, length, rng()),
        drawn_rows(count, paths, rng()),
    ):
        assert rows.shape == (paths, count)
        assert rows.min() >= 0
        assert rows.max() < count
    assert (np.sort(shuffled_rows(count, paths, rng()), axis=1) == np.arange(count)).all()


def test_circular_blocks_are_whole() -> None:
    rows = circular_rows(20, 300, 6, rng())
    steps = np.diff(rows, axis=1) % 20
    within = np.arange(19) % 6 != 5
    assert (steps[:, within] == 1).all()
    assert (steps[:, ~within] != 1).any()
    assert (rows[:, 1:] < rows[:, :-1])[:, within].any()  # blocks lead around the end


@pytest.mark.parametrize("length", [1.0, 2.5, 10.0])
def test_stationary_blocks_have_their_mean_length(length: float) -> None:
    rows = stationary_rows(1000, 200, length, rng())
    jumps = float((np.diff(rows, axis=1) % 1000 != 1).mean())
    # one draw in a thousand continues by chance
    assert jumps == pytest.approx(0.999 / length, rel=0.02)


def test_stationary_block_lengths_are_geometric() -> None:
    rows = stationary_rows(2000, 100, 4.0, rng())
    ends = np.flatnonzero(np.diff(rows, axis=1).ravel() % 2000 != 1)
    lengths = np.diff(ends)
    for size in range(1, 7):
        assert (lengths == size).mean() == pytest.approx(0.25 * 0.75 ** (size - 1), abs=0.01)


@pytest.mark.parametrize("name", ["stationary", "circular", "drawn"])
def test_every_row_is_drawn_as_often(name: str) -> None:
    rows = {
        "stationary": lambda: stationary_rows(10, 40_000, 4.0, rng()),
        "circular": lambda: circular_rows(10, 40_000, 4, rng()),
        "drawn": lambda: drawn_rows(10, 40_000, rng()),
    }[name]()
    share = np.bincount(rows.ravel(), minlength=10) / rows.size
    assert share == pytest.approx(0.1, rel=0.03)


def test_the_same_seed_draws_the_same_rows() -> None:
    assert (stationary_rows(50, 9, 5.0, rng(4)) == stationary_rows(50, 9, 5.0, rng(4))).all()
    assert (stationary_rows(50, 9, 5.0, rng(4)) != stationary_rows(50, 9, 5.0, rng(5))).any()


def test_paths_do_not_depend_on_how_many_are_drawn_at_once() -> None:
    for draw in (stationary_rows, circular_rows):
        one, both = rng(), rng()
        pieces = [draw(30, 2, 5, one), draw(30, 3, 5, one)]
        assert (np.concatenate(pieces) == draw(30, 5, 5, both)).all()


@pytest.mark.parametrize(("count", "length"), [(0, 1), (10, 0), (10, 11)])
def test_impossible_blocks_are_refused(count: int, length: int) -> None:
    for draw in (stationary_rows, circular_rows):
        with pytest.raises(UsageError, match="blocks from 1 to"):
            draw(count, 5, length, rng())
