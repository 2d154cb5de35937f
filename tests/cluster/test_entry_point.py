"""The entry point: help, versions, unknown commands, crashes, interruptions, secrets."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cluster import logs

CANARY = "canary-31c8"


def test_when_only_help_or_version_is_asked_nothing_heavy_is_imported() -> None:
    ours = ("ray", "numpy", "polars", "zmq", "structlog", "psutil", "cluster.config")
    typers = ("pydantic",)  # typer itself imports it for any one command
    for words in (["--help"], ["version"], ["run", "--help"]):
        heavy = ours + (typers if words == ["--help"] else ())
        code = (
            "import sys; from cluster.cli.main import app\n"
            f"try: app({words!r})\nexcept SystemExit: pass\n"
            f"print([name for name in {heavy!r} if name in sys.modules])"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines()[-1] == "[]", done.stdout + done.stderr


def test_when_the_version_is_asked_it_is_shown(trader: Any) -> None:
    assert trader("version").out.startswith("neural-trader ")
    assert set(trader("version", "--json").json) == {"name", "version"}


def test_when_a_command_is_unknown_the_exit_code_is_2(trader: Any) -> None:
    assert trader("rnu").status == 2
    assert trader("run", "--nonsense").status == 2
    assert trader("run", "--days", "0").status == 2


def test_when_something_unexpected_breaks_the_traceback_is_in_a_file(
    trader: Any, cluster: Any, home: Path
) -> None:
    cluster.snapshots = [RuntimeError(f"redis://u:{CANARY}@host broke")]
    ended = trader("status")
    assert ended.status == 1
    assert "Traceback" not in ended.err
    (line,) = ended.err.splitlines()
    path = home / ".local/state/neural-trader/crash.log"
    assert str(path) in line
    text = path.read_text(encoding="utf-8")
    assert "RuntimeError" in text
    assert CANARY not in text + ended.err


def test_when_interrupted_the_exit_code_is_130(trader: Any, cluster: Any) -> None:
    cluster.snapshots = [KeyboardInterrupt()]
    assert trader("status").status == 130


def test_when_secrets_are_around_no_command_prints_them(
    trader: Any, started: Any, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", CANARY)
    monkeypatch.setenv("TRADER_CLUSTER__JOURNAL", f"redis://user:{CANARY}@127.0.0.1:1/0")
    state = home / ".local/state/neural-trader/demo"
    state.mkdir(parents=True)
    for name in ("secret", "ray_token"):
        (state / name).write_text(CANARY)
    for words in (["run"], ["run", "--json"], ["up"], ["status", "--json"], ["orders"],
                  ["config", "show"], ["config", "show", "--json", "--origin"],
                  ["config", "check"], ["doctor"], ["doctor", "--json"],
                  ["replay", "--until", "1"]):  # fmt: skip
        ended = trader(*words)
        assert CANARY not in ended.out + ended.err, words
    assert logs.HIDDEN in trader("config", "show").out
