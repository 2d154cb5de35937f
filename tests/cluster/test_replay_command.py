"""`trader replay`: a simulated seed, and the account as it was."""

from decimal import Decimal
from typing import Any

import pytest

from actors.check import Comparison
from actors.simulation import simulation
from actors.simulation.simulation import SimulationReport
from cluster.config import load_config


def simulated(seed: int, days: int, *problems: str) -> SimulationReport:
    return SimulationReport(
        seed=seed,
        profile="calm",
        comparison=Comparison(0, 0, Decimal(0), Decimal(0)),
        problems=problems,
        crashes=1,
        orders=days,
        fills=3,
        events=4,
        state_hash="ff",
        story=("broker died",),
    )


def test_when_a_seed_is_replayed_it_is_judged(trader: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation, "replay_seed", simulated)
    assert "Every promise held." in trader("replay", "--seed", "7").out
    shown = trader("replay", "--seed", "7", "--days", "12", "--json").json
    assert (shown["seed"], shown["orders"]) == (7, 12)
    monkeypatch.setattr(simulation, "replay_seed", lambda s, d: simulated(s, d, "it broke"))
    ended = trader("replay", "--seed", "7")
    assert ended.status == 1
    assert "broker died" in ended.out
    assert "it broke" in ended.out
    assert trader("replay", "--seed", "7", "--json").status == 1


def test_when_looking_back_the_account_is_as_it_was(trader: Any, write_orders: Any) -> None:
    write_orders(load_config())
    before = trader("replay", "--until", "2", "--json").json
    assert (before["sequence"], before["cash"], before["positions"]) == (2, "1000000", [])
    assert before["orders"][0]["status"] == "ACCEPTED"
    after = trader("replay", "--until", "3", "--json").json
    assert after["cash"] == "999798.00"
    assert after["positions"][0]["quantity"] == "4"
    ended = trader("replay", "--until", "3")
    assert "KO.XNAS" in ended.out
    assert "999,798.00" in ended.out


def test_when_looking_back_too_far_or_at_nothing_it_is_said(trader: Any, write_orders: Any) -> None:
    assert "no journal yet" in trader("replay", "--until", "1").err
    write_orders(load_config())
    ended = trader("replay", "--until", "4")
    assert ended.status == 2
    assert "ends at 3" in ended.err


def test_when_replay_has_no_or_two_tasks_it_is_refused(trader: Any) -> None:
    assert trader("replay").status == 2
    assert trader("replay", "--seed", "1", "--until", "1").status == 2
