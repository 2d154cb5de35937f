"""`trader sweep` in this process: results, files, resuming, and every way to call it wrongly."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from actors.feeds.sources import load_prices
from cluster.cli import laboratory_options
from cluster.exit_codes import ExitCode
from trading.backtest.engine import run_backtest
from trading.metrics.summary import metrics_of
from trading.strategies.momentum import Momentum
from trading.strategies.strategy import Bars
from tune import sweep as sweeps
from tune.prices import bars_of

DATA = ("--symbols", "AAPL,KO,XOM", "--from", "2017", "--to", "2020-06", "--workers", "0")
GRID = ("--fast", "5:25:10", "--slow=40:100:20")


@pytest.fixture
def trader(trader: Any) -> Any:
    return partial(trader, "sweep")


def test_sweep_ends_with_a_table_a_verdict_and_a_report(trader: Any, state: Path) -> None:
    ended = trader("momentum", *GRID, *DATA, "--name", "first")
    assert ended.status == 0, ended.err
    assert "skip_bars=" in ended.out
    for words in (
        "buy_and_hold",
        "equal_weight",
        "Deflated Sharpe: ",
        "after 12 points that count as ",
    ):
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
    assert 1 < summary["independent_trials"] < 12


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


def test_parameter_that_is_given_has_one_value_at_every_point(trader: Any) -> None:
    fixed = ("--param", "top_k=1", "-p", "allow_short=true")
    ended = trader("momentum", *GRID, *DATA, *fixed, "--json", "--quiet", "--top", "12")
    assert ended.status == 0, ended.err
    assert len(ended.json) == 12
    assert all(each["params"]["top_k"] == 1 for each in ended.json)
    assert all(each["params"]["allow_short"] is True for each in ended.json)
    best = ended.json[0]
    bars = bars_of(load_prices("sp500", ("AAPL", "KO", "XOM")), "2017", "2020-06")
    settings = laboratory_options.settings_of(1.0)
    expected = metrics_of(run_backtest(bars, Momentum(**best["params"]).targets(bars), settings))
    assert best["metrics"]["sharpe"] == pytest.approx(expected.sharpe)


TREND = ("neural_trend", "--entry-ratio", "0.1,0.3", *DATA)


def test_sweep_trades_on_the_forecaster_that_was_named(trader: Any, state: Path) -> None:
    ended = trader(*TREND, "--forecaster", "drift", "--name", "drifting")
    assert ended.status == 0, ended.err
    assert "Forecasts: drift, fitted" in ended.out
    manifest = json.loads((state / "results" / "drifting" / "manifest.json").read_bytes())
    assert manifest["data"]["source"].endswith("forecaster drift")
    drift = trader(*TREND, "--forecaster", "drift", "--resume", "drifting", "--json").json
    other = trader(*TREND, "--json").json
    assert drift[0]["metrics"]["sharpe"] != other[0]["metrics"]["sharpe"]


def test_sweep_trades_on_the_scores_of_a_file(trader: Any, home: Path) -> None:
    words = ("neural_sentiment", "--entry-z", "0.5,1", *DATA, "--json", "--name", "told")
    scores = [
        f"20{year}-{month:02}-03,AAPL,{0.9 - 0.1 * month}"
        for year in (18, 19)
        for month in range(1, 13)
    ]
    (home / "tone.csv").write_text("\n".join(["time,symbol,score", *scores]))
    ended = trader(*words, "--sentiment", "tone.csv")
    assert ended.status == 0, ended.err
    summary = json.loads(next(home.rglob("report.json")).read_bytes())
    assert summary["notes"][0] == "Sentiment: tone.csv."
    (home / "tone.csv").write_text("\n".join(["time,symbol,score", *scores[:-1]]))
    changed = trader(*words, "--sentiment", "tone.csv", "--quiet")
    assert changed.status == 2
    assert "made of something else: data was" in changed.err


def test_sweep_mirrors_the_holdings_of_a_file(trader: Any, home: Path) -> None:
    (home / "held.csv").write_text(
        "report_date,disclosed_date,symbol,value\n2018-12-31,2019-02-14,KO,100\n"
    )
    words = ("mirror", "--delay-bars", "0,5", *DATA, "--holdings", "held.csv", "--name", "held")
    ended = trader(*words)
    assert ended.status == 0, ended.err
    assert "Leader: held.csv." in ended.out


def test_sweep_of_split_shares_trades_the_quoted_prices(trader: Any, home: Path) -> None:
    write_split_shares(home)
    imported = ("data", "import", "own", "closes.csv", "--schema", "wide", "--actions", "a.csv")
    assert trader.func(*imported).status == 0
    words = ("mean_reversion", "--window-bars", "5,8", "--data", "catalogue:own", "--json")
    swept = {each["params"]["window_bars"]: each["metrics"] for each in trader(*words).json}
    costs = ("--fee-bps", "1", "--fee-per-unit", "0", "--fee-min", "0", *words[3:])
    for window, found in swept.items():
        run = trader.func("backtest", words[0], "-p", f"window_bars={window}", *costs).json[0]
        assert found["total_return"] == pytest.approx(run["metrics"]["total_return"])
        assert found["sharpe"] == pytest.approx(run["metrics"]["sharpe"])


def write_split_shares(home: Path) -> None:
    """Closes of 60 days, one share split by two in the middle."""
    days = np.arange("2020-01-06", "2020-03-30", dtype="datetime64[D]")
    days = days[np.is_busday(days)]
    random = np.random.default_rng(1)
    rows = [
        f"{day},{(100 if i < 30 else 50) * (1 + random.normal(0, 0.02)):.2f},{30 + random.normal():.2f}"
        for i, day in enumerate(days)
    ]
    (home / "closes.csv").write_text("\n".join(["Date,AAA,BBB", *rows]))
    (home / "a.csv").write_text(f"symbol,ex_date,kind,value\nAAA,{days[30]},split,2\n")


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

    def interrupted(plan: Any, bars: Any, points: Any, *rest: Any) -> Any:
        if len(done) >= 3:
            raise KeyboardInterrupt
        done.append(points)
        return evaluate(plan, bars, points, *rest)

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
        (("momentum", *GRID, "-p", "topk=3"), "no parameter 'topk'; did you mean top_k?"),
        (("momentum", *GRID, "-p", "zebra=3"), "no parameter 'zebra'; it has formation_bars"),
        (("momentum", *GRID, "-p", "top_k"), "write NAME=VALUE"),
        (("momentum", *GRID, "-p", "skip_bars=5"), "skip_bars is given twice"),
        (("momentum", "-p", "top_k=3"), "name at least one parameter"),
        ((*TREND, "--forecaster", "oracle"), "no forecaster 'oracle'"),
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


def test_name_of_a_sweep_with_another_fixed_parameter_is_refused(trader: Any) -> None:
    words = ("momentum", "--fast", "5,6", *DATA, "--name", "taken", "--quiet", "-p")
    assert trader(*words, "top_k=1").status == 0
    assert trader(*words, "top_k=1").status == 0
    ended = trader(*words, "top_k=2")
    assert ended.status == 2
    assert "plan values top_k was [1] and is [2]" in ended.err
