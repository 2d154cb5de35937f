"""`trader sweep` in this process: results, files, resuming, and every way to call it wrongly."""

import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import typer

from actors.feeds.sources import load_prices
from cluster.cli import laboratory_options, main
from cluster.cli import sweep as command
from cluster.exit_codes import ExitCode
from trading.backtest.engine import run_backtest
from trading.metrics.summary import metrics_of
from trading.strategies.momentum import Momentum
from trading.strategies.strategy import Bars
from tune import sweep as sweeps
from tune.prices import bars_of

DATA = ("--symbols", "AAPL,KO,XOM", "--from", "2017", "--to", "2020-06", "--workers", "0")
GRID = ("--fast", "5:25:10", "--slow=40:100:20")


class Ended:
    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


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
    app.command("sweep", context_settings=command.SETTINGS)(command.sweep)
    monkeypatch.setattr(main, "app", app)

    def call(*words: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["trader", "sweep", *words])
        with pytest.raises(SystemExit) as caught:
            main.main()
        return Ended(int(caught.value.code or 0), *capsys.readouterr())

    return call


def test_sweep_ends_with_a_table_a_verdict_and_a_report(trader: Any, state: Path) -> None:
    ended = trader("momentum", *GRID, *DATA, "--name", "first")
    assert ended.status == 0, ended.err
    assert "skip_bars=" in ended.out
    for words in ("buy_and_hold", "equal_weight", "Deflated Sharpe: ", "after 12 points"):
        assert words in ended.out
    assert "Points: 12 of 12" in ended.err
    report = state / "results" / "first" / "report.html"
    assert str(report) in ended.err
    html = report.read_text(encoding="utf-8")
    assert "skip_bars across, formation_bars up" in html
    assert "heatmap" in html
    points = pl.read_parquet(report.with_suffix(".parquet"))
    assert points.height == 12
    assert points["sharpe"].is_sorted(descending=True)
    summary = json.loads(report.with_suffix(".json").read_bytes())
    assert len(summary["results"]) == 12
    assert 0 < summary["deflated_sharpe"] < 1


def test_sweep_prints_the_figures_of_the_backtest_that_it_names(trader: Any) -> None:
    ended = trader("momentum", *GRID, *DATA, "--json", "--quiet", "--top", "3")
    assert ended.err == ""
    assert [set(each) for each in ended.json] == [{"strategy", "params", "metrics"}] * 3
    best = ended.json[0]
    bars = bars_of(load_prices("sp500", ("AAPL", "KO", "XOM")), "2017", "2020-06")
    assert isinstance(bars, Bars)
    settings = laboratory_options.settings_of(1.0)
    expected = metrics_of(run_backtest(bars, Momentum(**best["params"]).targets(bars), settings))
    assert best["metrics"]["sharpe"] == pytest.approx(expected.sharpe)
    assert best["metrics"]["max_drawdown"] == pytest.approx(expected.max_drawdown)


def test_points_are_ranked_by_the_figure_that_was_asked_for(trader: Any) -> None:
    ended = trader("momentum", *GRID, *DATA, "--json", "--metric", "volatility", "--top", "12")
    ranked = [each["metrics"]["volatility"] for each in ended.json]
    assert ranked == sorted(ranked)
    assert np.ptp(ranked) > 0


def test_interrupted_sweep_says_how_to_go_on_and_goes_on(
    trader: Any, monkeypatch: pytest.MonkeyPatch, state: Path
) -> None:
    monkeypatch.setattr(sweeps, "PROBE_POINTS", 2)
    monkeypatch.setattr(sweeps, "BATCH_MAX", 3)
    evaluate, done = sweeps.evaluate, []

    def interrupted(plan: Any, bars: Any, points: Any) -> Any:
        if len(done) >= 3:
            raise KeyboardInterrupt
        done.append(points)
        return evaluate(plan, bars, points)

    monkeypatch.setattr(sweeps, "evaluate", interrupted)
    ended = trader("momentum", *GRID, *DATA, "--name=second")
    assert ended.status == ExitCode.INTERRUPTED
    assert ended.out == ""
    (line,) = [line for line in ended.err.splitlines() if line.startswith("  trader ")]
    assert line.endswith("--workers 0 --resume second")
    monkeypatch.setattr(sweeps, "evaluate", lambda *args: done.append(args[2]) or evaluate(*args))
    done.clear()
    again = trader(*line.split()[2:], "--quiet")
    assert again.status == 0, again.err
    assert sum(len(points) for points in done) == 12 - 5
    undisturbed = trader("momentum", *GRID, *DATA, "--quiet", "--name", "third")
    assert again.out == undisturbed.out
    done.clear()
    shown = trader(*line.split()[2:])
    assert "has ended before" in shown.err
    assert (shown.out, done) == (again.out, [])


def test_three_parameters_are_mapped_by_the_best_of_the_third(trader: Any, state: Path) -> None:
    ended = trader("momentum", *GRID, "--top_k", "1,2", *DATA, "--report", "map.html")
    assert ended.status == 0, ended.err
    points = pl.read_parquet("map.parquet")
    assert points.height == 24
    assert "top_k=" in ended.out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("luck", "--a", "1:2"), "no strategy 'luck'"),
        (("momentum", "--fsat", "1:2"), "did you mean --fast?"),
        (("momentum", "--zebra", "1:2"), "it has fast, slow, formation_bars"),
        (("momentum",), "name at least one parameter"),
        (("momentum", "--fast"), "--fast needs values"),
        (("momentum", "--fast", "--slow", "1:2"), "--fast needs values"),
        (("momentum", "--fast", "9:2"), "--fast: '9:2' must rise"),
        (("momentum", "--fast", "a:b"), "--fast: 'a:b' is no range"),
        (("momentum", "--fast", "1:2", "--skip-bars", "3"), "skip_bars is given twice"),
        (("momentum", "stray", "--fast", "1:2"), "'stray' belongs to no option"),
        (("--fast", "1:2", "momentum"), "name the strategy first"),
        (("momentum", *GRID, "--metric", "luck"), "no figure 'luck'"),
        (("momentum", *GRID, "--cost-bps", "-1"), "--cost-bps: costs: bps"),
        (("momentum", *GRID, "--resume", "nothing"), "no run 'nothing'"),
        (("momentum", *GRID, "--resume", "a", "--name", "b"), "not both"),
        (("momentum", *GRID, "--name", "a/b"), "A run cannot be called 'a/b'"),
        (("momentum", *GRID, "--symbols", "ZZZ"), "ZZZ"),
        (("momentum", *GRID, "--from", "2030"), "no bars from 2030"),
        (("momentum", "--fast", "200:202", "--slow", "20", *DATA), "None of 3 points"),
    ],
)
def test_wrong_call_is_refused_in_one_sentence(
    trader: Any, words: tuple[str, ...], told: str
) -> None:
    ended = trader(*words, "--quiet")
    assert (ended.status, ended.out) == (2, "")
    (line,) = ended.err.splitlines()
    assert told in line


def test_name_of_another_sweep_is_refused(trader: Any) -> None:
    assert trader("momentum", "--fast", "5,6", *DATA, "--name", "taken").status == 0
    ended = trader("momentum", "--fast", "5,7", *DATA, "--name", "taken", "--quiet")
    assert ended.status == 2
    assert "made of something else" in ended.err
