"""`trader kill`: who is asked, who confirms, and the journal when nobody answers."""

import io
import sys
from typing import Any

import pytest

from actors.journal.open import open_journal
from cluster.cli.folders import with_fresh_folder
from cluster.config import Config, load_config
from trading.codec import decode
from trading.events import KillSwitchReset, KillSwitchTripped
from trading.identifiers import StreamName


def journal_facts(config: Config, stream: str) -> list[Any]:
    journal = open_journal(config.cluster.journal)
    try:
        return [decode(record.payload) for record in journal.read(StreamName(stream))]
    finally:
        journal.close()


def test_when_killed_the_venue_reports(trader: Any, cluster: Any) -> None:
    ended = trader("kill", "--yes", "--reason", "drill", "--flatten", "--json")
    assert ended.status == 0
    assert cluster.kills == [("drill", True)]
    assert ended.json["latched"] is True
    assert ended.json["venues"][0]["reached"] is True
    assert "| paper" in trader("kill", "--yes").out


def test_when_the_venue_does_not_confirm_the_exit_code_is_7(trader: Any, cluster: Any) -> None:
    cluster.reached = False
    assert trader("kill", "--yes").status == 7


def test_when_nobody_can_be_asked_kill_refuses(trader: Any, cluster: Any) -> None:
    ended = trader("kill")
    assert ended.status == 2
    assert "--yes" in ended.err
    assert cluster.kills == []


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "status", "count"), [("y\n", 0, 1), ("n\n", 2, 0)])
def test_when_a_person_is_asked_the_answer_counts(
    trader: Any, cluster: Any, monkeypatch: pytest.MonkeyPatch, answer: str, status: int, count: int
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    assert trader("kill").status == status
    assert len(cluster.kills) == count


def test_when_no_cluster_answers_kill_latches_in_the_journal(
    trader: Any, no_cluster: None, write_orders: Any
) -> None:
    config = load_config()
    fresh = with_fresh_folder(config, 1)
    write_orders(fresh)
    ended = trader("kill", "--yes", "--reason", "fire", "--flatten")
    assert ended.status == 8
    assert "latched in the journal" in ended.err
    for place in (config, fresh):
        (event,) = journal_facts(place, "kill:DEMO")
        assert isinstance(event, KillSwitchTripped)
        assert (event.reason, event.flatten, event.actor) == ("fire", True, "operator")


def test_when_the_cluster_breaks_while_killing_the_switch_latches_all_the_same(
    trader: Any, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: object) -> None:
        raise RuntimeError("ray is confused")

    monkeypatch.setattr(cluster, "kill", broken)
    assert trader("kill", "--yes").status == 1
    (event,) = journal_facts(load_config(), "kill:DEMO")
    assert isinstance(event, KillSwitchTripped)


def test_when_reset_trading_may_go_on(trader: Any, cluster: Any) -> None:
    assert trader("kill", "--reset", "--yes").status == 2
    assert trader("kill", "--reset", "--flatten", "--reason", "x", "--yes").status == 2
    assert trader("kill", "--reset", "--reason", "checked").status == 2
    assert cluster.resets == []
    assert trader("kill", "--reset", "--reason", "checked", "--yes").status == 0
    assert cluster.resets == ["checked"]


def test_when_reset_without_a_cluster_it_is_in_the_journal(trader: Any, no_cluster: None) -> None:
    trader("kill", "--yes")
    ended = trader("kill", "--reset", "--reason", "checked", "--yes", "--json")
    assert (ended.status, ended.json) == (0, {"latched": False})
    tripped, reset = journal_facts(load_config(), "kill:DEMO")
    assert isinstance(tripped, KillSwitchTripped)
    assert isinstance(reset, KillSwitchReset)
