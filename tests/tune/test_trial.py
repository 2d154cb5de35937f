"""A trial as a Ray worker runs it, with Ray's `report` replaced."""

from typing import Any

import msgspec
import numpy as np
import pytest

from trading.backtest.engine import Actions
from trading.strategies.strategy import Bars
from tune.ledger import Measured
from tune.objective import Objective, strategy_of
from tune.prices import Quoted
from tune.trial import run_trial


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    monkeypatch.setattr("ray.tune.report", found.append)
    return found


def measured_in(reports: list[dict[str, Any]]) -> list[Measured]:
    return [msgspec.msgpack.decode(each["measured"], type=Measured) for each in reports]


def test_trial_reports_every_fold_with_the_score_so_far(
    bars: Bars, objective: Objective, reports: list[dict[str, Any]]
) -> None:
    config = {"number": 3, "params": {"window_bars": 20}}
    run_trial(config, bars=bars, objective=objective, known={})
    strategy = strategy_of("mean_reversion", {"window_bars": 20})
    expected = [objective.measure(strategy, bars, 3, fold) for fold in range(3)]
    assert [repr(each) for each in measured_in(reports)] == [repr(each) for each in expected]
    assert [each["folds"] for each in reports] == [1, 2, 3]
    sharpes = [each.train["sharpe"] for each in expected]
    means = [np.mean(sharpes[: count + 1]) for count in range(3)]
    assert [each["score"] for each in reports] == pytest.approx(means)


def test_trial_trades_quoted_prices_where_there_are_some(
    bars: Bars, objective: Objective, reports: list[dict[str, Any]]
) -> None:
    actions = Actions(np.ones_like(bars.close), np.full_like(bars.close, 0.05))
    quoted = Quoted(bars, actions)
    config = {"number": 3, "params": {"window_bars": 20}}
    run_trial(config, bars=bars, objective=objective, known={}, quoted=quoted)
    strategy = strategy_of("mean_reversion", {"window_bars": 20})
    expected = [objective.measure(strategy, bars, 3, fold, quoted) for fold in range(3)]
    assert [repr(each) for each in measured_in(reports)] == [repr(each) for each in expected]
    plain = objective.measure(strategy, bars, 3, 0)
    assert expected[0].train["total_return"] > plain.train["total_return"]  # dividends come on top


def test_known_folds_are_reported_and_not_measured_again(
    bars: Bars, objective: Objective, reports: list[dict[str, Any]]
) -> None:
    known = [Measured(3, fold, {"sharpe": 7.0}, {}, b"") for fold in (0, 1)]
    config = {"number": 3, "params": {"window_bars": 20}}
    run_trial(config, bars=bars, objective=objective, known={3: known})
    assert measured_in(reports)[:2] == known
    assert reports[1]["score"] == 7.0
    assert reports[2]["score"] != 7.0


@pytest.mark.parametrize(
    ("params", "ending", "reason"),
    [
        ({"window_bars": -1}, "skipped", "window_bars must be"),
        ({"window": 5}, "skipped", "window"),
    ],
)
def test_refused_parameters_are_reported_as_skipped(
    bars: Bars,
    objective: Objective,
    reports: list[dict[str, Any]],
    params: dict[str, int],
    ending: str,
    reason: str,
) -> None:
    run_trial({"number": 0, "params": params}, bars=bars, objective=objective, known={})
    assert [each["ending"] for each in reports] == [ending]
    assert reason in reports[0]["reason"]


def test_unusable_price_is_reported_as_a_failure(
    bars: Bars, objective: Objective, reports: list[dict[str, Any]]
) -> None:
    close = bars.close.copy()
    close[9, 0] = 0.0
    broken = Bars.of_closes(bars.ts, bars.instrument_ids, close)
    config = {"number": 0, "params": {"window_bars": 20}}
    run_trial(config, bars=broken, objective=objective, known={})
    assert reports[0]["ending"] == "failed"
    assert "DataError: I0.paper at bar 10" in reports[0]["reason"]


def test_fold_without_a_figure_leaves_the_score_out(
    bars: Bars, objective: Objective, reports: list[dict[str, Any]]
) -> None:
    """A strategy that never trades has no Sharpe ratio; early stopping must not see a number."""
    config = {"number": 0, "params": {"window_bars": 20, "entry_z": 5.9}}
    run_trial(config, bars=bars, objective=objective, known={})
    assert [each["folds"] for each in reports] == [1, 2, 3]
    assert not any("score" in each for each in reports)
