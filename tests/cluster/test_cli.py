"""Every command against a cluster of plain objects: outputs, exit codes, bad input, secrets."""

import io
import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors.check import Comparison
from actors.journal.open import open_journal
from actors.simulation import simulation
from actors.simulation.simulation import SimulationReport
from cluster import client, launch, logs, ray_runtime, report
from cluster.cli import main, run
from cluster.cli.folders import with_fresh_folder
from cluster.cli.progress import LiveScreen
from cluster.config import Config, load_config
from cluster.view import ActorView, CheckView, ClusterSnapshot, VenueKillReport
from trading.codec import decode, encode
from trading.commands import SubmitOrder
from trading.errors import ClusterUnreachable, DataError
from trading.events import (
    KillSwitchReset,
    KillSwitchTripped,
    OrderAccepted,
    OrderFilled,
    OrderSubmitted,
)
from trading.identifiers import (
    AccountId,
    ClientOrderId,
    InstrumentId,
    StrategyId,
    StreamName,
    TradeId,
    Venue,
    VenueOrderId,
)
from trading.values import OrderSide

CANARY = "canary-31c8"
CLEAN = CheckView(
    duplicates=0, lost=0, position_difference=Decimal(0), cash_difference=Decimal("0.00")
)
BROKEN = CheckView(
    duplicates=0, lost=2, position_difference=Decimal(5), cash_difference=Decimal("1.25")
)
ORDER: dict[str, Any] = {
    "client_order_id": "a" * 32,
    "strategy_id": "momentum",
    "instrument_id": "AAPL.XNAS",
    "side": "BUY",
    "quantity": Decimal(10),
    "filled_qty": Decimal(10),
    "avg_px": Decimal("100.5"),
    "status": "FILLED",
    "code": "",
    "purpose": "target",
    "ts_last": 1_700_000_000_000_000_000,
}
FILL: dict[str, Any] = {
    "ts_event": 1_600_000_000_000_000_000,
    "strategy_id": "momentum",
    "instrument_id": "AAPL.XNAS",
    "side": "BUY",
    "quantity": Decimal(10),
    "price": Decimal("100.5"),
    "commission": Decimal(1),
    "realized_pnl": Decimal(0),
    "purpose": "target",
    "trade_id": "T1",
}
POSITION: dict[str, Any] = {
    "instrument_id": "AAPL.XNAS",
    "quantity": Decimal(10),
    "avg_px": Decimal("100.5"),
    "last_px": Decimal(101),
    "value": Decimal(1010),
    "unrealized_pnl": Decimal(5),
    "realized_pnl": Decimal(0),
}
MACHINES: dict[str, Any] = {
    "broker:paper:DEMO": {
        "sequence": 3,
        "open_orders": [
            ORDER | {"client_order_id": "b" * 32, "status": "ACCEPTED", "filled_qty": Decimal(0)}
        ],
        "kill": {"is_latched": False},
    },
    "ledger:DEMO": {
        "equity": Decimal(1_000_004),
        "cash": Decimal(998_994),
        "drawdown": 0.01,
        "positions": [POSITION],
        "recent_orders": [ORDER],
        "recent_fills": [FILL],
        "orders": {"submitted": 2, "filled": 1, "denied": {"RISK_MAX_SHARES": 3}},
    },
    "risk:DEMO": {"state": "ACTIVE", "reason": ""},
    "replay:prices": {"finished": True},
}
ACTORS = (ActorView(name="lane", pid=42, node="abc", restarts=1, messages=9),)
UNFINISHED = ClusterSnapshot(
    clock_ns=1_600_000_000_000_000_000,
    sequence=11,
    first=10,
    last=12,
    machines=MACHINES,
    actors=ACTORS,
)
FINISHED = msgspec.structs.replace(UNFINISHED, sequence=12, finished=True, check=CLEAN)


