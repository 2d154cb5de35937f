"""`trader risk`: reports, stress, Kelly, limits. Nothing here starts Ray."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.journal.open import open_journal
from trading.codec import decode
from trading.events import LimitChanged
from trading.identifiers import StreamName

Trader = Callable[..., Any]
POSITIONS = "symbol,quantity\nAAPL,500\nKO,-800\nXOM,300\n"


@pytest.fixture
def held(home: Path) -> str:
    (home / "held.csv").write_text(POSITIONS, encoding="utf-8")
    return "held.csv"


def test_report_measures_a_file_of_positions_and_writes_a_page(
    trader: Trader, home: Path, held: str
) -> None:
    words = ("risk", "report", "--positions", held, "--cash", "1000", "--report", "risk.html")
    ended = trader(*words, "--json", "-q")
    assert ended.status == 0
    found = ended.json
    methods = {each["method"] for each in found["estimates"]}
    assert methods == {
        "historical",
        "normal",
        "cornish-fisher",
        "filtered-historical",
        "monte-carlo-normal",
        "monte-carlo-student",
        "monte-carlo-copula",
        "peaks-over-threshold",
    }
    for method in methods:
        levels = [e["value_at_risk"] for e in found["estimates"] if e["method"] == method]
        assert levels == sorted(levels), "a higher confidence never has a smaller loss"
    value = sum(each["value"] for each in found["positions"])
    assert found["equity"] == pytest.approx(1_000 + value)
    drivers = found["drivers"]["value_at_risk"]
    assert sum(drivers["component"]) == pytest.approx(drivers["total"])
    assert {row["name"] for row in found["stress"]} >= {"crisis_2008", "covid_2020"}
    page = (home / "risk.html").read_text(encoding="utf-8")
    assert "Where it comes from" in page
    assert trader(*words, "--json", "-q").json == found, "the same seed gives the same figures"


def test_report_prints_tables_for_a_person(trader: Trader, held: str) -> None:
    ended = trader("risk", "report", "--positions", held, "-q")
    assert ended.status == 0
    for words in ("filtered-historical", "share of VaR", "crisis_2008", "Effective bets"):
        assert words in ended.out


def test_earlier_day_has_its_own_prices(trader: Trader, held: str) -> None:
    words = ("risk", "report", "--positions", held, "--json", "-q", "--confidence", "0.9")
    found = trader(*words, "--as-of", "2008-10-10").json
    prices = {each["instrument_id"]: each["price"] for each in found["positions"]}
    assert prices["AAPL.XNAS"] == pytest.approx(2.9, abs=0.2)  # adjusted for splits since
    assert {each["confidence"] for each in found["estimates"]} == {0.9}
    assert next(r for r in found["stress"] if r["name"] == "covid_2020")["replayed"] is None


def test_scenario_loses_position_by_position(trader: Trader, home: Path, held: str) -> None:
    words = ("risk", "stress", "covid", "--positions", held)
    found = trader(*words, "--json").json
    assert found["scenario"] == "covid_2020"
    assert sum(each["profit"] for each in found["positions"]) == pytest.approx(found["profit"])
    assert sum(found["factors"].values()) == pytest.approx(found["profit"])
    assert found["replayed_profit"] < 0
    ended = trader(*words, "--plot", "--report", "covid.html")
    assert "2020-03-16" in ended.out
    assert "---" in ended.out
    assert "covid_2020" in (home / "covid.html").read_text(encoding="utf-8")


def test_own_scenario_is_read_from_a_file(trader: Trader, home: Path, held: str) -> None:
    (home / "mine.toml").write_text(
        'name = "mine"\ntitle = "Half of it"\n[[shocks]]\nfactor = "equity.us"\nchange = -0.5\n'
        'source = "me"\n',
        encoding="utf-8",
    )
    found = trader("risk", "stress", "mine.toml", "--positions", held, "--json").json
    assert found["scenario"] == "mine"
    assert found["replayed_profit"] is None


def test_reverse_stress_loses_what_was_asked_for(trader: Trader, held: str) -> None:
    found = trader("risk", "stress", "--reverse", "5000", "--positions", held, "--json").json
    assert found["loss"] == pytest.approx(5_000)
    assert 0 < found["probability"] < 0.5


def test_all_scenarios_are_one_table(trader: Trader, held: str) -> None:
    ended = trader("risk", "stress", "--positions", held)
    assert ended.out.count("\n") >= 11
    assert "ltcm_1998" in ended.out


def test_kelly_shares_the_capital_and_says_what_it_means(trader: Trader) -> None:
    words = ("risk", "kelly", "--strategies", "momentum,mean_reversion", "--from", "2015")
    found = trader(*words, "--json").json
    weights = [each["weight"] for each in found["strategies"]]
    assert all(0 <= weight <= 1 for weight in weights)
    assert 0 < sum(weights) <= 1 + 1e-9
    assert 0 < found["shrinkage"] < 1
    deeper = list(found["loss_probability"].values())
    assert deeper == sorted(deeper, reverse=True)
    smaller = trader(*words, "--json", "--drawdown-limit", "0.2", "--drawdown", "0.19").json
    assert smaller["fraction"] < found["fraction"] / 5
    assert "held of the Kelly weights" in trader(*words).out


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (("report",), 2, "no account to measure yet"),
        (("report", "--positions", "gone.csv"), 2, "gone.csv cannot be read"),
        (("report", "--positions", "bad.csv"), 2, "line 3: write symbol,quantity"),
        (("report", "--positions", "other.csv"), 2, "the prices have no NOPE.XNAS"),
        (("report", "--positions", "none.csv"), 2, "nothing is held"),
        (("report", "--positions", "held.csv", "--confidence", "1"), 2, "between 0 and 1"),
        (("report", "--positions", "held.csv", "--horizon", "0"), 2, "horizon is 0"),
        (("report", "--positions", "held.csv", "--as-of", "1985"), 2, "choose a later one"),
        (("stress", "tulips", "--positions", "held.csv"), 2, "covid_2020"),
        (("stress", "covid", "--reverse", "5", "--positions", "held.csv"), 2, "exclude each other"),
        (("stress", "--reverse", "-5", "--positions", "held.csv"), 2, "loss"),
        (("kelly", "--strategies", "astrology"), 2, "astrology"),
        (("kelly", "--strategies", ","), 2, "names none"),
        (("kelly", "--strategies", "momentum", "--fraction", "2"), 2, "fraction of Kelly"),
        (("limits", "set", "max_totl", "1"), 2, "did you mean"),
        (("limits", "set", "max_total_exposure", "much"), 2, "Invalid decimal"),
    ],
)
def test_wrong_call_is_one_sentence_and_leaves_nothing(
    trader: Trader, home: Path, held: str, words: tuple[str, ...], status: int, sentence: str
) -> None:
    (home / "bad.csv").write_text("symbol,quantity\nAAPL,5\nKO,many\n", encoding="utf-8")
    (home / "other.csv").write_text("symbol,quantity\nNOPE,5\n", encoding="utf-8")
    (home / "none.csv").write_text("symbol,quantity\nAAPL,0\n", encoding="utf-8")
    ended = trader("risk", *words)
    assert ended.status == status
    assert sentence in ended.err
    assert ended.err.count("\n") <= 8, "progress and one sentence"
    assert not list(home.glob("*.html"))


def changes(state: Path) -> list[Any]:
    journal = open_journal(f"sqlite://{state / 'journal'}")
    try:
        return [decode(r.payload) for r in journal.read(StreamName("limits:DEMO"))]
    finally:
        journal.close()


def test_changed_limit_is_a_journalled_fact_with_name_and_reason(
    trader: Trader, state: Path
) -> None:
    before = {row["limit"]: row for row in trader("risk", "limits", "--json").json["limits"]}
    assert before["max_total_exposure"]["changed by"] is None
    ended = trader("risk", "limits", "set", "max_total_exposure", "80000", "--reason", "calm")
    assert ended.status == 0
    assert "-> 80000" in ended.out
    (change,) = changes(state)
    assert isinstance(change, LimitChanged)
    assert (change.name, change.value, change.reason) == ("max_total_exposure", "80000", "calm")
    assert change.actor
    assert change.ts_event > 0
    after = {row["limit"]: row for row in trader("risk", "limits", "--json").json["limits"]}
    row = after.pop("max_total_exposure")
    assert (row["value"], row["reason"]) == ("80000", "calm")
    assert after == {name: each for name, each in before.items() if name != "max_total_exposure"}
    assert trader("risk", "limits", "reset", "max_total_exposure").status == 0
    assert trader("risk", "limits", "--json").json["limits"] == list(before.values())


def test_refused_change_is_not_journalled(trader: Trader, state: Path) -> None:
    trader("risk", "limits", "set", "max_daily_loss", "-1")
    assert changes(state) == []


def test_json_of_a_change_says_before_and_after(trader: Trader) -> None:
    ended = trader("risk", "limits", "set", "max_order_value", "500", "--json")
    assert json.loads(ended.out)["before"] is None
    assert json.loads(ended.out)["after"] == "500"
