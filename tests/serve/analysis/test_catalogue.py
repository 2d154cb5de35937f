"""Installed strategies, by our names and by those of others."""

from pathlib import Path

import pytest

from serve.desk.analysis.catalogue import ALIASES, canonical, strategies, strategy
from tests.serve.analysis.desks import simulated, without_cluster
from trading.errors import NotFound
from trading.strategies.registry import known_strategies


@pytest.mark.parametrize(
    ("other", "own"),
    [
        ("momentum_trader", "momentum"),
        ("momentum_trading_optimized", "momentum"),
        ("mirror_trading", "mirror"),
        ("Mean-Reversion", "mean_reversion"),
        ("mean_reversion_trader_optimized", "mean_reversion"),
        ("pairs_trading", "pairs"),
        ("neural_trend", "neural_trend"),
    ],
)
def test_other_names_mean_ours(other: str, own: str) -> None:
    assert canonical(other) == own


def test_every_alias_means_something_that_is_installed() -> None:
    for alias in ALIASES:
        assert canonical(alias) in known_strategies()


def test_an_unknown_name_names_the_nearest() -> None:
    with pytest.raises(NotFound, match="did you mean momentum"):
        canonical("momentun")
    with pytest.raises(NotFound, match="nown are: allocation"):
        canonical("zzz")


def test_all_installed_are_listed_with_what_they_need(tmp_path: Path) -> None:
    found = strategies(without_cluster(tmp_path))
    rows = {row.name: row for row in found.strategies}
    assert tuple(rows) == known_strategies()
    assert rows["neural_trend"].needs_forecaster
    assert not rows["momentum"].needs_forecaster
    assert rows["neural_sentiment"].needs == ["sentiment"]
    assert all(row.summary and row.risk_level for row in found.strategies)
    assert found.running is None
    assert rows["momentum"].is_running is None


def test_what_runs_is_said_as_far_as_it_is_known(tmp_path: Path) -> None:
    desk, _ = simulated(tmp_path)
    found = strategies(desk)
    assert found.running == ["reversion", "trend"]
    rows = {row.name: row.is_running for row in found.strategies}
    assert rows["mean_reversion"] is None  # `reversion` may well be one


def test_parameters_have_defaults_ranges_and_words(tmp_path: Path) -> None:
    found = strategy(without_cluster(tmp_path), "momentum_trader")
    rows = {row.name: row for row in found.parameters}
    assert rows["top_k"].default == 5
    assert rows["top_k"].description.startswith("Instruments held")
    assert rows["formation_bars"].search is not None
    assert (rows["formation_bars"].search.low, rows["formation_bars"].search.high) == (42, 504)
    assert rows["allow_short"].search is not None
    assert rows["allow_short"].search.choices == (False, True)
    assert found.lookback_bars == 283
    assert "Jegadeesh" in found.document
    with pytest.raises(NotFound):
        strategy(without_cluster(tmp_path), "nothing")


@pytest.mark.parametrize("name", known_strategies())
def test_every_strategy_can_be_described(tmp_path: Path, name: str) -> None:
    found = strategy(without_cluster(tmp_path), name)
    assert found.parameters
    assert all(row.description for row in found.parameters), found.name
    assert found.model_dump_json()
