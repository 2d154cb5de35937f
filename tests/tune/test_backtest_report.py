"""The report of backtests: one page that loads nothing, and figures that are those of the runs."""

import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from trading.backtest.settings import BacktestSettings, Costs, Exits
from trading.errors import UsageError
from trading.identifiers import InstrumentId
from trading.indicators.rolling import FloatArray
from trading.strategies.momentum import Momentum
from trading.strategies.strategy import Bars
from trading.validation.monte_carlo import resample_returns
from trading.validation.sensitivity import cost_sensitivity
from tune.backtest import StrategyRun, backtest, returns_under_costs, yardsticks
from tune.report.backtest_report import (
    COLUMNS,
    TRADES_MAX,
    Details,
    report_html,
    results_of,
    summary_rows,
    write_report,
)

DAY_NS = 86_400 * 10**9
ROWS = 500
NASTY = '</script><img src=x onerror=alert(1)>&"'
SETTINGS = BacktestSettings(costs=Costs(bps=2.5, minimum=1.0))
COURSES = (
    "equity", "cash", "gross", "net", "traded", "commission", "slippage", "interest", "dividends",
)  # fmt: skip


def walk(seed: int = 2) -> Bars:
    steps = np.random.default_rng(seed).normal(0.0006, 0.015, (ROWS, 3))
    ts = 1_500_000_000 * 10**9 + DAY_NS * np.arange(ROWS, dtype=np.int64)
    ids = tuple(InstrumentId(f"{name}.X") for name in ("AAA", "B<b>B", "CCC"))
    return Bars.of_closes(ts, ids, 100.0 * np.exp(np.cumsum(steps, axis=0)))


class Weekly:
    """All weight on one instrument, another every third bar: many trades."""

    lookback = 1

    def targets(self, bars: Bars) -> FloatArray:
        turn = np.arange(len(bars)) // 3 % 3
        return np.where(turn[:, None] == np.arange(3), 0.9, 0.0)


class Idle:
    lookback = 1

    def targets(self, bars: Bars) -> FloatArray:
        return np.zeros(bars.close.shape)


def details_of(run: StrategyRun, bars: Bars) -> Details:
    weights = np.zeros(bars.close.shape)
    costs = cost_sensitivity(*returns_under_costs(weights, bars, SETTINGS))
    random = np.random.default_rng(0)
    courses = resample_returns(run.result.returns, run.metrics.periods_per_year, random, paths=200)
    return Details(courses, costs)


@pytest.fixture(scope="module")
def bars() -> Bars:
    return walk()


@pytest.fixture(scope="module")
def runs(bars: Bars) -> list[StrategyRun]:
    strategies: dict[str, Any] = {
        "momentum": Momentum(formation_bars=60, skip_bars=5, top_k=2),
        NASTY: Weekly(),
        "idle": Idle(),
    }
    found = [backtest(name, each, bars, SETTINGS) for name, each in strategies.items()]
    found[0] = replace(found[0], notes=("Forecasts: <i>none</i>.",))
    return [*found, *yardsticks(bars, SETTINGS)]


@pytest.fixture(scope="module")
def one(runs: list[StrategyRun], bars: Bars) -> str:
    """The page of a single strategy, with all details."""
    chosen = [runs[1], *runs[-2:]]
    return report_html(chosen, bars, "prices & <more>.csv", details_of(runs[1], bars))


