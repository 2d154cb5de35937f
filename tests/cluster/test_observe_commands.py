"""`trader status`, `orders`, `positions` and `fills`, with a cluster and without one."""

import sys
from typing import Any

import pytest

from cluster.cli.folders import with_fresh_folder
from cluster.config import load_config
from serve.desk.view import ClusterSnapshot
from tests.dead_port import nobody_at


def test_when_the_cluster_runs_status_shows_it(
    trader: Any, cluster: Any, finished: ClusterSnapshot
) -> None:
    ended = trader("status")
    assert ended.status == 0
    for words in ("1,000,004.00", "ACTIVE", "kill switch", "| lane", "(finished)"):
        assert words in ended.out
    shown = trader("status", "--json").json
    assert shown["machines"]["ledger:DEMO"]["equity"] == "1000004"
    assert shown["finished"] is True


def test_when_machines_are_down_status_still_answers(trader: Any, cluster: Any) -> None:
    cluster.snapshots = [ClusterSnapshot()]
    ended = trader("status")
    assert ended.status == 0
    assert "risk is down" in ended.out


def test_when_the_cluster_runs_its_rows_are_shown(trader: Any, cluster: Any) -> None:
    orders = trader("orders", "--json").json
    assert orders["source"] == "cluster"
    assert [order["status"] for order in orders["orders"]] == ["ACCEPTED", "FILLED"]
    assert len(trader("orders", "--json", "-n", "1").json["orders"]) == 1
    assert trader("positions", "--json").json["positions"][0]["unrealized_pnl"] == "5"
    assert trader("fills", "--json").json["fills"][0]["trade_id"] == "T1"
    assert "bbbbbbbb" in trader("orders").out
    assert "1,010.00" in trader("positions").out
    assert "100.5" in trader("fills").out


def test_when_the_cluster_is_down_the_journal_is_read(
    trader: Any, no_cluster: None, write_orders: Any
) -> None:
    write_orders(load_config())
    ended = trader("orders", "--json")
    (order,) = ended.json["orders"]
    assert ended.json["source"] == "journal"
    assert (order["status"], order["filled_qty"]) == ("PARTIALLY_FILLED", "4")
    assert "The cluster is down" in ended.err
    (position,) = trader("positions", "--json", "-q").json["positions"]
    assert (position["quantity"], position["last_px"]) == ("4", None)
    (fill,) = trader("fills", "--json").json["fills"]
    assert (fill["trade_id"], fill["price"]) == ("T9", "50.25")
    for command in ("orders", "positions", "fills"):
        assert "KO.XNAS" in trader(command).out


def test_when_a_run_was_last_its_journal_is_read(
    trader: Any, no_cluster: None, write_orders: Any
) -> None:
    write_orders(with_fresh_folder(load_config(), 1))
    assert len(trader("orders", "--json").json["orders"]) == 1


@pytest.mark.parametrize("command", ["status", "orders", "positions", "fills", "down"])
def test_when_no_cluster_answers_and_no_journal_is_there_the_exit_code_is_8(
    trader: Any, no_cluster: None, command: str
) -> None:
    ended = trader(command)
    assert (ended.status, ended.out) == (8, "")
    assert "[CLUSTER_UNREACHABLE]" in ended.err


def test_when_nothing_listens_it_is_known_at_once(trader: Any, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)  # asking Ray would fail otherwise
    with nobody_at() as port:
        ended = trader("status", "--address", f"ray://127.0.0.1:{port}")
    assert ended.status == 8
    assert str(port) in ended.err
