"""`trader agent` from the command line: from a file to paper, and what money asks for."""

import io
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from cluster import sandboxes
from cluster.agent_ladder import open_ladder
from cluster.agent_results import NOTHING
from cluster.cli import agent
from cluster.config import load_config
from tests.cluster.sandboxed_commands import SPAN, STRATEGY, asked, commands
from tests.cluster.test_agent_ladder import limits
from trading.events import AgentMarked, AgentMoved
from trading.ladder.standing import MoveCode, Standing

__all__ = ["asked", "commands"]
SPINS = "LOOKBACK = 1\ndef targets(bars):\n    while True:\n        pass\n"
CHEATS = STRATEGY.replace("newest > mean", "np.vstack([newest[1:], newest[-1:]]) > mean")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def submit(commands: Callable[..., Any], home: Path) -> Callable[..., Any]:
    def call(text: str, *words: str, name: str = "my_trend") -> Any:
        (home / f"{name}.py").write_text(text)
        return commands("agent", "submit", f"{name}.py", *SPAN, *words)

    return call


def put(*facts: Any) -> None:
    with open_ladder(load_config(None, {})) as ladder:
        ladder.append("my-trend", lambda *_: facts)


def on_paper_with_results(days: int = 25, profit: int = 10) -> None:
    put(
        AgentMarked(
            agent="my-trend",
            number=0,
            actor="ladder",
            run="demo",
            days=days,
            capital=Decimal(1000),
            profit=Decimal(profit),
            fall=Decimal(0),
        )
    )


def test_good_strategy_gets_a_card_and_may_go_to_paper(submit: Any, commands: Any) -> None:
    ended = submit(STRATEGY, "--json")

    assert ended.status == 0, ended.out + ended.err
    card = ended.json
    assert (card["name"], card["passed"], card["trials"]) == ("my-trend", True, 1)
    assert [each["stage"] for each in card["stages"]] == [
        *("lint", "smoke", "look_ahead", "determinism", "backtest", "walk_forward")
    ]
    assert {each["inputs"]["rung"] for each in card["stages"][1:]} <= {"L1", "L2"}

    promoted = commands("agent", "promote", "my-trend", "paper", "--json")
    assert promoted.status == 0, promoted.err
    assert (promoted.json["from"], promoted.json["to"]) == ("candidate", "paper")
    (listed,) = commands("agent", "list", "--json").json
    assert (listed["name"], listed["standing"]) == ("my-trend", "paper")
    assert [change.value for change in limits(load_config(None, {}))] == [""]

    shown = commands("agent", "show", "my-trend")
    assert shown.out.count("passed") == 7  # of the text of one finding too
    assert "it has 0 days on paper" in shown.err
    assert commands("agent", "show", "my-trend", "--source").out == STRATEGY


def test_cheat_is_caught_and_refused_by_name(submit: Any, commands: Any) -> None:
    ended = submit(CHEATS)

    assert ended.status == 1
    assert "| look_ahead   | FAILED" in ended.out
    assert "A lint is advice, not security" in ended.err
    refused = commands("agent", "promote", "my-trend", "paper")
    assert refused.status == 6
    assert "stage look_ahead failed" in refused.err
    assert "stage backtest is missing" in refused.err
    assert "[LADDER_REFUSED]" in refused.err


def test_strategy_that_is_killed_again_and_again_is_quarantined_until_released(
    submit: Any, commands: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sandboxes, "EXAMINED", replace(sandboxes.EXAMINED, call_timeout_s=0.5))
        for _ in range(3):
            assert submit(SPINS).status == 1
    (listed,) = commands("agent", "list", "--json").json
    assert (listed["standing"], listed["kills"]) == ("quarantined", 3)

    assert "is quarantined" in submit(SPINS).err
    assert "quarantined as my-trend" in submit(SPINS, name="other").err
    assert "is quarantined" in submit(STRATEGY).err
    assert "needs --reason" in commands("agent", "promote", "my-trend", "candidate").err
    released = commands("agent", "promote", "my-trend", "candidate", "--reason", "seen")
    assert released.status == 0, released.err
    assert submit(STRATEGY).status == 0


def test_folder_is_ranked_with_every_trial_counted(commands: Any, home: Path) -> None:
    folder = home / "swarm"
    folder.mkdir()
    (folder / "slow.py").write_text(STRATEGY)
    (folder / "quick.py").write_text(STRATEGY.replace("50", "20"))
    (folder / "cheat.py").write_text(CHEATS)
    (folder / "notes.py").write_text("NOTES = 1\n")

    ended = commands("agent", "submit", "--all", "swarm", *SPAN, "--processes", "1", "--json")

    assert ended.status == (0 if any(card["passed"] for card in ended.json) else 1)
    assert [card["name"] for card in ended.json][-1] == "cheat"
    assert {card["trials"] for card in ended.json} == {2}
    deflated = [card["stages"][-1]["figures"]["deflated_sharpe"] for card in ended.json[:2]]
    assert deflated == sorted(deflated, reverse=True)
    assert "notes.py is left out" in ended.err
    assert len(commands("agent", "list", "--json").json) == 3