class Page(HTMLParser):
    """Rows of tables, tags with what they load, paragraphs' text, scripts."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.rows: list[list[str]] = []
        self.scripts: list[str] = []
        self.text = ""
        self._is_script = False
        self._in_cell = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        names = {"src", "href", "srcset", "data", "action", "poster", "background"}
        self.loads += [str(value) for name, value in attrs if name in names]
        self._is_script = tag == "script"
        if self._is_script:
            self.scripts.append("")
        if tag == "tr":
            self.rows.append([])
        self._in_cell = tag in {"td", "th"}
        if self._in_cell:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._is_script = False
        if tag in {"thead", "tbody", "table"}:
            self._in_cell = False

    def handle_data(self, data: str) -> None:
        if self._is_script:
            self.scripts[-1] += data
            return
        self.text += data
        if self._in_cell:
            self.rows[-1][-1] += data

    def row(self, first: str) -> list[str]:
        (found,) = (row for row in self.rows if row[0] == first)
        return found


def number(text: str) -> float:
    return math.nan if text == "-" else float(text.replace(",", ""))


# -- the page


@pytest.mark.parametrize("kind", ["one", "several"])
def test_when_a_page_is_opened_nothing_is_loaded(
    kind: str, one: str, runs: list[StrategyRun], bars: Bars
) -> None:
    html = one if kind == "one" else report_html(runs, bars, "sp500")
    seen = Page(html)
    assert seen.loads == []
    assert set(seen.tags).isdisjoint({"link", "iframe", "object", "embed", "base", "img", "a"})
    style = html[html.index("<style>") : html.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    assert sum("* plotly.js v" in each for each in seen.scripts) == 1
    ours = [each for each in seen.scripts if "* plotly.js v" not in each]
    assert not any(re.search(r"(import|fetch|XMLHttpRequest)\s*\(", each) for each in ours)


def test_when_a_name_holds_markup_it_is_shown_as_text(
    one: str, runs: list[StrategyRun], bars: Bars
) -> None:
    for html in (one, report_html(runs, bars, NASTY)):
        seen = Page(html)
        assert "img" not in seen.tags
        assert "i" not in seen.tags
        assert NASTY in seen.text
        # No name can end the script that draws it: no script but the last has markup behind it.
        assert "<img" not in html
        plots = [each for each in seen.scripts if "Plotly.newPlot" in each]
        assert all(each.rstrip().endswith("}") or each.rstrip().endswith(";") for each in plots)
    assert "B<b>B" in Page(one).text
    assert "prices & <more>.csv" in Page(one).text
    assert "momentum: Forecasts: <i>none</i>." in Page(report_html(runs, bars, "x")).text


def test_when_runs_are_compared_the_table_has_the_figures_of_the_metrics(
    runs: list[StrategyRun], bars: Bars
) -> None:
    seen = Page(report_html(runs, bars, "sp500"))
    assert list(COLUMNS) in seen.rows
    for run in runs:
        row, m = seen.row(run.strategy), run.metrics
        exact = (
            100 * m.total_return, 100 * m.annual_return, 100 * m.volatility, m.sharpe, m.sortino,
            m.calmar, 100 * m.max_drawdown, m.turnover, m.trades, 100 * m.win_rate,
            100 * m.exposure, m.commission + m.slippage, 100 * m.probabilistic_sharpe,
        )  # fmt: skip
        digits = (1, 2, 1, 2, 2, 2, 1, 1, 0, 1, 0, 0, 1)
        for text, value, places in zip(row[1:], exact, digits, strict=True):
            if math.isfinite(value):
                assert number(text) == pytest.approx(value, abs=0.5001 * 10.0**-places)
            else:
                assert text == "-"


def test_when_nothing_is_defined_the_table_says_so_with_a_dash(runs: list[StrategyRun]) -> None:
    row = dict(zip(COLUMNS, summary_rows(runs)[2], strict=True))
    assert row["return %"] == "0.0"
    assert row["Sharpe"] == "-"
    assert row["trades"] == "0"


def test_when_one_strategy_is_told_of_the_page_has_every_figure(
    one: str, runs: list[StrategyRun]
) -> None:
    run, seen = runs[1], Page(one)
    for name, value in msgspec.structs.asdict(run.metrics).items():
        shown = seen.row(name.replace("_", " "))[1]
        if math.isfinite(value):
            assert number(shown) == pytest.approx(value, rel=1e-5, abs=1e-9)
        else:
            assert shown in {"nan", "inf"}
    assert f"{run.result.equity[-1]:,.0f}" in seen.text
    assert "200 courses" in seen.text
    assert "Even without costs nothing is earned." in seen.text


def test_when_there_are_many_trades_the_newest_are_shown_and_the_page_says_so(
    one: str, runs: list[StrategyRun], bars: Bars
) -> None:
    many = backtest("many", Weekly(), bars, BacktestSettings(exits=Exits(stop_loss=0.005)))
    for run, html in (
        (runs[1], one),
        (many, report_html([many], bars, "x", details_of(many, bars))),
    ):
        seen, trades = Page(html), run.result.trades
        rows = [row for row in seen.rows if len(row) == 8 and row[1] in {"long", "short"}]
        assert len(rows) == min(len(trades), TRADES_MAX)
        newest = np.argsort(-trades.exit_bar, kind="stable")[: len(rows)]
        for row, i in zip(rows, newest.tolist(), strict=True):
            assert number(row[7]) == pytest.approx(trades.profit[i], abs=0.0051)
            assert f"{row[0]}.X" == bars.instrument_ids[trades.column[i]]
        expected = (
            f"The newest {TRADES_MAX} of" if len(trades) > TRADES_MAX else "All, newest first"
        )
        assert expected in seen.text


def test_when_nothing_was_traded_the_page_says_so(runs: list[StrategyRun], bars: Bars) -> None:
    seen = Page(report_html([runs[2]], bars, "x", details_of(runs[2], bars)))
    assert "Nothing was traded." in seen.text


def test_when_the_stocks_are_survivors_the_page_says_so(
    runs: list[StrategyRun], bars: Bars
) -> None:
    assert "survived" in Page(report_html(runs, bars, "sp500")).text
    assert "survived" not in Page(report_html(runs, bars, "other.csv")).text


def test_when_costs_were_assumed_the_footer_names_them(one: str) -> None:
    text = " ".join(Page(one).text.split())
    assert "filled at next open; 2.5 basis points, 0 per unit, at least 1 per fill" in text


def test_when_everything_was_lost_the_page_says_when(bars: Bars) -> None:
    close = bars.close.copy()
    close[100:, 0] /= 1000.0
    crashed = Bars.of_closes(bars.ts, bars.instrument_ids, close)
    limits = msgspec.structs.replace(SETTINGS.limits, max_leverage=3.0)

    class Bold:
        lookback = 1

        def targets(self, bars: Bars) -> FloatArray:
            return np.array([3.0, 0.0, 0.0]) * np.ones(bars.close.shape)

    run = backtest("bold", Bold(), crashed, msgspec.structs.replace(SETTINGS, limits=limits))
    assert run.result.ruined_at == 100
    assert "bold lost everything at bar 101." in Page(report_html([run], crashed, "x")).text


# -- the files


@pytest.fixture(scope="module")
def written(runs: list[StrategyRun], bars: Bars, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(runs, bars, tmp_path_factory.mktemp("report") / "new" / "out.html", "sp500")


def test_when_a_report_is_written_three_files_lie_side_by_side(written: Path) -> None:
    assert written.is_absolute()
    assert {each.name for each in written.parent.iterdir()} == {
        "out.html", "out.json", "out.parquet",
    }  # fmt: skip


def test_when_the_json_is_read_it_has_finite_numbers_or_null(
    written: Path, runs: list[StrategyRun]
) -> None:
    def refuse(text: str) -> None:
        raise AssertionError(text)

    text = written.with_suffix(".json").read_text(encoding="utf-8")
    found = json.loads(text, parse_constant=refuse)
    assert [each["strategy"] for each in found] == [run.strategy for run in runs]
    for each, run in zip(found, runs, strict=True):
        assert set(each) == {"strategy", "params", "metrics"}
        assert each["params"] == dict(run.params)
        exact = msgspec.structs.asdict(run.metrics)
        assert set(each["metrics"]) == set(exact)
        for name, value in each["metrics"].items():
            assert value == (exact[name] if math.isfinite(exact[name]) else None)
    assert found[2]["metrics"]["sharpe"] is None
    assert found == json.loads(msgspec.json.encode(results_of(runs)))


def test_when_the_parquet_is_read_it_has_every_bar_of_every_run(
    written: Path, runs: list[StrategyRun], bars: Bars
) -> None:
    frame = pl.read_parquet(written.with_suffix(".parquet"))
    assert frame.columns == ["strategy", "ts", *COURSES]
    assert len(frame) == len(runs) * ROWS
    for run in runs:
        rows = frame.filter(pl.col("strategy") == run.strategy)
        np.testing.assert_array_equal(rows["ts"].to_numpy(), bars.ts)
        for name in COURSES:
            np.testing.assert_array_equal(rows[name].to_numpy(), getattr(run.result, name), name)


def test_when_it_is_written_again_nothing_of_the_old_one_is_left(
    tmp_path: Path, runs: list[StrategyRun], bars: Bars
) -> None:
    for chosen in (runs, runs[-1:]):
        path = write_report(chosen, bars, tmp_path / "out.html", "sp500")
        assert len(json.loads(path.with_suffix(".json").read_bytes())) == len(chosen)
        assert len(pl.read_parquet(path.with_suffix(".parquet"))) == len(chosen) * ROWS
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("name", ["folder.html", "file/out.html", "taken.html", "used.html"])
def test_when_a_file_cannot_be_written_none_is(
    tmp_path: Path, runs: list[StrategyRun], bars: Bars, name: str
) -> None:
    for folder in ("folder.html", "taken.json", "used.parquet"):
        (tmp_path / folder).mkdir()
    (tmp_path / "file").write_text("kept", encoding="utf-8")
    before = {each.name for each in tmp_path.rglob("*")}
    with pytest.raises(UsageError, match="the report cannot be written to"):
        write_report(runs[-1:], bars, tmp_path / name, "sp500")
    assert {each.name for each in tmp_path.rglob("*")} == before


@pytest.mark.parametrize("name", ["out.json", "out.parquet"])
def test_when_the_page_would_have_the_name_of_a_file_beside_it_that_is_refused(
    tmp_path: Path, runs: list[StrategyRun], bars: Bars, name: str
) -> None:
    with pytest.raises(UsageError, match=name):
        write_report(runs[-1:], bars, tmp_path / name, "sp500")
    assert list(tmp_path.iterdir()) == []