class FakeCluster:
    """A `ClusterView` that shows given snapshots, the last one for ever."""

    def __init__(self, *snapshots: ClusterSnapshot | BaseException) -> None:
        self.snapshots = list(snapshots) or [FINISHED]
        self.is_stopped = False
        self.kills: list[tuple[str, bool]] = []
        self.resets: list[str] = []
        self.reached = True

    def snapshot(self) -> ClusterSnapshot:
        shown = self.snapshots.pop(0) if len(self.snapshots) > 1 else self.snapshots[0]
        if isinstance(shown, BaseException):
            raise shown
        return shown

    def kill(self, *, reason: str, flatten: bool) -> list[VenueKillReport]:
        self.kills.append((reason, flatten))
        return [VenueKillReport(venue=Venue("paper"), reached=self.reached)]

    def reset_kill(self, reason: str) -> None:
        self.resets.append(reason)

    def stop(self) -> None:
        self.is_stopped = True


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in list(os.environ):
        if name.upper().startswith(("TRADER_", "RAY_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run, "POLL_INTERVAL_S", 0.0)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    return tmp_path


@pytest.fixture
def no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(_: Config) -> None:
        raise ClusterUnreachable("nothing answers")

    monkeypatch.setattr(client, "connect", unreachable)
    monkeypatch.setattr(ray_runtime, "stop_head", lambda _: 0)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    found = FakeCluster()
    monkeypatch.setattr(client, "connect", lambda _: found)
    monkeypatch.setattr(ray_runtime, "stop_head", lambda _: 4)
    return found


class Started:
    """What `launch.start` was called with."""

    config: Config
    is_detached: bool


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, cluster: FakeCluster) -> Started:
    call = Started()

    def start(config: Config, *, detached: bool = False) -> FakeCluster:
        call.config, call.is_detached = config, detached
        open_journal(config.cluster.journal).close()
        return cluster

    def write(_: object, path: Path) -> Path:
        path.write_text("<html>", encoding="utf-8")
        return path

    monkeypatch.setattr(launch, "start", start)
    monkeypatch.setattr(report, "write_report", write)
    return call


class Ended:
    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def trader(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*words: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["trader", *words])
        with pytest.raises(SystemExit) as caught:
            main.main()
        code = caught.value.code
        assert code is None or isinstance(code, int)
        return Ended(int(code or 0), *capsys.readouterr())

    return call


def journal_facts(config: Config, stream: str) -> list[Any]:
    journal = open_journal(config.cluster.journal)
    try:
        return [decode(record.payload) for record in journal.read(StreamName(stream))]
    finally:
        journal.close()


def write_orders(config: Config) -> None:
    """Journal one order that is accepted and then filled by half."""
    key, strategy = ClientOrderId("c" * 32), StrategyId("pairs")
    instrument, number = InstrumentId("KO.XNAS"), VenueOrderId("V1")
    about: dict[str, Any] = {
        "client_order_id": key,
        "strategy_id": strategy,
        "instrument_id": instrument,
    }
    order = SubmitOrder(
        **about, account_id=AccountId("DEMO"), side=OrderSide.BUY, quantity=Decimal(8)
    )
    facts = [
        OrderSubmitted(**about, order=order, epoch=1, ts_init=1),
        OrderAccepted(**about, venue_order_id=number, ts_init=2),
        OrderFilled(
            **about,
            venue_order_id=number,
            trade_id=TradeId("T9"),
            side=OrderSide.BUY,
            last_qty=Decimal(4),
            last_px=Decimal("50.25"),
            commission=Decimal(1),
            ts_event=5,
            ts_init=3,
        ),
    ]
    journal = open_journal(config.cluster.journal)
    stream = StreamName("account:paper:DEMO")
    journal.append(stream, journal.acquire(stream, "test"), [encode(fact) for fact in facts], 9)
    journal.close()


# -- the entry point


def test_when_only_help_or_version_is_asked_nothing_heavy_is_imported() -> None:
    ours = ("ray", "numpy", "polars", "zmq", "structlog", "psutil", "cluster.config")
    typers = ("pydantic",)  # typer itself imports it for any one command
    for words in (["--help"], ["version"], ["run", "--help"]):
        heavy = ours + (typers if words == ["--help"] else ())
        code = (
            "import sys; from cluster.cli.main import app\n"
            f"try: app({words!r})\nexcept SystemExit: pass\n"
            f"print([name for name in {heavy!r} if name in sys.modules])"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines()[-1] == "[]", done.stdout + done.stderr


def test_when_the_version_is_asked_it_is_shown(trader: Any) -> None:
    assert trader("version").out.startswith("neural-trader ")
    assert set(trader("version", "--json").json) == {"name", "version"}


def test_when_a_command_is_unknown_the_exit_code_is_2(trader: Any) -> None:
    assert trader("rnu").status == 2
    assert trader("run", "--nonsense").status == 2
    assert trader("run", "--days", "0").status == 2


def test_when_something_unexpected_breaks_the_traceback_is_in_a_file(
    trader: Any, cluster: FakeCluster, home: Path
) -> None:
    cluster.snapshots = [RuntimeError(f"redis://u:{CANARY}@host broke")]
    ended = trader("status")
    assert ended.status == 1
    assert "Traceback" not in ended.err
    (line,) = ended.err.splitlines()
    path = home / ".local/state/neural-trader/crash.log"
    assert str(path) in line
    text = path.read_text(encoding="utf-8")
    assert "RuntimeError" in text
    assert CANARY not in text + ended.err


def test_when_interrupted_the_exit_code_is_130(trader: Any, cluster: FakeCluster) -> None:
    cluster.snapshots = [KeyboardInterrupt()]
    assert trader("status").status == 130


# -- run


def test_when_a_run_ends_result_check_and_report_are_shown(
    trader: Any, started: Started, cluster: FakeCluster
) -> None:
    cluster.snapshots = [UNFINISHED, FINISHED]
    ended = trader("run")
    assert ended.status == 0
    for words in ("| momentum", "mean_reversion", "Check: the ledger agrees", "Report: "):
        assert words in ended.out
    assert "day 2 of 3" in ended.err
    assert "Try next" in ended.err
    assert cluster.is_stopped
    assert not started.is_detached


def test_when_a_run_is_asked_for_json_stdout_is_one_object(
    trader: Any, started: Started, cluster: FakeCluster
) -> None:
    ended = trader("run", "--json")
    assert ended.status == 0
    assert set(ended.json) == {
        "days", "symbols", "strategies", "equity", "orders", "check", "latency_us", "actors",
        "seconds", "report",
    }  # fmt: skip
    assert ended.json["check"] == {
        "duplicates": 0, "lost": 0, "position_difference": 0, "cash_difference": 0,
    }  # fmt: skip
    assert Path(ended.json["report"]).is_file()


def test_when_a_run_is_quiet_stderr_is_empty(trader: Any, started: Started) -> None:
    assert trader("run", "--quiet").err == ""


def test_when_two_runs_follow_each_other_their_journals_are_apart(
    trader: Any, started: Started, home: Path
) -> None:
    trader("run", "-q")
    first = started.config.cluster
    trader("run", "-q")
    second = started.config.cluster
    assert first.journal != second.journal
    assert first.state_dir.parent == home / ".local/state/neural-trader/demo/runs"
    assert first.secret_file == second.secret_file


def test_when_a_run_keeps_the_cluster_up_it_is_detached_and_not_stopped(
    trader: Any, started: Started, cluster: FakeCluster
) -> None:
    ended = trader("run", "--keep-up")
    assert started.is_detached
    assert not cluster.is_stopped
    assert started.config.cluster.journal == load_config().cluster.journal
    assert "trader down" in ended.err


def test_when_options_are_given_they_reach_the_cluster(
    trader: Any, started: Started, home: Path
) -> None:
    path = home / "deep" / "own.html"
    trader("run", "-q", "--speed", "max", "--days", "9", "--symbols", "KO, XOM", "--address",
           "auto", "--report", str(path))  # fmt: skip
    config = started.config
    assert config.data.pace_slices_per_s == 0
    assert config.data.days == 9
    assert config.data.symbols == ("KO", "XOM")
    assert config.cluster.address == "auto"
    assert path.is_file()


def test_when_a_speed_is_given_it_is_days_per_second(trader: Any, started: Started) -> None:
    trader("run", "-q", "--speed", "12.5")
    assert started.config.data.pace_slices_per_s == 12.5


@pytest.mark.parametrize("speed", ["0", "-1", "fast", "nan", "inf", ""])
def test_when_the_speed_is_wrong_nothing_starts(trader: Any, speed: str, home: Path) -> None:
    ended = trader("run", f"--speed={speed}")
    assert ended.status == 2
    assert "--speed" in ended.err
    assert "[USAGE]" in ended.err
    assert list(home.iterdir()) == []


def test_when_the_books_differ_the_exit_code_is_1(
    trader: Any, started: Started, cluster: FakeCluster
) -> None:
    cluster.snapshots = [msgspec.structs.replace(FINISHED, check=BROKEN)]
    ended = trader("run")
    assert ended.status == 1
    assert "Check FAILED: 0 doubled, 2 lost" in ended.out
    assert cluster.is_stopped


def test_when_the_books_settle_a_moment_later_the_run_is_clean(
    trader: Any, started: Started, cluster: FakeCluster
) -> None:
    late = msgspec.structs.replace(FINISHED, check=BROKEN)
    cluster.snapshots = [late, msgspec.structs.replace(FINISHED, check=None), FINISHED]
    assert trader("run", "-q").status == 0


def test_when_the_books_cannot_be_compared_the_exit_code_is_1(
    trader: Any, started: Started, cluster: FakeCluster
) -> None:
    cluster.snapshots = [msgspec.structs.replace(FINISHED, check=None)]
    ended = trader("run", "-q")
    assert ended.status == 1
    assert "could not be compared" in ended.out


@pytest.mark.parametrize(
    ("error", "status"),
    [(KeyboardInterrupt(), 130), (ClusterUnreachable("gone"), 8), (RuntimeError("bug"), 1)],
)
def test_when_a_run_breaks_off_the_cluster_is_stopped(
    trader: Any, started: Started, cluster: FakeCluster, error: BaseException, status: int
) -> None:
    cluster.snapshots = [UNFINISHED, error]
    assert trader("run", "-q").status == status
    assert cluster.is_stopped


def test_when_the_report_cannot_be_written_nothing_starts(
    trader: Any, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    monkeypatch.setattr(launch, "start", lambda *_, **__: pytest.fail("started"))
    (home / "file").write_text("")
    ended = trader("run", "--report", "file/report.html")
    assert (ended.status, len(ended.err.splitlines())) == (2, 1)
    assert trader("run", "--report", str(home)).status == 2


def test_when_the_state_folder_cannot_be_made_nothing_starts(
    trader: Any, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    monkeypatch.setattr(launch, "start", lambda *_, **__: pytest.fail("started"))
    (home / "file").write_text("")
    monkeypatch.setenv("TRADER_CLUSTER__STATE_DIR", str(home / "file" / "state"))
    ended = trader("run")
    assert ended.status == 3
    assert "cluster.state_dir" in ended.err


def test_when_a_symbol_is_unknown_its_error_passes_through(
    trader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(config: Config, *, detached: bool = False) -> None:
        raise DataError(f"sp500 has no symbol {config.data.symbols[0]!r}; did you mean AAPL?")

    monkeypatch.setattr(launch, "start", start)
    ended = trader("run", "-q", "--symbols", "APPL")
    assert ended.status == 2
    assert ended.err == ("trader: sp500 has no symbol 'APPL'; did you mean AAPL? [DATA_INVALID]\n")


def test_when_shown_live_the_screen_is_drawn_and_given_back() -> None:
    with LiveScreen() as screen:
        screen.show(UNFINISHED)
        screen.show(FINISHED)
    assert not screen._live.is_started


# -- up, down


def test_when_up_a_detached_cluster_starts(trader: Any, started: Started) -> None:
    ended = trader("up")
    assert (ended.status, started.is_detached) == (0, True)
    assert "| lane" in ended.out
    assert trader("up", "--json").json["actors"][0]["pid"] == 42


def test_when_down_cluster_and_ray_are_stopped(trader: Any, cluster: FakeCluster) -> None:
    assert trader("down").out == "Cluster 'demo' is down.\n"
    assert cluster.is_stopped
    assert trader("down", "--json").json == {"cluster": "demo", "stopped": True, "processes": 4}


def test_when_ray_is_elsewhere_down_leaves_it_running(
    trader: Any, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_runtime, "stop_head", lambda _: pytest.fail("not ours"))
    assert trader("down", "--address", "ray://host:10001").status == 0


def test_when_nothing_runs_down_says_so(
    trader: Any, no_cluster: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert trader("down").status == 8
    monkeypatch.setattr(ray_runtime, "stop_head", lambda _: 3)
    ended = trader("down")
    assert ended.status == 0
    assert "3 Ray processes" in ended.out


# -- status, orders, positions, fills


def test_when_the_cluster_runs_status_shows_it(trader: Any, cluster: FakeCluster) -> None:
    ended = trader("status")
    assert ended.status == 0
    for words in ("1,000,004.00", "ACTIVE", "kill switch", "| lane", "(finished)"):
        assert words in ended.out
    shown = trader("status", "--json").json
    assert shown["machines"]["ledger:DEMO"]["equity"] == "1000004"
    assert shown["finished"] is True


def test_when_machines_are_down_status_still_answers(trader: Any, cluster: FakeCluster) -> None:
    cluster.snapshots = [ClusterSnapshot()]
    ended = trader("status")
    assert ended.status == 0
    assert "risk is down" in ended.out


def test_when_the_cluster_runs_its_rows_are_shown(trader: Any, cluster: FakeCluster) -> None:
    orders = trader("orders", "--json").json
    assert orders["source"] == "cluster"
    assert [order["status"] for order in orders["orders"]] == ["ACCEPTED", "FILLED"]
    assert len(trader("orders", "--json", "-n", "1").json["orders"]) == 1
    assert trader("positions", "--json").json["positions"][0]["unrealized_pnl"] == "5"
    assert trader("fills", "--json").json["fills"][0]["trade_id"] == "T1"
    assert "bbbbbbbb" in trader("orders").out
    assert "1,010.00" in trader("positions").out
    assert "100.5" in trader("fills").out


def test_when_the_cluster_is_down_the_journal_is_read(trader: Any, no_cluster: None) -> None:
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


def test_when_a_run_was_last_its_journal_is_read(trader: Any, no_cluster: None) -> None:
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
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setitem(sys.modules, "ray", None)  # asking Ray would fail otherwise
    ended = trader("status", "--address", f"ray://127.0.0.1:{port}")
    assert ended.status == 8
    assert str(port) in ended.err


# -- kill


def test_when_killed_the_venue_reports(trader: Any, cluster: FakeCluster) -> None:
    ended = trader("kill", "--yes", "--reason", "drill", "--flatten", "--json")
    assert ended.status == 0
    assert cluster.kills == [("drill", True)]
    assert ended.json["latched"] is True
    assert ended.json["venues"][0]["reached"] is True
    assert "| paper" in trader("kill", "--yes").out


def test_when_the_venue_does_not_confirm_the_exit_code_is_7(
    trader: Any, cluster: FakeCluster
) -> None:
    cluster.reached = False
    assert trader("kill", "--yes").status == 7


def test_when_nobody_can_be_asked_kill_refuses(trader: Any, cluster: FakeCluster) -> None:
    ended = trader("kill")
    assert ended.status == 2
    assert "--yes" in ended.err
    assert cluster.kills == []


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "status", "count"), [("y\n", 0, 1), ("n\n", 2, 0)])
def test_when_a_person_is_asked_the_answer_counts(
    trader: Any,
    cluster: FakeCluster,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    status: int,
    count: int,
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    assert trader("kill").status == status
    assert len(cluster.kills) == count


def test_when_no_cluster_answers_kill_latches_in_the_journal(trader: Any, no_cluster: None) -> None:
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
    trader: Any, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: object) -> None:
        raise RuntimeError("ray is confused")

    monkeypatch.setattr(cluster, "kill", broken)
    assert trader("kill", "--yes").status == 1
    (event,) = journal_facts(load_config(), "kill:DEMO")
    assert isinstance(event, KillSwitchTripped)


def test_when_reset_trading_may_go_on(trader: Any, cluster: FakeCluster) -> None:
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


# -- replay


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


def test_when_looking_back_the_account_is_as_it_was(trader: Any) -> None:
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


def test_when_looking_back_too_far_or_at_nothing_it_is_said(trader: Any) -> None:
    assert "no journal yet" in trader("replay", "--until", "1").err
    write_orders(load_config())
    ended = trader("replay", "--until", "4")
    assert ended.status == 2
    assert "ends at 3" in ended.err


def test_when_replay_has_no_or_two_tasks_it_is_refused(trader: Any) -> None:
    assert trader("replay").status == 2
    assert trader("replay", "--seed", "1", "--until", "1").status == 2


# -- doctor, config


def test_when_the_machine_is_examined_the_findings_are_shown(trader: Any) -> None:
    ended = trader("doctor", "--json")
    assert ended.status == int(not ended.json["ok"])
    assert {"check", "level", "message", "remedy"} == set(ended.json["checks"][0])
    assert "| python" in trader("doctor").out


def test_when_a_check_fails_the_doctor_ends_with_1(trader: Any, home: Path) -> None:
    secret = home / ".local/state/neural-trader/demo/secret"
    secret.parent.mkdir(parents=True)
    secret.write_bytes(bytes(32))
    secret.chmod(0o644)
    ended = trader("doctor")
    assert ended.status == 1
    assert "chmod 600" in ended.out


def test_when_the_configuration_is_shown_its_origins_are_too(
    trader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADER_DATA__DAYS", "77")
    shown = trader("config", "show", "--json", "--origin").json
    assert shown["values"]["data"]["days"] == 77
    assert shown["origins"]["data.days"] == "the environment"
    assert shown["origins"]["account.venue"] == "shipped demo.toml"
    ended = trader("config", "show", "--origin")
    (line,) = [line for line in ended.out.splitlines() if line.startswith("data.days ")]
    assert line.split() == ["data.days", "=", "77", "#", "the", "environment"]
    assert "#" not in trader("config", "show").out
    assert trader("config", "check", "--json").json["ok"] is True
    assert "valid" in trader("config", "check").out
    assert trader("config", "schema").json["title"] == "neural-trader configuration"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[data]\ndayz = 3\n", "did you mean data.days?"),
        ("[data\n", "is not valid TOML"),
        (None, "does not exist"),
    ],
)
@pytest.mark.parametrize("command", [["config", "check"], ["run"], ["status"], ["kill", "-y"]])
def test_when_the_configuration_is_wrong_the_exit_code_is_3(
    trader: Any, command: list[str], text: str | None, words: str
) -> None:
    if text is not None:
        Path("bad.toml").write_text(text, encoding="utf-8")
    ended = trader(*command, "--config", "bad.toml")
    assert ended.status == 3
    assert words in ended.err
    assert "[CONFIG_INVALID]" in ended.err
    assert ended.out == ""


# -- secrets


def test_when_secrets_are_around_no_command_prints_them(
    trader: Any, started: Started, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", CANARY)
    monkeypatch.setenv("TRADER_CLUSTER__JOURNAL", f"redis://user:{CANARY}@127.0.0.1:1/0")
    state = home / ".local/state/neural-trader/demo"
    state.mkdir(parents=True)
    for name in ("secret", "ray_token"):
        (state / name).write_text(CANARY)
    for words in (["run"], ["run", "--json"], ["up"], ["status", "--json"], ["orders"],
                  ["config", "show"], ["config", "show", "--json", "--origin"],
                  ["config", "check"], ["doctor"], ["doctor", "--json"],
                  ["replay", "--until", "1"]):  # fmt: skip
        ended = trader(*words)
        assert CANARY not in ended.out + ended.err, words
    assert logs.HIDDEN in trader("config", "show").out
