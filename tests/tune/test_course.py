from collections.abc import Callable
from math import isnan
from pathlib import Path

import pytest

from trading.errors import DataError
from tune.course import Course
from tune.ledger import Ended, Ending, Measured, Suggested, read_ledger
from tune.suggestions import Algorithm

Open = Callable[..., Course]
Finish = Callable[[Course], int]


def boundaries(content: bytes) -> list[int]:
    """Where records begin, found by the length in front of each."""
    ends = [0]
    while ends[-1] < len(content):
        ends.append(ends[-1] + 4 + int.from_bytes(content[ends[-1] : ends[-1] + 4], "big"))
    return ends


def suggested(path: Path) -> list[Suggested]:
    return [record for record in read_ledger(path) if isinstance(record, Suggested)]


@pytest.fixture
def undisturbed(tmp_path: Path, open_course: Open, finish: Finish) -> Path:
    path = tmp_path / "undisturbed"
    finish(open_course(path))
    return path


@pytest.mark.parametrize("torn", [0, 1, 2, 7])
def test_search_cut_off_anywhere_ends_like_one_that_was_not(
    tmp_path: Path, undisturbed: Path, open_course: Open, finish: Finish, torn: int
) -> None:
    content = undisturbed.read_bytes()
    whole = read_ledger(undisturbed)
    for place, end in list(enumerate(boundaries(content)))[torn::8]:
        path = tmp_path / f"cut{place}"
        path.write_bytes(content[: end + torn])
        course = open_course(path)
        measured_before = sum(isinstance(record, Measured) for record in whole[:place])
        measured = finish(course)
        assert path.read_bytes() == content
        assert measured == sum(isinstance(record, Measured) for record in whole) - measured_before
        assert course.is_over


@pytest.mark.parametrize("algorithm", [Algorithm.RANDOM, Algorithm.OPTUNA])
def test_same_seed_gives_the_same_trials_and_another_seed_others(
    tmp_path: Path, open_course: Open, finish: Finish, algorithm: Algorithm
) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        finish(open_course(tmp_path / name, algorithm, seed))
    first, again, other = (tmp_path / name for name in "abc")
    assert first.read_bytes() == again.read_bytes()
    assert suggested(first) != suggested(other)


def test_point_that_the_strategy_refuses_is_skipped_with_its_reason(undisturbed: Path) -> None:
    records = read_ledger(undisturbed)
    params = {r.number: r.params for r in records if isinstance(r, Suggested)}
    skipped = [r for r in records if isinstance(r, Ended) and r.ending is Ending.SKIPPED]
    assert len(params) == 16
    assert skipped
    for ended in skipped:
        assert params[ended.number]["entry_z"] <= 0.5  # the default exit
        assert isnan(ended.score)
        assert "exit_z" in ended.reason
        assert not any(isinstance(r, Measured) and r.number == ended.number for r in records)


def test_score_is_the_mean_training_figure(undisturbed: Path) -> None:
    records = read_ledger(undisturbed)
    complete = [r for r in records if isinstance(r, Ended) and r.ending is Ending.COMPLETE]
    for ended in complete:
        folds = [r for r in records if isinstance(r, Measured) and r.number == ended.number]
        assert ended.score == pytest.approx(sum(f.train["sharpe"] for f in folds) / 3)
        assert ended.score != pytest.approx(sum(f.test["sharpe"] for f in folds) / 3)


def test_ledger_of_another_search_is_refused(undisturbed: Path, open_course: Open) -> None:
    with pytest.raises(DataError, match="belongs to another search"):
        open_course(undisturbed, Algorithm.OPTUNA, 6)


def test_progress_counts_endings_and_knows_the_best(
    tmp_path: Path, open_course: Open, finish: Finish
) -> None:
    course = open_course(tmp_path / "ledger")
    assert isnan(course.progress().best_score)
    finish(course)
    progress = course.progress()
    assert progress.ended == 16 == progress.complete + progress.skipped
    scores = [e.score for e in course.ended.values() if e.ending is Ending.COMPLETE]
    assert progress.best_score == max(scores)
    assert set(progress.best_params) == {"window_bars", "entry_z", "allow_short"}
