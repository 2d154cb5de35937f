"""What a person sees on the live screen, character by character."""

import io
import re
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from rich.cells import cell_len
from rich.console import Console

from cluster.screen import render, sparkline
from cluster.tables import kinds
from serve.desk.view import ClusterSnapshot
from trading.identifiers import MachineName
from trading.refusals import RefusalCode

WIDE, NARROW = (120, 40), (80, 24)


def _lines(
    snapshot: ClusterSnapshot, size: tuple[int, int] = WIDE, equity: Sequence[float] = ()
) -> list[str]:
    width, height = size
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=False)
    console.print(render(snapshot, width, height, equity))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().rstrip("\n").split("\n")


def _text(snapshot: ClusterSnapshot, size: tuple[int, int] = WIDE) -> str:
    return "\n".join(_lines(snapshot, size))


def _with_machine(snapshot: ClusterSnapshot, name: str, **fields: Any) -> ClusterSnapshot:
    machines = dict(snapshot.machines)
    machines[name] = {**machines[name], **fields}
    return msgspec.structs.replace(snapshot, machines=machines)


@pytest.mark.parametrize("size", [WIDE, NARROW, (200, 60), (60, 16), (110, 34)])
def test_at_any_size_the_screen_fills_the_terminal_and_no_more(
    traded_run: Any, size: tuple[int, int]
) -> None:
    width, height = size
    for snapshot in (traded_run.snapshot, ClusterSnapshot()):
        lines = _lines(snapshot, size, [100.0, 101.0, 99.0])
        assert len(lines) == height
        assert max(cell_len(line) for line in lines) <= width


def test_when_trading_the_header_says_what_matters_most(traded_run: Any) -> None:
    running = msgspec.structs.replace(
        traded_run.snapshot, finished=False, sequence=traded_run.snapshot.sequence - 9
    )
    ledger = traded_run.ledger
    for size in (WIDE, NARROW):
        text = _text(running, size)
        for fact in (
            "neural-trader demo", "PAPER", "2022-12-28", "day 31/40", "8 days/s",
            f"equity {ledger['equity']:,.2f}",
            f"{100 * float(ledger['equity'] / ledger['initial'] - 1):+.2f} %",
            f"drawdown {100 * ledger['drawdown']:.2f} %",
            f"worst {100 * ledger['max_drawdown']:.2f} %",
            "p50 312 us", "p99 3,980 us", "ACTIVE", "kill -9 any pid",
        ):  # fmt: skip
            assert fact in text, f"{fact} is missing at {size}"


def test_when_wide_every_panel_is_there_with_its_rows(traded_run: Any) -> None:
    text = _text(traded_run.snapshot)
    for title in (
        "positions", "strategies", "last orders", "last fills", "actors", "refused by risk",
    ):  # fmt: skip
        assert f"─ {title} " in text
    ledger = traded_run.ledger
    for position in ledger["positions"]:
        assert position["instrument_id"].partition(".")[0] in text
        assert f"{position['unrealized_pnl']:+,.2f}" in text
    for strategy in ledger["strategies"].values():
        assert f"{strategy['profit']:+,.2f}" in text
    for order in ledger["recent_orders"][:3]:
        assert re.search(rf"{order['side']} +{order['quantity']} ", text)
    for fill in ledger["recent_fills"][:3]:
        assert f" {fill['price']:,.2f} " in text


def test_when_orders_are_refused_the_code_and_the_sentence_are_shown(traded_run: Any) -> None:
    text = _text(traded_run.snapshot)
    count = traded_run.result.orders.refused["RISK_MAX_NOTIONAL"]
    assert re.search(rf"refused by risk .*RISK_MAX_NOTIONAL {count}\b", text)
    newest = next(line for line in text.split("\n") if "The position would exceed" in line)
    for fact in ("trend", "RISK_MAX_NOTIONAL", "max_notional_per_position"):
        assert fact in newest
    assert "RISK_MAX_NOTIONAL" in _text(traded_run.snapshot, NARROW)


def test_when_nobody_reads_the_journal_the_counted_refusals_are_shown(traded_run: Any) -> None:
    text = _text(msgspec.structs.replace(traded_run.snapshot, refusals=()))
    count = traded_run.result.orders.refused["RISK_MAX_NOTIONAL"]
    meaning = RefusalCode.RISK_MAX_NOTIONAL.meaning
    assert re.search(rf" {count} RISK_MAX_NOTIONAL +{re.escape(meaning)}", text)


def test_when_an_actor_died_its_restarts_and_its_absence_show(traded_run: Any) -> None:
    lines = _lines(traded_run.snapshot)
    lane = next(line for line in lines if "41221" in line)
    assert "lane" in lane
    assert "24,690" in lane
    assert "risk, book" in lane
    assert any("broker" in line and "down" in line for line in lines)


def test_when_machines_share_a_host_their_kinds_are_counted() -> None:
    names = ("risk:SIM", "strategy:a", "strategy:b")
    assert kinds([MachineName(name) for name in names]) == "risk, strategy x2"
    assert kinds([]) == "-"


def test_when_the_kill_switch_is_latched_the_title_says_so(traded_run: Any) -> None:
    assert "KILL SWITCH" not in _text(traded_run.snapshot)
    killed = _with_machine(traded_run.snapshot, "broker:paper:SIM", kill={"is_latched": True})
    for size in (WIDE, NARROW):
        assert "KILL SWITCH LATCHED" in _text(killed, size)


def test_when_risk_halts_its_state_and_code_show(traded_run: Any) -> None:
    halted = _with_machine(traded_run.snapshot, "risk:SIM", state="HALTED", code="RISK_DAILY_LOSS")
    assert "HALTED RISK_DAILY_LOSS" in _text(halted)
    again = _with_machine(traded_run.snapshot, "risk:SIM", code="RISK_DAILY_LOSS")
    assert "risk ACTIVE  orders" in _text(again)


def test_when_nothing_is_known_yet_the_screen_says_none_yet() -> None:
    text = _text(ClusterSnapshot())
    assert "none yet" in text
    assert "clock -" in text
    assert "risk DOWN" in text


def test_when_names_hold_markup_it_is_shown_as_text(traded_run: Any) -> None:
    named = msgspec.structs.replace(traded_run.snapshot, name="[red]x[/red]")
    assert "[red]x[/red]" in _text(named)


def test_when_equity_rises_the_sparkline_rises() -> None:
    assert sparkline([1, 2, 3, 4], 4, rows=1) == "▁▃▆█"
    assert sparkline([], 10) == ""
    assert sparkline([5, 5, 5], 10, rows=1) == "▁▁▁"


def test_when_history_is_longer_than_the_line_the_newest_value_stays() -> None:
    line = sparkline([*range(1000), 5000], 20, rows=1)
    assert len(line) == 20
    assert line[-1] == "█"
    assert set(line[:-1]) <= set("▁▂")
