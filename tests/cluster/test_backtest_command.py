"""`trader backtest` from the command line: what it prints and writes, how it ends, what it refuses."""

import json
import math
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from trading.strategies.registry import known_strategies

YARDSTICKS = ["buy_and_hold", "equal_weight"]
THREE = ("--symbols", "AAPL,MSFT,KO")
SHORT = (*THREE, "--from", "2020")
USER_STRATEGY = """
import numpy as np

class Mine:
    lookback = 1

    def targets(self, bars):
        weights = np.full(bars.close.shape, 0.25)
        {change}
        return weights
"""


@pytest.fixture
def backtest(trader: Any) -> Any:
    return partial(trader, "backtest")


def table_of(text: str) -> list[list[str]]:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    return [rows[0], *rows[2:]]


# -- results


def test_when_points_are_asked_for_the_equity_is_told_from_the_first_to_the_last_bar(
    backtest: Any,
) -> None:
    told = backtest("momentum", *SHORT, "--points", "50", "--json").json[0]
    assert len(told["equity"]) == 50
    assert [point["at"] for point in told["equity"]] == sorted(p["at"] for p in told["equity"])
    grown = told["equity"][-1]["equity"] / 1_000_000 - 1
    assert grown == pytest.approx(told["metrics"]["total_return"])
    assert "equity" not in backtest("momentum", *SHORT, "--json").json[0]


def test_when_one_strategy_runs_the_table_the_report_and_the_notes_are_there(
    backtest: Any, home: Path
) -> None:
    ended = backtest("momentum", *THREE, "--from", "2015", "--report", "out.html")
    assert ended.status == 0, ended.err
    headings, *rows = table_of(ended.out)
    assert headings[0] == "strategy"
    assert [row[0] for row in rows] == ["momentum", *YARDSTICKS]
    assert "of 10,000 resampled courses end with a loss." in ended.err
    assert f"Report: {home / 'out.html'}" in ended.err
    assert {each.name for each in home.iterdir()} >= {"out.html", "out.json", "out.parquet"}
    assert "momentum: 2015-01-02 to " in (home / "out.html").read_text(encoding="utf-8")
    figures = json.loads((home / "out.json").read_bytes())
    assert [each["strategy"] for each in figures] == ["momentum", *YARDSTICKS]
    shown = [float(row[headings.index("a year %")]) for row in rows]
    for text, each in zip(shown, figures, strict=True):
        assert text == pytest.approx(100 * each["metrics"]["annual_return"], abs=0.0051)
    courses = pl.read_parquet(home / "out.parquet")
    assert len(courses) == sum(each["metrics"]["bars"] for each in figures)


def test_when_all_run_stdout_is_one_list_in_order_of_the_sharpe_ratio(
    backtest: Any, state: Path
) -> None:
    ended = backtest("--all", "--from", "2018", "--json")
    assert ended.status == 0, ended.err
    found = ended.json
    assert isinstance(found, list)
    names = [each["strategy"] for each in found]
    assert names[-2:] == YARDSTICKS
    assert sorted(names[:-2]) == list(known_strategies())
    assert len(names) == 12
    sharpe = [each["metrics"]["sharpe"] for each in found[:-2]]
    order = [-math.inf if each is None else each for each in sharpe]
    assert order == sorted(order, reverse=True)
    for each in found:
        assert set(each) == {"strategy", "params", "metrics"}
        assert each["metrics"]["bars"] == found[0]["metrics"]["bars"]
    (page,) = (state / "backtests").glob("*.html")
    assert json.loads(page.with_suffix(".json").read_bytes()) == found


def test_when_parameters_are_given_they_are_read_as_what_they_are(backtest: Any) -> None:
    ended = backtest(
        "momentum", *SHORT, "--json", "-p", "top_k=2", "-p", "allow_short=true",
        "-p", "volatility_target=0.25", "-p", "formation_bars=60",
    )  # fmt: skip
    params = ended.json[0]["params"]
    assert params["top_k"] == 2
    assert params["allow_short"] is True
    assert params["volatility_target"] == 0.25
    assert params["formation_bars"] == 60


def test_when_costs_rise_the_result_falls_and_costs_are_told(backtest: Any) -> None:
    free = (
        "--fee-per-unit",
        "0",
        "--fee-min",
        "0",
        "--half-spread-bps",
        "0",
        "--slippage-bps",
        "0",
    )
    cheap = backtest("mean_reversion", *SHORT, "--json", *free).json
    dear = backtest("mean_reversion", *SHORT, "--json", *free, "--fee-bps", "50").json
    assert cheap[0]["metrics"]["commission"] == cheap[0]["metrics"]["slippage"] == 0
    assert dear[0]["metrics"]["commission"] > 0
    for name in ("total_return", "sharpe"):
        assert dear[0]["metrics"][name] < cheap[0]["metrics"][name]


