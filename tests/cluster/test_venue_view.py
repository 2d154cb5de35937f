"""What people see of a cluster at a real venue: screen, line, status, result and report; Ctrl-C ends a run."""

import io
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from actors.blueprint import Blueprint, FeedPlan
from actors.journal.open import open_journal
from cluster.cli.progress import line_of
from cluster.client import venue_view
from cluster.config import load_config
from cluster.history import History
from cluster.report import report_html
from cluster.result import result_of
from cluster.screen import render
from serve.desk.view import ClusterSnapshot, VenueView
from trading.codec import encode
from trading.events import AccountOpened, CashAdjusted, EquityMarked
from trading.identifiers import AccountId, StreamName, Venue
from trading.instruments import Instrument
from trading.values import DataKind

NOW = 1_700_000_000_000_000_000
DESK_FILE = """
[account]
venue = "desk"
account_id = "ACC"
capital = 50_000
[venues.desk]
adapter = "tests.cluster.remote_desk:REMOTE_DESK"
[feed]
symbols = ["KO"]
[strategies.swing]
kind = "mean_reversion"
capital = 0.5
"""
UP = VenueView(name=Venue("desk"), is_connected=True, is_ready=True, skew_ms=-3.2)
LISTED = Instrument(instrument_id="KO.XNAS")  # type: ignore[arg-type]
BLUEPRINT = Blueprint(
    account_id=AccountId("ACC"),
    venue=Venue("desk"),
    feed=FeedPlan(venue=Venue("desk"), kinds=frozenset(DataKind), bar_interval_ns=1),
    strategies=(),
    listed=(LISTED,),
)
BROKER: dict[str, Any] = {
    "is_connected": True, "is_ready": True, "disconnection": None, "mismatches": [],
    "contradictions": [], "clock": {"skew_ms": 1.5},
}  # fmt: skip
MARKET: dict[str, Any] = {"connected": True, "given_up": False, "reason": ""}


@pytest.fixture
def file(home: Path) -> str:
    path = home / "desk.toml"
    path.write_text(DESK_FILE)
    return str(path)


def at_venue(snapshot: ClusterSnapshot, venue: VenueView = UP) -> ClusterSnapshot:
    return msgspec.structs.replace(
        snapshot, venue=venue, check=None, finished=False, clock_ns=NOW, sequence=0, first=0, last=0
    )


def drawn(snapshot: ClusterSnapshot, width: int, height: int) -> str:
    console = Console(file=io.StringIO(), width=width, height=height, record=True)
    console.print(render(snapshot, width, height))
    return console.export_text()


@pytest.mark.parametrize("size", [(80, 24), (140, 45)])
def test_screen_shows_the_venue_instead_of_the_course_of_a_replay(
    size: tuple[int, int], unfinished: ClusterSnapshot
) -> None:
    text = drawn(at_venue(unfinished), *size)
    assert "2023-11-14 22:13:20" in text
    assert "connected, reconciled" in text
    assert "days/s" not in text


def test_line_and_status_say_how_we_stand_with_the_venue(
    trader: Callable[..., Any], cluster: Any, file: str, finished: ClusterSnapshot
) -> None:
    refused = VenueView(name=Venue("desk"), refusal="the key is not known")
    assert "desk REFUSED: the key is not known" in line_of(at_venue(finished, refused))
    cluster.snapshots = [at_venue(finished)]
    shown = trader("status", "-c", file).out
    assert "desk: connected, reconciled, its clock -3 ms" in shown
    assert "slice" not in shown
    assert trader("status", "-c", file, "--json").json["venue"]["is_ready"] is True


@pytest.mark.parametrize(
    ("broker", "market", "feed", "words"),
    [
        ({}, {}, {"stale": False}, "connected, reconciled, its clock +2 ms"),
        ({}, {}, {"stale": True}, "market data STALE"),
        ({}, {"connected": False, "reason": "reset"}, {"stale": False}, "NOT CONNECTED: reset"),
        ({}, {"given_up": True, "reason": "no key"}, {"stale": False}, "market data REFUSED: no key"),
        (
            {"is_connected": False, "disconnection": {"reason": "reset", "is_final": False}},
            {}, {"stale": False}, "not connected: reset",
        ),
        (
            {"is_connected": False, "disconnection": {"reason": "no key", "is_final": True}},
            {}, {"stale": False}, "REFUSED: no key",
        ),
        (
            {"is_ready": False, "mismatches": [{"subject": "cash"}]},
            {}, {"stale": False}, "not reconciled: cash",
        ),
    ],
)  # fmt: skip
def test_state_of_the_venue_is_told_by_name(
    broker: dict[str, Any], market: dict[str, Any], feed: dict[str, Any], words: str
) -> None:
    machines = {
        "broker:desk:ACC": BROKER | broker,
        "market:desk": MARKET | market,
        "feed:desk": feed,
    }
    assert words in venue_view(BLUEPRINT, machines).summary  # type: ignore[arg-type]


