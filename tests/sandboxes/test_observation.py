"""How an attack was stopped, told from what was seen of it."""

import errno
import json

import pytest

from sandboxes.attacks import means
from sandboxes.attacks.observation import RESULT, Report, how_it_ended, reports_in
from sandboxes.sandbox import Isolation, RunResult


def result(stdout: str = "", code: int | None = 0, error: str = "") -> RunResult:
    return RunResult(
        ok=not error,
        exit_code=code,
        stdout=stdout,
        stderr="",
        error=error,
        seconds=1.25,
        isolation=Isolation(backend="local", rung="L2"),
    )


def refuse(number: int) -> None:
    raise OSError(number, "x")


@pytest.fixture
def told() -> str:
    """What a payload says that got through once, and was refused in two ways."""
    names = {f"file {n}": lambda: refuse(errno.EPERM) for n in range(5)}
    found = means.got_through(**names, gone=lambda: refuse(errno.ENOENT), open_door=lambda: None)
    return f"{RESULT}{json.dumps(means.report(found))}\n"


def test_answers_of_the_system_are_counted_and_the_first_are_named(told: str) -> None:
    (report,) = reports_in(result(f"noise\n{told}"))
    assert report.through == ("open_door",)
    assert str(report) == (
        "5 x EPERM (Operation not permitted): file 0, file 1, file 2, ...; "
        "1 x ENOENT (No such file or directory): gone"
    )
    assert how_it_ended(result(told)) == str(report)


def test_next_attack_begins_with_nothing_seen(told: str) -> None:
    assert means.report([]) == {"through": [], "seen": {}}
    assert str(Report(())) == "nothing found"


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (
            result(code=None, error="SANDBOX_TIMEOUT"),
            "killed from outside after 1.25 s: SANDBOX_TIMEOUT",
        ),
        (result(code=-31), "ended by SIGSYS"),
        (result(code=7), "ended by itself with status 7"),
    ],
)
def test_end_of_a_process_is_told_as_the_host_saw_it(seen: RunResult, words: str) -> None:
    assert how_it_ended(seen) == words
