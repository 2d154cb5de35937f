"""`trader sandbox` from the command line, on a real rung."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cluster import sandboxes
from cluster.config import load_config
from cluster.sandboxes import SandboxChoice, choice_of, open_backend
from sandboxes.attacks import run as attacks
from sandboxes.attacks.run import AttackResult
from sandboxes.errors import IsolationUnavailable, SandboxRefused
from sandboxes.local.backend import LocalBackend
from tests.cluster.sandboxed_commands import STRATEGY, asked, commands

__all__ = ["asked", "commands"]
REAL = open_backend
SCRIPT = """
import sys
print("read", open("given.txt").read())
print("oops", file=sys.stderr)
with open("made.txt", "w") as file:
    file.write("made")
"""


@pytest.fixture
def execute(commands: Callable[..., Any], home: Path) -> Callable[..., Any]:
    def call(script: str, *words: str) -> Any:
        (home / "script.py").write_text(script)
        return commands("sandbox", "exec", "script.py", *words)

    return call


def test_script_gets_files_and_gives_files_and_its_output(execute: Any, home: Path) -> None:
    (home / "given.txt").write_text("this")

    ended = execute(SCRIPT, "--file", "given.txt", "--out", "results", "--json")

    assert ended.status == 0, ended.err
    told = ended.json
    assert (told["ok"], told["exit_code"], told["error"]) == (True, 0, "")
    assert (told["stdout"], told["stderr"]) == ("read this\n", "oops\n")
    assert told["rung"] in ("L1", "L2")
    assert told["seconds"] > 0
    assert told["files"] == {"made.txt": 4}
    assert (home / "results" / "made.txt").read_text() == "made"


def test_output_of_a_script_is_passed_on_without_what_steers_a_terminal(execute: Any) -> None:
    ended = execute("print('a\\x1b[31mb')")

    assert ended.status == 0
    assert ended.out == "a\ufffd[31mb\n"
    assert "exit code 0" in ended.err


def test_script_that_fails_ends_with_1_and_tells_its_own_code(execute: Any) -> None:
    ended = execute("import sys; sys.exit(3)", "--json")

    assert ended.status == 1
    assert (ended.json["ok"], ended.json["exit_code"]) == (False, 3)


def test_script_that_takes_too_long_is_killed_with_7(execute: Any) -> None:
    ended = execute("while True: pass", "--timeout", "0.5", "--json")

    assert ended.status == 7
    assert ended.json["error"] == "SANDBOX_TIMEOUT"
    assert ended.json["exit_code"] is None


def test_script_that_is_missing_and_files_of_one_name_are_refused(execute: Any, home: Path) -> None:
    (home / "a").mkdir()
    for place in ("x", "a/x"):
        (home / place).write_text("")

    assert execute("", "--file", "none.txt").status == 2
    assert "two files are called x" in execute("", "--file", "x", "--file", "a/x").err


def test_strategy_runs_over_real_prices(commands: Any, home: Path) -> None:
    (home / "own.py").write_text(STRATEGY)

    ended = commands(
        *("sandbox", "run", "own.py", "--symbols", "AAPL,KO", "--from", "2015", "-p", "size=0.25"),
        "--json",
    )

    assert ended.status == 0, ended.err
    assert ended.json["rung"] in ("L1", "L2")
    assert set(ended.json["weights"]) == {"AAPL.XNAS", "KO.XNAS"}
    assert set(ended.json["weights"].values()) <= {0.0, 0.25}
    assert ended.json["metrics"]["trades"] > 10


def test_strategy_that_raises_is_told_with_its_own_error(commands: Any, home: Path) -> None:
    (home / "own.py").write_text("LOOKBACK = 1\ndef targets(bars):\n    return 1 / 0\n")

    ended = commands("sandbox", "run", "own.py", "--symbols", "KO", "--from", "2018")

    assert ended.status == 1
    assert "ZeroDivisionError" in ended.err
    assert "[SANDBOX_STRATEGY_FAILED]" in ended.err


@pytest.mark.parametrize(("held", "status"), [(True, 0), (False, 1)])
def test_check_tells_every_attack_and_fails_when_one_escaped(
    commands: Any, monkeypatch: pytest.MonkeyPatch, held: bool, status: int
) -> None:
    """The attacks themselves are made in tests/sandboxes."""
    found = (
        AttackResult(name="a01_x", what="Look", held=True, how="2 x EPERM: tcp, udp"),
        AttackResult(name="a02_y", what="Take", held=held, how="by the door"),
    )
    monkeypatch.setattr(attacks, "run_attacks", lambda *_: found)

    ended = commands("sandbox", "check", "--json")

    assert ended.status == status
    assert ended.json["backend"] == "local"
    assert [each["held"] for each in ended.json["attacks"]] == [True, held]
    assert ended.json["attacks"][0]["how"] == "2 x EPERM: tcp, udp"
    assert commands("sandbox", "check").status == status


def test_no_isolation_ends_with_3_and_says_why(
    commands: Any, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    def refuse(_: SandboxChoice) -> None:
        raise IsolationUnavailable({"L1": "bubblewrap is missing", "L2": "no Landlock"})

    monkeypatch.setattr(sandboxes, "open_backend", refuse)
    (home / "own.py").write_text(STRATEGY)

    for words in (("check",), ("run", "own.py", "--symbols", "KO"), ("exec", "own.py")):
        ended = commands("sandbox", *words)
        assert ended.status == 3
        assert "L1: bubblewrap is missing; L2: no Landlock" in ended.err


def test_options_and_configuration_choose_the_backend(
    commands: Any, asked: list[SandboxChoice], execute: Any, state: Path
) -> None:
    execute("pass", "--backend", "local", "--least-rung", "L1")

    assert asked == [
        SandboxChoice(
            home=str(state / "sandboxes"), cluster="demo", backend="local", least_rung="L1"
        )
    ]
    assert execute("pass", "--backend", "here").status == 4


def test_key_chooses_e2b_and_a_failure_there_is_never_made_up_for_here(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_local(*_: object) -> None:
        raise AssertionError("it was asked to run here")

    def unreachable(*_: object) -> None:
        raise IsolationUnavailable({"e2b": "it does not answer"})

    monkeypatch.setattr(LocalBackend, "__init__", no_local)
    monkeypatch.setattr(sandboxes, "_at_e2b", unreachable)
    monkeypatch.setenv(sandboxes.KEY, "e2b_0")

    with pytest.raises(IsolationUnavailable, match="does not answer"):
        REAL(choice_of(load_config(None, {})))


def test_e2b_without_a_key_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(sandboxes.KEY, raising=False)

    with pytest.raises(SandboxRefused, match="set E2B_API_KEY"):
        REAL(choice_of(load_config(None, {}), "e2b"))