def test_while_hosts_are_down_the_venue_is_not_said_to_be_connected() -> None:
    assert venue_view(BLUEPRINT, {}).summary == "not connected: the broker is down"
    only_broker = {"broker:desk:ACC": BROKER}
    assert "market data DOWN" in venue_view(BLUEPRINT, only_broker).summary  # type: ignore[arg-type]


def test_run_ends_at_ctrl_c_with_a_result_and_keeps_the_configured_journal(
    trader: Callable[..., Any], started: Any, cluster: Any, file: str, finished: ClusterSnapshot,
    state: Path,
) -> None:  # fmt: skip
    cluster.snapshots = [at_venue(finished), KeyboardInterrupt(), at_venue(finished)]
    ended = trader("run", "-c", file, "--json")
    assert ended.status == 0, ended.err
    assert ended.json["venue"]["is_ready"] is True
    assert cluster.is_stopped
    assert started.config.cluster.state_dir == state
    assert not (state / "runs").exists()


def test_run_ends_with_1_when_the_account_does_not_agree(
    trader: Callable[..., Any], started: Any, cluster: Any, file: str, finished: ClusterSnapshot
) -> None:
    lost = VenueView(name=Venue("desk"), is_connected=True, reason="cash")
    cluster.snapshots = [at_venue(finished), KeyboardInterrupt(), at_venue(finished, lost)]
    ended = trader("run", "-c", file)
    assert ended.status == 1
    assert "Check FAILED: desk: connected, not reconciled: cash" in ended.out


def test_options_of_a_replay_are_refused(trader: Callable[..., Any], file: str) -> None:
    for option in (("--speed", "max"), ("--days", "3"), ("--symbols", "KO")):
        ended = trader("run", "-c", file, *option)
        assert ended.status == 2
        assert "belong to a replay" in ended.err


def test_result_starts_from_what_the_venue_said_and_shares_the_capital(
    file: str, finished: ClusterSnapshot
) -> None:
    config = load_config(Path(file))
    day = 86_400_000_000_000
    marks = tuple(
        EquityMarked(
            ts_event=NOW + index * day, account_id=AccountId("ACC"), sequence=index,
            equity=Decimal(90_000 + index), cash=Decimal(90_000), gross=Decimal(0), net=Decimal(0),
            by_strategy=(),
        )
        for index in range(3)
    )  # fmt: skip
    opened = AccountOpened(account_id=AccountId("ACC"), cash=Decimal(80_000))
    result = result_of(config, at_venue(finished), History(account=(opened,), ledger=marks))
    assert result.initial_equity == 80_000
    assert result.days == 3
    assert result.strategies[0].capital == 25_000
    assert result.is_clean
    page = report_html(result)
    assert "agree with what desk says" in page
    assert "simulated exchange" not in page


def test_journal_alone_shows_what_the_account_was_opened_with(
    trader: Callable[..., Any], no_cluster: None, file: str
) -> None:
    config = load_config(Path(file))
    facts = [
        AccountOpened(
            account_id=AccountId("ACC"), cash=Decimal(80_000),
            positions=((LISTED.instrument_id, Decimal(7), Decimal(50)),),
        ),
        CashAdjusted(account_id=AccountId("ACC"), amount=Decimal(5), reason="interest"),
    ]  # fmt: skip
    journal = open_journal(config.cluster.journal)
    stream = StreamName("account:desk:ACC")
    journal.append(stream, journal.acquire(stream, "test"), [encode(fact) for fact in facts], 9)
    journal.close()
    (position,) = trader("positions", "-c", file, "--json").json["positions"]
    assert (position["instrument_id"], position["quantity"]) == ("KO.XNAS", "7")
    assert "80,005" in trader("replay", "-c", file, "--until", "2").out
