"""`trader run`: what it shows and writes, how it ends, what keeps it from starting."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cluster import launch
from cluster.cli.progress import LiveScreen
from cluster.config import Config, load_config
from serve.desk.view import CheckView, ClusterSnapshot
from trading.errors import ClusterUnreachable, DataError

BROKEN = CheckView(
    duplicates=0, lost=2, position_difference=Decimal(5), cash_difference=Decimal("1.25")
)


def test_when_a_run_ends_result_check_and_report_are_shown(
    trader: Any, started: Any, cluster: Any, unfinished: ClusterSnapshot, finished: ClusterSnapshot
) -> None:
    cluster.snapshots = [unfinished, finished]
    ended = trader("run")
    assert ended.status == 0
    for words in ("| momentum", "mean_reversion", "Check: the ledger agrees", "Report: "):
        assert words in ended.out
    assert "day 2 of 3" in ended.err
    assert "Try next" in ended.err
    assert cluster.is_stopped
    assert not started.is_detached


def test_when_a_run_is_asked_for_json_stdout_is_one_object(
    trader: Any, started: Any, cluster: Any
) -> None:
    ended = trader("run", "--json")
    assert ended.status == 0
    assert set(ended.json) == {
        "days", "symbols", "strategies", "equity", "orders", "check", "latency_us", "actors",
        "seconds", "report", "venue", "linked",
    }  # fmt: skip
    assert ended.json["venue"] is None
    assert ended.json["check"] == {
        "duplicates": 0, "lost": 0, "position_difference": 0, "cash_difference": 0,
    }  # fmt: skip
    assert Path(ended.json["report"]).is_file()


def test_when_a_run_is_quiet_stderr_is_empty(trader: Any, started: Any) -> None:
    assert trader("run", "--quiet").err == ""


def test_when_two_runs_follow_each_other_their_journals_are_apart(
    trader: Any, started: Any, home: Path
) -> None:
    trader("run", "-q")
    first = started.config.cluster
    trader("run", "-q")
    second = started.config.cluster
    assert first.journal != second.journal
    assert first.state_dir.parent == home / ".local/state/neural-trader/demo/runs"
    assert first.secret_file == second.secret_file


def test_when_a_run_keeps_the_cluster_up_it_is_detached_and_not_stopped(
    trader: Any, started: Any, cluster: Any
) -> None:
    ended = trader("run", "--keep-up")
    assert started.is_detached
    assert not cluster.is_stopped
    assert started.config.cluster.journal == load_config().cluster.journal
    assert "trader down" in ended.err


def test_when_options_are_given_they_reach_the_cluster(
    trader: Any, started: Any, home: Path
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


def test_when_a_speed_is_given_it_is_days_per_second(trader: Any, started: Any) -> None:
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
    trader: Any, started: Any, cluster: Any, finished: ClusterSnapshot
) -> None:
    cluster.snapshots = [msgspec.structs.replace(finished, check=BROKEN)]
    ended = trader("run")
    assert ended.status == 1
    assert "Check FAILED: 0 doubled, 2 lost" in ended.out
    assert cluster.is_stopped


def test_when_the_books_settle_a_moment_later_the_run_is_clean(
    trader: Any, started: Any, cluster: Any, finished: ClusterSnapshot
) -> None:
    late = msgspec.structs.replace(finished, check=BROKEN)
    cluster.snapshots = [late, msgspec.structs.replace(finished, check=None), finished]
    assert trader("run", "-q").status == 0


def test_when_the_books_cannot_be_compared_the_exit_code_is_1(
    trader: Any, started: Any, cluster: Any, finished: ClusterSnapshot
) -> None:
    cluster.snapshots = [msgspec.structs.replace(finished, check=None)]
    ended = trader("run", "-q")
    assert ended.status == 1
    assert "could not be compared" in ended.out


@pytest.mark.parametrize(
    ("error", "status"),
    [(KeyboardInterrupt(), 130), (ClusterUnreachable("gone"), 8), (RuntimeError("bug"), 1)],
)
def test_when_a_run_breaks_off_the_cluster_is_stopped(
    trader: Any,
    started: Any,
    cluster: Any,
    error: BaseException,
    status: int,
    unfinished: ClusterSnapshot,
) -> None:
    cluster.snapshots = [unfinished, error]
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


def test_when_shown_live_the_screen_is_drawn_and_given_back(
    unfinished: ClusterSnapshot, finished: ClusterSnapshot
) -> None:
    with LiveScreen() as screen:
        screen.show(unfinished)
        screen.show(finished)
    assert not screen._live.is_started