def test_when_signals_stand_in_the_notes_say_so(backtest: Any, state: Path) -> None:
    ended = backtest("neural_sentiment", *SHORT)
    assert ended.status == 0, ended.err
    assert "a tone made of the prices themselves" in ended.err
    (page,) = (state / "backtests").glob("*.html")
    assert "a tone made of the prices themselves" in page.read_text(encoding="utf-8")


def test_when_files_of_signals_are_given_they_are_used(backtest: Any, home: Path) -> None:
    (home / "held.csv").write_text(
        "report_date,disclosed_date,symbol,value\n2019-12-31,2020-02-14,AAPL,100\n"
    )
    ended = backtest("mirror", *SHORT, "--holdings", "held.csv", "--json")
    assert ended.status == 0, ended.err
    assert ended.json[0]["metrics"]["trades"] >= 1
    assert ended.json[0]["metrics"]["exposure"] < 1


def test_when_it_is_quiet_stderr_is_empty(backtest: Any) -> None:
    ended = backtest("momentum", *SHORT, "--quiet", "--report", "a.html")
    assert (ended.status, ended.err) == (0, "")
    assert len(table_of(ended.out)) == 4


def test_when_a_file_holds_the_strategy_it_is_run_under_the_files_name(
    backtest: Any, home: Path
) -> None:
    (home / "mine.py").write_text(USER_STRATEGY.format(change="pass"))
    ended = backtest("mine.py:Mine", *SHORT, "--json")
    assert ended.status == 0, ended.err
    assert [each["strategy"] for each in ended.json] == ["mine", *YARDSTICKS]


def test_when_the_order_path_is_asked_for_its_books_agree(backtest: Any) -> None:
    words = ("mean_reversion", *THREE, "--from", "2021-06", "--gear", "event")
    ended = backtest(*words)
    assert ended.status == 0, ended.err
    headings, row = table_of(ended.out)
    shown = dict(zip(headings, row, strict=True))
    assert shown["strategy"] == "mean_reversion"
    assert shown["books agree"] == "yes"
    (found,) = backtest(*words, "--json").json
    assert set(found) == {"strategy", "params", "metrics"}
    assert found["metrics"]["books_agree"] is True
    assert found["metrics"]["fills"] == int(shown["fills"]) > 0
    assert float(shown["return %"]) == pytest.approx(
        100 * found["metrics"]["total_return"], abs=0.051
    )


EVENT = ("mean_reversion", *THREE, "--from", "2021-06", "--gear", "event")
FREE = (
    *("--fee-per-unit", "0", "--fee-min", "0"),
    *("--half-spread-bps", "0", "--slippage-bps", "0"),
)


def metrics_of(ended: Any) -> dict[str, Any]:
    assert ended.status == 0, ended.err
    (found,) = ended.json
    metrics: dict[str, Any] = found["metrics"]
    return metrics


def test_when_the_order_path_charges_fees_the_result_falls_by_them(backtest: Any) -> None:
    """Sized on the initial cash, so costs change no quantity."""
    free = metrics_of(backtest(*EVENT, *FREE, "--json"))
    assert free["commission"] == 0
    for words in (("--fee-bps", "5"), ("--fee-per-unit", "0.02"), ("--fee-min", "3")):
        dear = metrics_of(backtest(*EVENT, *FREE, *words, "--json"))
        assert dear["fills"] == free["fills"]
        lost = 1_000_000 * (free["total_return"] - dear["total_return"])
        assert lost == pytest.approx(dear["commission"], rel=1e-6)
        assert lost > 100
    assert dear["commission"] == pytest.approx(3 * dear["fills"])
    assert metrics_of(backtest(*EVENT, "--json"))["commission"] > 0


@pytest.mark.parametrize("option", ["--half-spread-bps", "--slippage-bps"])
def test_when_the_order_path_pays_a_distance_the_result_falls(backtest: Any, option: str) -> None:
    free = metrics_of(backtest(*EVENT, *FREE, "--json"))
    dear = metrics_of(backtest(*EVENT, *FREE, option, "20", "--json"))
    assert dear["total_return"] < free["total_return"]
    assert dear["books_agree"] is True


