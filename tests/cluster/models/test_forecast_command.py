"""`trader forecast`: the numbers of the model, honest notes beside them, charts that can be read."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.feeds.sources import load_prices
from actors.models import providers
from actors.models.manifest import ModelManifest
from actors.models.registry import ModelRegistry
from actors.models.session import ModelSession
from cluster.cli.forecast_chart import fan_chart
from cluster.forecast_view import ForecastView, narrowest_interval, warnings_of
from trading.forecasting.forecast import Forecast
from trading.forecasting.history import History
from trading.forecasting.prediction import LEVELS

Trader = Callable[..., Any]
INPUT_SIZE, HORIZON, DAY_NS = 20, 5, 86_400_000_000_000
FIELDS = {
    "symbol", "model", "version", "provider", "is_fallback", "is_cached", "horizon", "as_of", "data_cutoff",
    "expires_at", "last_close", "quantiles", "expected_return", "deviation", "latency_ms",
}  # fmt: skip
Z = np.array((-2.6, -2.0, -1.3, -0.7, 0.0, 0.7, 1.3, 2.0, 2.6))


@pytest.fixture
def trader(trader: Any, registry: ModelRegistry) -> Any:
    return partial(trader, "forecast", "--model", "walk")


def test_json_is_the_forecast_and_its_numbers_are_the_model_s(trader: Trader) -> None:
    ended = trader("AAPL", "--horizon", "3", "--as-of", "2020-03-06", "--json")
    assert ended.status == 0
    found = ended.json
    assert set(found) == FIELDS
    assert (found["symbol"], found["model"], found["version"], found["provider"]) == (
        "AAPL",
        "walk",
        1,
        "cpu",
    )
    table = load_prices("sp500", ("AAPL",))
    row = int(np.searchsorted(table.ts, np.datetime64("2020-03-07", "ns").astype(np.int64))) - 1
    assert found["as_of"] == table.ts[row]
    close = table.close[row - INPUT_SIZE + 1 : row + 1, 0]
    deviation = np.sqrt(np.mean(np.diff(np.log(close)) ** 2))
    wanted = close[-1] * np.exp(deviation * np.sqrt([[1], [2], [3]]) * Z)
    prices = np.array([found["quantiles"][str(level)] for level in LEVELS]).T
    np.testing.assert_allclose(prices, wanted, rtol=1e-6)
    assert found["last_close"] == close[-1]
    assert found["as_of"] < found["expires_at"]


def test_a_friday_s_forecast_may_be_used_until_monday_s_bar(trader: Trader) -> None:
    for day, after in (("2019-08-23", "2019-08-26"), ("2019-08-27", "2019-08-28")):
        found = trader("AAPL", "--as-of", day, "--json").json
        close = np.datetime64(f"{after}T21:00", "ns").astype(np.int64)
        assert close - DAY_NS // 24 <= found["expires_at"] - DAY_NS // 2 <= close


def test_table_shows_what_then_happened_and_whether_it_was_inside(trader: Trader) -> None:
    ended = trader("AAPL", "--as-of", "2020-03-06")
    assert ended.status == 0
    assert "AAPL: 5 bars from 2020-03-06, last close 70.751" in ended.out
    rows = [line.split("|")[1:-1] for line in ended.out.splitlines() if "2020-03-1" in line]
    assert [row[1].strip() for row in rows[:2]] == ["2020-03-10", "2020-03-11"]
    table = load_prices("sp500", ("AAPL",))
    at = int(np.searchsorted(table.ts, np.datetime64("2020-03-12", "ns").astype(np.int64)))
    shown = rows[2]
    assert float(shown[-2]) == pytest.approx(table.close[at, 0], abs=0.005)
    assert float(shown[-2]) < float(shown[2])
    assert shown[-1].strip() in {"99%", "none"}
    assert "inside 95%" in ended.out
    assert "weeks old" not in ended.err


def test_old_bars_and_bars_of_the_training_are_said(trader: Trader) -> None:
    assert "weeks old" in trader("AAPL").err
    ended = trader("AAPL", "--as-of", "2014-06-30")
    assert "walk@1 was trained on bars until 2015-12-31" in ended.err
    assert trader("AAPL", "-q").err == ""


def test_fallback_is_said_to_who_asked_for_a_gpu(
    trader: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(providers, "has_gpu", lambda: False)
    for wanted, is_fallback, is_said in (
        ("", True, False),
        ("cuda,cpu", True, True),
        ("cpu", False, False),
    ):
        if wanted:
            monkeypatch.setenv("TRADER_MODELS__PROVIDERS", wanted)
        ended = trader("AAPL", "--as-of", "2020-03-06", "--json")
        assert ended.json["is_fallback"] is is_fallback
        assert ("walk@1 ran on the CPU" in ended.err) is is_said


def test_several_symbols_and_models_are_a_list(trader: Trader) -> None:
    ended = trader("AAPL", "KO", "--model", "walk@2", "--json")
    found = [(f["symbol"], f["version"]) for f in ended.json["forecasts"]]
    assert found == [("AAPL", 1), ("KO", 1), ("AAPL", 2), ("KO", 2)]


# -- several models together


def test_ensemble_is_made_of_its_members(trader: Trader) -> None:
    words = ("AAPL", "--as-of", "2020-03-06", "--json")
    one, two = (trader(*words, "--model", "walk@3").json["forecasts"][i] for i in (0, 1))
    whole = trader(*words, "--model", "walk@3", "--ensemble", "mean").json
    assert set(whole) == {"forecasts", "errors", "members", "voices"}
    assert [(each["member"], each["state"]) for each in whole["members"]] == [
        ("walk@1", "ok"),
        ("walk@3", "ok"),
    ]
    assert (whole["voices"], whole["errors"]) == ({"AAPL": ["walk@1", "walk@3"]}, [])
    [both] = whole["forecasts"]
    assert set(both) == FIELDS
    assert (both["model"], both["version"]) == ("mean", 0)
    for level in ("0.1", "0.5", "0.9"):
        wanted = np.sqrt(np.array(one["quantiles"][level]) * np.array(two["quantiles"][level]))
        np.testing.assert_allclose(both["quantiles"][level], wanted, rtol=1e-6)


def test_better_member_of_a_weighted_ensemble_weighs_more(
    trader: Trader, add_model: Callable[..., ModelManifest]
) -> None:
    words = ("AAPL", "--as-of", "2020-03-06", "--model", "walk@3", "--ensemble", "weighted")
    one, two = trader(*words[:-2], "--json").json["forecasts"]
    [found] = trader(*words, "--json").json["forecasts"]
    share = (1 / 0.0120) / (1 / 0.0120 + 1 / 0.0130)
    logs = [np.log(each["quantiles"]["0.5"]) for each in (one, two)]
    wanted = np.exp(share * logs[0] + (1 - share) * logs[1])
    np.testing.assert_allclose(found["quantiles"]["0.5"], wanted, rtol=1e-6)
    add_model(metrics={})
    ended = trader(*words, "--model", "walk@4")
    assert (ended.status, ended.out) == (2, "")
    assert "walk@4 has no CRPS" in ended.err


def test_ensemble_is_shown_with_its_members(trader: Trader) -> None:
    ended = trader(
        "AAPL", "KO", "--as-of", "2020-03-06", "--model", "walk@3", "--ensemble", "median"
    )
    assert ended.status == 0
    assert "AAPL: 5 bars from 2020-03-06" in ended.out
    assert ended.out.count("walk@1, walk@3") == 2
    assert "inside 95%" in ended.out


def test_member_that_fails_is_a_note_and_the_others_answer(
    trader: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = trader("AAPL", "--json").json
    predict = ModelSession.predict

    def broken(self: ModelSession, *given: Any) -> Any:
        if self.manifest.version == 3:
            raise RuntimeError("out of memory")
        return predict(self, *given)

    monkeypatch.setattr(ModelSession, "predict", broken)
    words = ("AAPL", "--model", "walk@3", "--ensemble", "mean")
    ended = trader(*words, "--json")
    assert ended.status == 0
    quantiles = ended.json["forecasts"][0]["quantiles"]
    assert all(quantiles[level] == pytest.approx(alone["quantiles"][level]) for level in quantiles)
    assert ended.json["members"][1]["state"] == "failed"
    assert "walk@3 is failed: RuntimeError: out of memory [FORECAST_FAILED]" in ended.err
    ended = trader(*words, "--quorum", "2")
    assert (ended.status, ended.out) == (1, "")
    assert "1 of 2 models answered" in ended.err


def test_symbol_without_a_forecast_is_a_note_unless_it_is_all(trader: Trader, home: Path) -> None:
    days = np.arange("2020-01-01", "2020-02-15", dtype="datetime64[D]")
    lines = [f"{day},5,{100 + number % 7}" for number, day in enumerate(days)]
    (home / "two.csv").write_text("Date,FLAT,GOOD\n" + "\n".join(lines) + "\n")
    words = ("--data", "two.csv", "--model", "walk@3", "--ensemble", "majority", "--json")
    ended = trader("FLAT", "GOOD", *words)
    assert ended.status == 0
    assert [each["symbol"] for each in ended.json["forecasts"]] == ["GOOD"]
    assert [each["code"] for each in ended.json["errors"]] == ["FORECAST_HISTORY_CONSTANT"]
    assert "FLAT has no forecast" in ended.err
    assert "[FORECAST_HISTORY_CONSTANT]" in ended.err
    ended = trader("FLAT", *words)
    assert ended.status == 2
    assert ended.err.count("[FORECAST_HISTORY_CONSTANT]") == 1
    assert ended.json["forecasts"] == []


def test_ensemble_that_cannot_be_is_refused(trader: Trader) -> None:
    two = ("--model", "walk@3", "--ensemble", "mean")
    refused = {
        ("--ensemble", "median"): "at least two models",
        ("--model", "walk@1", "--ensemble", "mean"): "'walk@1' is given twice",
        (*two, "--quorum", "3"): "from 1 to 2 members",
        (*two, "--quorum", "0"): "from 1 to 2 members",
        (*two, "--horizon", "6"): "from 1 to 5 bars ahead, not 6",
        (*two, "--horizon", "0"): "from 1 to 5 bars ahead, not 0",
        (*two, "--model", "ghost"): "There is no model 'ghost'",
        (*two, "--url", "http://127.0.0.1:1"): "needs --horizon",
        (*two, "--url", "127.0.0.1", "--horizon", "1"): "write it as http://",
        ("--quorum", "1"): "--quorum belongs to --ensemble",
        ("--deadline-ms", "5"): "--deadline-ms belongs to --ensemble",
        ("--out", "here"): "--out belongs to --all",
        ("--workers", "2"): "--workers belongs to --all",
    }
    for words, reason in refused.items():
        ended = trader("AAPL", *words)
        assert (ended.status, ended.out) == (2, ""), words
        assert reason in ended.err


# -- what cannot be, and what is drawn


def test_what_cannot_be_forecast_is_refused_with_a_code(trader: Trader) -> None:
    refused = {
        ("AAPL", "--horizon", "6"): ("FORECAST_HORIZON", "from 1 to 5 bars ahead, not 6"),
        ("AAPL", "--horizon", "0"): ("FORECAST_HORIZON", "not 0"),
        ("AAPL", "--as-of", "1990-01-20"): ("FORECAST_HISTORY_SHORT", "the model reads 20"),
        ("AAPL", "--as-of", "1980-01-20"): ("USAGE", "AAPL has no bar until then"),
        ("AAPL", "--as-of", "someday"): ("USAGE", "is no date"),
        ("APPL",): ("DATA_INVALID", "did you mean AAPL?"),
        ("AAPL", "--model", "ghost"): ("MODEL_UNKNOWN", "There is no model 'ghost'"),
        ("AAPL", "--url", "localhost:8000"): ("USAGE", "http://127.0.0.1:8000"),
    }
    for words, (code, reason) in refused.items():
        ended = trader(*words)
        assert (ended.status, ended.out) == (2, "")
        assert reason in ended.err
        assert f"[{code}]" in ended.err


def test_constant_prices_are_refused(trader: Trader, home: Path) -> None:
    days = np.arange("2020-01-01", "2020-02-15", dtype="datetime64[D]")
    (home / "flat.csv").write_text("Date,FLAT\n" + "".join(f"{day},5\n" for day in days))
    ended = trader("FLAT", "--data", "flat.csv")
    assert ended.status == 2
    assert "[FORECAST_HISTORY_CONSTANT]" in ended.err


def test_plot_draws_here_and_as_a_page(trader: Trader, home: Path) -> None:
    ended = trader("AAPL", "--as-of", "2020-03-06", "--plot", "--html", "fan.html")
    assert ended.status == 0
    assert all(sign in ended.out for sign in "░▒▓━●┤")
    page = (home / "fan.html").read_text(encoding="utf-8")
    assert "AAPL by walk@1" in page
    assert "what happened" in page
    trader("AAPL", "--plot")
    assert (home / ".local/state/neural-trader/demo/forecasts/AAPL.html").is_file()


# -- the chart and the notes on their own


def a_view(**changes: Any) -> ForecastView:
    close = 100.0 + np.arange(50.0)
    steps = np.sqrt(np.arange(1, 3))
    facts: dict[str, Any] = {
        "symbol": "A",
        "model": "walk",
        "version": 1,
        "provider": "cpu",
        "horizon": 2,
        "as_of": 50 * DAY_NS,
        "data_cutoff": 0,
        "expires_at": 51 * DAY_NS,
        "last_close": 149.0,
        "quantiles": {
            str(level): tuple((149.0 + 10 * z * steps).tolist())
            for level, z in zip(LEVELS, Z, strict=True)
        },
        "expected_return": 0.0,
        "deviation": 0.1,
        "latency_ms": 1.0,
    }
    later = changes.pop("later", ())
    history = History("A", np.arange(1, 51) * DAY_NS, close)
    return ForecastView(
        Forecast(**{**facts, **changes}),
        history,
        (51 + np.arange(len(later))) * DAY_NS,
        np.array(later, dtype=np.float64),
    )


@pytest.mark.parametrize("width", [80, 120])
def test_chart_fits_the_terminal_and_shows_falling_prices_below(width: int) -> None:
    lines = fan_chart(a_view(later=(149.0, 120.0)), width).plain.splitlines()
    assert all(len(line) <= width for line in lines)
    labels = [float(line.split("┤")[0]) for line in lines if "┤" in line]
    assert labels == sorted(labels, reverse=True)
    marks = {line.index("●"): row for row, line in enumerate(lines[:18]) if "●" in line}
    assert list(marks) == sorted(marks), (
        "the second outcome is to the right of the first and below it"
    )
    assert max(marks) == width - 2
    middle = next(line for line in lines if "━" in line)
    assert middle.count("━") + middle.count("●") == width - 11 - 40 - 1
    assert "+1" in lines[-2]
    assert "+2" in lines[-2]


def test_intervals_of_the_chart_lie_within_each_other() -> None:
    rows = fan_chart(a_view()).plain.splitlines()[:18]
    last = [row.ljust(79)[78] for row in rows]
    order = "".join(sign for sign in last if sign != " ")
    assert order.strip("░").strip("▒").strip("▓") == "━"
    assert order.startswith("░")
    assert order.endswith("░")


def test_narrowest_interval_holds_what_happened() -> None:
    view = a_view(later=(149.0, 149.0 + 10 * 2**0.5 * 1.9))
    assert [narrowest_interval(view, step) for step in (0, 1)] == ["50%", "95%"]
    assert narrowest_interval(a_view(later=(200.0,)), 0) == "none"


def test_notes_say_what_a_forecast_is_not_worth() -> None:
    view = a_view()
    assert warnings_of([view], 51 * DAY_NS, is_newest=True) == []
    assert "1 weeks old" in warnings_of([view], 57 * DAY_NS, is_newest=True)[0]
    assert warnings_of([view], 57 * DAY_NS, is_newest=False) == []
    seen = warnings_of([a_view(data_cutoff=50 * DAY_NS)], 51 * DAY_NS, is_newest=True)
    assert "has seen those of A" in seen[0]


def test_manifest_that_reads_volume_needs_it(
    trader: Trader, add_model: Callable[..., ModelManifest]
) -> None:
    add_model(features=("volume",))
    ended = trader("AAPL", "--model", "walk@4")
    assert ended.status == 2
    assert "[FORECAST_FEATURE_MISSING]" in ended.err
