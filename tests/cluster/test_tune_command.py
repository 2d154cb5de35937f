"""What `trader tune` refuses before Ray is started; searches themselves are in tests/ray."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cluster import ray_runtime
from cluster.cli import laboratory_options
from trading.errors import UsageError
from trading.strategies.momentum import Momentum
from trading.strategies.search_space import Choice
from trading.strategies.signals import FORECAST_RETURN
from trading.strategies.strategy import Bars
from tune.search import SearchPlan
from tune.space import from_record
from tune.suggestions import suggestions_of

GIVEN = ("--symbols", "AAPL,KO", "--from", "2017", "--to", "2020-06", "--quiet")


@pytest.fixture
def trader(trader: Any) -> Any:
    return partial(trader, "tune")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("luck",), "no strategy 'luck'"),
        (("momentum", "--walk-forward", "24"), "walk-forward '24' is not understood"),
        (("momentum", "--walk-forward", "60m/6m"), "bars are too few for one training"),
        (("momentum", "--metric", "luck"), "no figure 'luck'"),
        (("momentum", "--algorithm", "grid"), "'volatility_target' has no step"),
        (("momentum", "-p", "topk=3"), "no parameter 'topk'; did you mean top_k?"),
        (("momentum", "-p", "top_k"), "write NAME=VALUE"),
        (("mirror", "--holdings", "gone.csv"), "gone.csv cannot be read"),
        (("neural_sentiment", "--sentiment", "gone.csv"), "gone.csv cannot be read"),
        (("neural_trend", "--forecaster", "oracle"), "no forecaster 'oracle'"),
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
    ended = trader(words[0], *given)
    assert (ended.status, ended.out) == (2, "")
    (line,) = ended.err.splitlines()
    assert told in line


def test_interruption_before_anything_was_measured_says_how_to_go_on(
    trader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pressed(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ray_runtime, "start_local", pressed)
    ended = trader("momentum", *GIVEN, "--name", "x")
    assert (ended.status, ended.out) == (130, "")
    assert ended.err.splitlines()[-1].endswith(f"{' '.join(GIVEN)} --resume x")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What `trader tune` asks `optimise` for; nothing is searched."""
    found: dict[str, Any] = {}

    def optimise(plan: SearchPlan, bars: Bars, **options: Any) -> None:
        found.update(options, plan=plan, bars=bars)
        raise UsageError("asked")

    @contextmanager
    def connected(config: object) -> Iterator[Any]:
        yield SimpleNamespace(cluster_resources=dict)

    monkeypatch.setattr("tune.search.optimise", optimise)
    monkeypatch.setattr("cluster.cli.tune.connected", connected)
    return found


def test_parameter_that_is_given_is_not_searched(trader: Any, asked: dict[str, Any]) -> None:
    words = ("momentum", *GIVEN, "--algorithm", "random", "--trials", "3")
    assert "asked" in trader(*words, "-p", "top_k=2", "-p", "allow_short=true").err
    space = from_record(asked["plan"].space)
    assert space["top_k"] == Choice((2,))
    assert space["formation_bars"] == Momentum.SEARCH["formation_bars"]
    suggestions = suggestions_of(asked["plan"].algorithm, space, trials=3, seed=0)
    assert {(suggestions.ask() or {})["top_k"] for _ in range(3)} == {2}


def test_search_with_every_parameter_fixed_is_refused(
    trader: Any, asked: dict[str, Any], home: Path
) -> None:
    fixed = [f"--param={name}=1" for name in Momentum.SEARCH]
    ended = trader("momentum", *GIVEN, *fixed)
    assert ended.status == 2
    assert "every parameter of the search is fixed" in ended.err


def test_search_looks_at_the_signals_that_were_named(trader: Any, asked: dict[str, Any]) -> None:
    words = ("neural_trend", *GIVEN)
    trader(*words, "--forecaster", "drift")
    drift, source = asked["bars"].signals[FORECAST_RETURN], asked["source"]
    trader(*words)
    assert not np.array_equal(asked["bars"].signals[FORECAST_RETURN], drift, equal_nan=True)
    assert source == f"{asked['source']} forecaster drift"
    assert asked["quoted"] is None


def test_search_trades_the_quoted_prices_of_the_catalogue(
    trader: Any, asked: dict[str, Any], home: Path
) -> None:
    days = np.arange("2018-01-01", "2021-06-01", dtype="datetime64[D]")
    closes = [f"{day},{100 if i < 600 else 50}" for i, day in enumerate(days)]
    (home / "closes.csv").write_text("\n".join(["Date,AAA", *closes]))
    (home / "a.csv").write_text(f"symbol,ex_date,kind,value\nAAA,{days[600]},split,2\n")
    imported = ("data", "import", "own", "closes.csv", "--schema", "wide", "--actions", "a.csv")
    assert trader.func(*imported).status == 0
    assert "asked" in trader("momentum", "--data", "catalogue:own").err
    quoted = asked["quoted"]
    assert quoted.bars.close[[599, 600], 0].tolist() == [100, 50]
    assert asked["bars"].close[[599, 600], 0].tolist() == [50, 50]
    assert quoted.actions.splits[:, 0].tolist() == [1.0] * 600 + [2.0] + [1.0] * (len(days) - 601)


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