def test_when_a_leverage_is_given_the_exchange_refuses_what_goes_beyond(backtest: Any) -> None:
    assert metrics_of(backtest(*EVENT, "--json"))["refused"] == 0
    tight = metrics_of(backtest(*EVENT, "--leverage", "0.1", "--json"))
    assert tight["refused"] > 0
    assert tight["books_agree"] is True


def test_when_the_execution_is_that_of_the_order_path_it_is_accepted(backtest: Any) -> None:
    assert backtest(*EVENT, "--execution", "same_close").out == backtest(*EVENT).out


@pytest.fixture
def recorded(trader: Any, home: Path) -> None:
    """A data set `own` of quotes with sizes, one a second for ten minutes."""
    (home / "quotes.toml").write_text(
        'kind = "quote"\n[columns]\ntime = "t"\nbid_px = "b"\nask_px = "a"\n'
        'bid_size = "bs"\nask_size = "as"\n'
    )
    rows = [
        f"2024-01-02 10:{i // 60:02}:{i % 60:02},{100 + math.sin(i / 30) - 0.01:.2f},"
        f"{100 + math.sin(i / 30) + 0.01:.2f},5000,5000"
        for i in range(600)
    ]
    (home / "quotes.csv").write_text("\n".join(["t,b,a,bs,as", *rows]))
    words = ("import", "own", "quotes.csv", "--schema", "quotes.toml", "--symbol", "ABC")
    ended = trader("data", *words)
    assert ended.status == 0, ended.err


REPLAY = ("mean_reversion", "--gear", "event", "-p", "window_bars=5", "-p", "entry_z=0.6")


@pytest.mark.usefixtures("recorded")
def test_when_a_data_set_holds_events_they_are_replayed(backtest: Any) -> None:
    ended = backtest(*REPLAY, "--data", "catalogue:own@10s")
    assert ended.status == 0, ended.err
    assert "filled from the record: ABC in ticks of 0.01 and lots of 1." in ended.err
    found = metrics_of(backtest(*REPLAY, "--data", "catalogue:own@10s", "--json"))
    assert found["bars"] == 61
    assert found["fills"] > 0
    assert found["books_agree"] is True
    by_minute = metrics_of(backtest(*REPLAY, "--data", "catalogue:own", "--json"))
    assert by_minute["bars"] == 11


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--data", "catalogue:own", "--half-spread-bps", "1"), "show their own"),
        (("--data", "catalogue:own", "--symbols", "XYZ"), "no symbol 'XYZ'"),
        (("--data", "catalogue:own", "--from", "2025"), "no event in that time"),
        (("--data", "catalogue:own@1d"), "does not add up to two bars"),
        (("--data", "catalogue:other"), "no data set 'other'"),
    ],
)
def test_when_a_recording_cannot_be_replayed_one_sentence_says_so(
    backtest: Any, words: tuple[str, ...], told: str
) -> None:
    ended = backtest(*REPLAY, *words)
    assert (ended.status, ended.out) == (2, "")
    (line,) = ended.err.splitlines()
    assert told in line


# -- refusals


