"""`trader sandbox process`: steps over files, with deadlines and a log, on a real rung."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.sandboxed_commands import asked, commands

__all__ = ["asked", "commands"]
FIRST = "kept = 1\nopen('sum', 'w').write(str(len(open('given.txt').read())))\nprint('one')\n"
SECOND = "print('two', open('sum').read(), 'kept' in globals())\n"


@pytest.fixture
def process(commands: Callable[..., Any], home: Path) -> Callable[..., Any]:
    """Return a function that writes the steps as files and runs them."""
    (home / "given.txt").write_text("this")

    def call(*scripts: str, words: tuple[str, ...] = ()) -> Any:
        names = []
        for number, script in enumerate(scripts):
            names.append(f"step{number}.py")
            (home / names[-1]).write_text(script)
        return commands("sandbox", "process", *names, "--file", "given.txt", *words)

    return call


def test_steps_share_files_and_nothing_else_and_each_is_logged(process: Any, home: Path) -> None:
    ended = process(FIRST, SECOND, words=("--out", "results", "--json"))

    assert ended.status == 0, ended.err
    told = ended.json
    first, second = told["steps"]
    assert (first["stdout"], second["stdout"]) == ("one\n", "two 4 False\n")
    assert first["sha256"] == sha256(FIRST.encode()).hexdigest()
    assert first["written"] == {"sum": sha256(b"4").hexdigest()}
    assert (told["ok"], told["template"], len(told["digest"])) == (True, "polars", 64)
    assert told["files"] == {"given.txt": 4, "sum": 1}
    assert [path.name for path in (home / "results").iterdir()] == ["sum"]


def test_output_comes_as_it_is_written_and_each_step_is_told(process: Any) -> None:
    ended = process(FIRST, SECOND)

    assert ended.out == "one\ntwo 4 False\n"
    assert "step 1: exit code 0" in ended.err
    assert "wrote sum" in ended.err


def test_process_ends_with_the_first_step_that_fails(process: Any) -> None:
    ended = process("import sys; sys.exit(3)", FIRST, words=("--json",))

    assert ended.status == 1
    (only,) = ended.json["steps"]
    assert (only["ok"], only["exit_code"], ended.json["ok"]) == (False, 3, False)


def test_step_that_is_late_is_killed_and_the_next_goes_on_if_that_is_wished(process: Any) -> None:
    words = ("--template", "base", "--keep-going", "--json")
    # So long that the second step ends in time on a busy machine too.
    ended = process("while True: pass", FIRST, words=("--timeout", "6", *words))

    assert ended.status == 1
    late, after = ended.json["steps"]
    assert (late["error"], after["ok"]) == ("SANDBOX_TIMEOUT", True)
    assert process("while True: pass", words=("--timeout", "0.5", *words)).status == 7


def test_what_was_written_is_kept_when_the_time_of_all_steps_is_over(
    process: Any, home: Path
) -> None:
    # So long that the first step ends in time on a busy machine too.
    words = ("--total", "6", "--template", "base", "--keep-going", "--out", "results")
    ended = process(FIRST, "while True: pass", FIRST, words=words)

    assert ended.status == 7
    assert "its 6 s are used up" in ended.err
    assert (home / "results" / "sum").read_text() == "4"


def test_command_of_the_shell_is_refused_here_in_one_sentence(commands: Any) -> None:
    ended = commands("sandbox", "process", "$ sort in > out")

    assert ended.status == 4
    assert "starts no programs; write the step as a script" in ended.err