def test_earlier_submissions_count_as_trials(submit: Any) -> None:
    assert submit(STRATEGY, "--json").json["trials"] == 1
    assert submit(STRATEGY, "--json").json["trials"] == 1
    assert submit(STRATEGY, "-p", "size=0.3", "--json").json["trials"] == 2
    assert submit(STRATEGY.replace("50", "40"), "--json", name="other").json["trials"] == 3


def test_what_is_on_paper_is_not_replaced(submit: Any, commands: Any) -> None:
    submit(STRATEGY)
    commands("agent", "promote", "my-trend", "paper")

    assert "demote it first" in submit(STRATEGY, "-p", "size=0.3").err
    down = commands("agent", "demote", "my-trend", "--reason", "tired")
    assert "paper -> candidate" in down.out
    assert [change.value for change in limits(load_config(None, {}))] == ["", NOTHING]
    assert submit(STRATEGY, "-p", "size=0.3", "--json").json["parameters"]["size"] == 0.3


def test_retired_name_is_closed(submit: Any, commands: Any) -> None:
    submit(STRATEGY)

    assert "candidate -> retired" in commands("agent", "retire", "my-trend").out
    assert "retired" in submit(STRATEGY).err
    assert commands("agent", "retire", "my-trend").status == 6


def test_strategy_that_nobody_knows_is_refused(commands: Any) -> None:
    for words in (("show",), ("demote",), ("retire",)):
        ended = commands("agent", *words, "none")
        assert ended.status == 6
        assert "there is no strategy 'none'; known are none yet" in ended.err
    assert commands("agent", "promote", "none", "paper").status == 6
    assert "no strategy yet" in commands("agent", "list").out


# -- money


def test_money_needs_live_mode(submit: Any, commands: Any) -> None:
    submit(STRATEGY)
    commands("agent", "promote", "my-trend", "paper")
    on_paper_with_results()

    ended = commands("agent", "promote", "my-trend", "live", "--reason", "good")

    assert ended.status == 3
    assert 'cluster.mode = "live"' in ended.err


@pytest.fixture
def promote_to_live(
    submit: Any, commands: Any, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """With the gate to money open: the account is ACC7."""
    submit(STRATEGY)
    commands("agent", "promote", "my-trend", "paper")
    monkeypatch.setattr(agent, "_account_of", lambda _: "ACC7")

    def call(typed: str | None, *words: str) -> Any:
        stdin = io.StringIO() if typed is None else Terminal(typed)
        monkeypatch.setattr(sys, "stdin", stdin)
        return commands("agent", "promote", "my-trend", "live", *words)

    return call


def standing() -> AgentMoved | None:
    with open_ladder(load_config(None, {})) as ladder:
        return ladder.record("my-trend").since


def test_money_is_recorded_with_who_why_and_which_account(promote_to_live: Any) -> None:
    on_paper_with_results()

    ended = promote_to_live("my-trend\n", "--reason", "held its budget")

    assert ended.status == 0, ended.err
    moved = standing()
    assert moved is not None
    assert (moved.standing, moved.code) == (Standing.LIVE, MoveCode.PROMOTED)
    assert (moved.reason, moved.account_id) == ("held its budget", "ACC7")
    assert moved.actor


@pytest.mark.parametrize(
    ("typed", "words", "reason"),
    [
        (None, ("--reason", "good"), "money needs a person"),
        ("yes\n", ("--reason", "good"), "not its name"),
        ("my-trend\n", (), "needs --reason"),
    ],
    ids=["nobody there", "another word", "no reason"],
)
def test_money_is_refused_without_a_person_the_name_and_a_reason(
    promote_to_live: Any, typed: str | None, words: tuple[str, ...], reason: str
) -> None:
    on_paper_with_results()

    ended = promote_to_live(typed, *words)

    assert ended.status != 0
    assert reason in ended.err
    moved = standing()
    assert moved is not None
    assert moved.standing is Standing.PAPER


def test_money_is_refused_before_anybody_is_asked_when_paper_is_not_over(
    promote_to_live: Any,
) -> None:
    on_paper_with_results(days=3, profit=-1)

    ended = promote_to_live("my-trend\n", "--reason", "good")

    assert ended.status == 6
    assert "it has 3 days on paper" in ended.err
    assert "it lost 0.10%" in ended.err
    assert "Type my-trend" not in ended.err


def test_gate_to_money_is_that_of_the_cluster(
    submit: Any, commands: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Live mode alone is not enough: loading such a configuration asks for the rest."""
    submit(STRATEGY)
    commands("agent", "promote", "my-trend", "paper")
    on_paper_with_results()
    monkeypatch.setenv("TRADER_CLUSTER__MODE", "live")

    ended = commands("agent", "promote", "my-trend", "live", "--reason", "good")

    assert ended.status == 3
    assert "a simulation" in ended.err