def nothing_was_written(home: Path, *known: str) -> bool:
    """But the model that ships with the package, which is there as soon as somebody looks for models."""
    found = {each.relative_to(home).as_posix() for each in home.rglob("*") if each.is_file()}
    return {each for each in found if "/models/" not in each} == set(known)


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        ((), 2, "give the name of a strategy, or --all"),
        (("momentum", "--all"), 2, "give the name of a strategy, or --all"),
        (("--all", "-p", "top_k=2"), 2, "--param needs one strategy"),
        (("astrology",), 2, "no strategy 'astrology'"),
        (("missing.py",), 2, "no file 'missing.py'"),
        (("momentum", "-p", "topk=2"), 3, "topk"),
        (("momentum", "-p", "top_k=0"), 3, "top_k must be a whole number from 1 to 1000"),
        (("momentum", "-p", "top_k=many"), 3, "'many'"),
        (("momentum", "-p", "top_k"), 2, "--param 'top_k': write NAME=VALUE"),
        (("momentum", "-p", "=3"), 2, "write NAME=VALUE"),
        (("momentum", "--from", "last year"), 2, "'last year' is no date"),
        (("momentum", "--to", "2015-13"), 2, "'2015-13' is no date"),
        (("momentum", "--from", "2050"), 2, "no bars from 2050"),
        (("momentum", "--from", "2020", "--to", "2019"), 2, "no bars from 2020 to 2019"),
        (("momentum", "--symbols", "AAPL,NOPE"), 2, "NOPE"),
        (("momentum", "--data", "missing.csv"), 2, "missing.csv"),
        (("momentum", "--data", "catalogue:none"), 2, "none"),
        (("momentum", "--fee-bps", "-1"), 2, "bps must be a number from 0"),
        (("momentum", "--fee-min", "nan"), 2, "minimum must be a number from 0"),
        (("momentum", "--stop-loss", "1"), 2, "a stop must be below 1"),
        (("momentum", "--trailing-stop", "1.5"), 2, "a stop must be below 1"),
        (("momentum", "--leverage", "0"), 2, "max_leverage must be a positive number"),
        (("momentum", "--cash", "0"), 2, "initial_cash must be a positive number"),
        (("neural_sentiment", "--from", "2020", "--sentiment", "gone.csv"), 2, "gone.csv cannot be read"),
        (("mirror", "--from", "2020", "--holdings", "gone.csv"), 2, "gone.csv cannot be read"),
        (("neural_trend", "--from", "2020", "--forecaster", "oracle"), 2, "no forecaster 'oracle'"),
    ],
)  # fmt: skip
def test_when_the_call_is_wrong_one_sentence_says_so(
    backtest: Any, home: Path, words: tuple[str, ...], status: int, told: str
) -> None:
    report = () if "event" in words else ("--report", "out.html")
    ended = backtest(*words, *report)
    assert ended.status == status, ended.err
    assert ended.out == ""
    (line,) = ended.err.splitlines()
    assert line.startswith("trader: ")
    assert told in line
    assert "unexpected" not in line
    assert nothing_was_written(home)


@pytest.mark.parametrize(
    "words", [("--gear", "quantum"), ("--execution", "yesterday"), ("--cash", "much")]
)
def test_when_an_option_is_no_choice_the_exit_code_is_2(
    backtest: Any, home: Path, words: tuple[str, str]
) -> None:
    ended = backtest("momentum", *words)
    assert (ended.status, ended.out) == (2, "")
    assert words[0] in ended.err
    assert "Traceback" not in ended.err
    assert nothing_was_written(home)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("raise ValueError('no luck')", ("ValueError", "no luck")),
        ("weights = weights[1:]", ("shape",)),
        ("weights[5, 1] = np.nan", ("nan", "MSFT", "bar 6")),
        ("weights[5, 1] = np.inf", ("inf", "MSFT", "bar 6")),
    ],
)
@pytest.mark.parametrize("gear", ["vector", "event"])
def test_when_a_users_strategy_misbehaves_one_sentence_names_it(
    backtest: Any, home: Path, change: str, told: tuple[str, ...], gear: str
) -> None:
    (home / "mine.py").write_text(USER_STRATEGY.format(change=change))
    report = ("--report", "out.html") if gear == "vector" else ()
    ended = backtest("mine.py", *THREE, "--from", "2022-06", "--gear", gear, *report)
    assert ended.status == 2, ended.err
    (line,) = ended.err.splitlines()
    assert line.startswith("trader: ")
    assert "unexpected" not in line
    assert "mine" in line.lower()
    for words in told:
        assert words in line
    assert ended.out == ""
    assert {each.suffix for each in home.iterdir()} <= {".py", ""}


@pytest.mark.parametrize("name", ["taken", "mine.csv/out.html"])
def test_when_the_report_cannot_be_written_nothing_is_left(
    backtest: Any, home: Path, name: str
) -> None:
    (home / "taken").mkdir()
    (home / "mine.csv").write_text("kept")
    ended = backtest("momentum", *SHORT, "--report", name)
    assert ended.status == 2
    assert "the report cannot be written to" in ended.err
    assert ended.out == ""
    assert nothing_was_written(home, "mine.csv")


@pytest.mark.parametrize(
    "words",
    [
        ("--report", "x.html"),
        ("--stop-loss", "0"),
        ("--take-profit", "0.1"),
        ("--trailing-stop", "0.1"),
        ("--long-only",),
        ("--execution", "next_open"),
        ("--execution", "next_close"),
    ],
)
def test_when_an_option_says_nothing_to_the_order_path_it_is_refused(
    backtest: Any, home: Path, words: tuple[str, ...]
) -> None:
    ended = backtest("mean_reversion", *THREE, "--from", "2022-06", "--gear", "event", *words)
    assert (ended.status, ended.out) == (2, "")
    assert words[0] in ended.err
    assert nothing_was_written(home)
