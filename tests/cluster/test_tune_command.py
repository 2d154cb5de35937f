"""What `trader tune` refuses before Ray is started; searches themselves are in tests/ray."""

import io
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from cluster import ray_runtime
from cluster.cli import laboratory_options, main
from cluster.cli import tune as command

GIVEN = ("--symbols", "AAPL,KO", "--from", "2017", "--to", "2020-06", "--quiet")


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in list(os.environ):
        if name.upper().startswith(("TRADER_", "RAY_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TRADER_CLUSTER__STATE_DIR", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    return tmp_path / "state"


@pytest.fixture
def trader(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.callback()(lambda: None)
    app.command("tune")(command.tune)
    monkeypatch.setattr(main, "app", app)

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["trader", "tune", *words])
        with pytest.raises(SystemExit) as caught:
            main.main()
        return (int(caught.value.code or 0), *capsys.readouterr())

    return call


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("luck",), "no strategy 'luck'"),
        (("momentum", "--walk-forward", "24"), "walk-forward '24' is not understood"),
        (("momentum", "--walk-forward", "60m/6m"), "bars are too few for one training"),
        (("momentum", "--metric", "luck"), "no figure 'luck'"),
        (("momentum", "--algorithm", "grid"), "'volatility_target' has no step"),
        (("momentum", "--cost-bps", "-1"), "--cost-bps: costs: bps"),
        (("momentum", "--resume", "nothing"), "no run 'nothing'"),
        (("momentum", "--resume", "a", "--name", "b"), "not both"),
        (("momentum", "--data", "missing.csv"), "missing.csv"),
        (("momentum", "--to", "soon"), "'soon' is no date"),
    ],
)
def test_wrong_call_is_refused_in_one_sentence_without_ray(
    trader: Any, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], told: str
) -> None:
    def started(_: object) -> None:
        raise AssertionError("Ray was started")

    monkeypatch.setattr(ray_runtime, "start_local", started)
    given = [*GIVEN, *words[1:]]
    status, out, err = trader(words[0], *given)
    assert (status, out) == (2, "")
    (line,) = err.splitlines()
    assert told in line


def test_interruption_before_anything_was_measured_says_how_to_go_on(
    trader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pressed(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ray_runtime, "start_local", pressed)
    status, out, err = trader("momentum", *GIVEN, "--name", "x")
    assert (status, out) == (130, "")
    assert err.splitlines()[-1].endswith(f"{' '.join(GIVEN)} --resume x")


def test_command_to_go_on_names_the_run_once(monkeypatch: pytest.MonkeyPatch) -> None:
    words = [
        "trader",
        "tune",
        "a b",
        "--name",
        "old",
        "--resume=old",
        "--trials",
        "3",
        "--name=old",
    ]
    monkeypatch.setattr(sys, "argv", words)
    assert laboratory_options.how_to_go_on("new") == "trader tune 'a b' --trials 3 --resume new"
