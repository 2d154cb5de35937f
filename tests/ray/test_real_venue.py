"""Real processes that trade at a real venue (the remote desk): kill -9, and where its credentials are to be found."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from cluster import launch
from cluster.client import RayClusterView
from serve.desk.view import ClusterSnapshot
from tests.cluster.desk_config import desk_config
from tests.cluster.remote_desk import KEY, SECRET, DeskServer

pytestmark = [pytest.mark.ray, pytest.mark.timeout(300)]
ROOT = Path(__file__).parents[2]
WAIT_S = 90.0
DASHBOARD = "http://127.0.0.1:8265"
PAGES = ("/api/v0/actors?detail=1", "/api/v0/workers?detail=1", "/api/jobs/", "/nodes?view=details",
         "/api/actors")  # fmt: skip


@pytest.fixture
def server() -> Iterator[DeskServer]:
    running = DeskServer()
    yield running
    running.close()


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="tr-", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


def wait(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + WAIT_S
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"waited {WAIT_S:.0f} s for {what}"
        time.sleep(0.1)


# -- kill -9


@pytest.fixture
def view(
    ray_session: Any, server: DeskServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RayClusterView]:
    monkeypatch.setenv("DESK_KEY", KEY)
    monkeypatch.setenv("DESK_SECRET", SECRET)
    running = launch.start(desk_config(server, folder), ray=ray_session)
    yield running
    running.stop()
    assert not (folder / "credentials").exists()


def test_broker_and_market_killed_at_a_real_venue_come_back_and_lose_nothing(
    view: RayClusterView, server: DeskServer
) -> None:
    wait(lambda: len(server.desk.fills) >= 2, "fills")
    for host in ("broker", "market"):
        os.kill(wait(lambda host=host: pid_of(view.snapshot(), host), host), signal.SIGKILL)
        wait(lambda host=host: restarts(view.snapshot(), host) == 1, f"the successor of {host}")
        wait(lambda: is_ready(view.snapshot()), "the venue")
        count = len(server.desk.fills)
        wait(lambda count=count: len(server.desk.fills) > count, "another fill")
    assert not server.desk.duplicates
    wait(lambda: agrees(view.snapshot(), server), "books that agree with the venue's")


def pid_of(snapshot: ClusterSnapshot, host: str) -> int:
    """Return its process; 0 while it does not answer, which `os.kill` would take for all of ours."""
    return next(actor.pid for actor in snapshot.actors if actor.name == host)


def restarts(snapshot: ClusterSnapshot, host: str) -> int:
    return next((a.restarts for a in snapshot.actors if a.name == host and a.alive), 0)


def is_ready(snapshot: ClusterSnapshot) -> bool:
    venue = snapshot.venue
    assert venue is not None
    return venue.is_ready and not venue.feed_problem


def agrees(snapshot: ClusterSnapshot, server: DeskServer) -> bool:
    ledger = snapshot.machines.get("ledger:ACC")
    if ledger is None:
        return False
    ours = {each["instrument_id"]: each["quantity"] for each in ledger["positions"]}
    theirs = {key: units for key, units in server.desk.positions.items() if units}
    return ours == theirs and ledger["cash"] == server.desk.cash


# -- credentials


def test_trader_run_leaves_no_trace_of_a_credential_anywhere(
    server: DeskServer, folder: Path
) -> None:
    file = write_config(server, folder)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "TRADER_"))}
    environment |= {
        "DESK_KEY": KEY,
        "DESK_SECRET": SECRET,
        "PYTHONPATH": str(ROOT),
        "HOME": str(folder),
    }
    process = trader(["run", "-c", str(file), "--json"], folder, environment)
    try:
        wait(lambda: len(server.desk.fills) >= 4 or process.poll() is not None, "fills")
        assert process.poll() is None, process.communicate()
        seen = [*environments(process.pid), *dashboard(folder / "state" / "ray_token")]
        address = re.search(r"--gcs-address=([0-9.]+:\d+)", " ".join(seen))
        assert address is not None
        plain = environment | {"DESK_KEY": "", "DESK_SECRET": "", "RAY_ADDRESS": address[1]}
        for words in (["status", "--address", "auto", "--json"], ["config", "show"]):
            shown = trader([*words, "-c", str(file)], folder, plain).communicate(timeout=90)
            seen.append(f"{words}: {shown}")
        assert '"is_ready": true' in seen[-2].replace("\\n", ""), seen[-2]
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=90)
    finally:
        process.kill()
    assert process.returncode == 0, out + err
    result = json.loads(out)
    assert result["venue"]["is_ready"]
    assert result["orders"]["filled"] >= 2
    assert result["check"] is None
    assert not (folder / "state" / "credentials").exists()
    seen += [out, err]
    assert not [text[:200] for text in seen if SECRET in text or KEY in text]
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    assert any("journal" in str(path) for path in files)
    assert any(path.name.startswith("raylet") for path in files)
    leaks = [path for path in files if holds(path, SECRET) or holds(path, KEY)]
    assert not leaks


def write_config(server: DeskServer, folder: Path) -> Path:
    file = folder / "desk.toml"
    file.write_text(
        f"""
[cluster]
name = "canary"
state_dir = "{folder / "state"}"
[account]
venue = "desk"
account_id = "ACC"
capital = 50_000
[venues.desk]
adapter = "tests.cluster.remote_desk:REMOTE_DESK"
port = {server.port}
[feed]
symbols = ["AAPL", "KO"]
bar_interval = "1s"
max_silence_s = 5.0
[risk]
max_shares = 5_000
max_notional_per_position = 60_000
max_total_exposure = 100_000
max_loss_per_trade = 50_000
max_daily_loss = 50_000
max_consecutive_losses = 10_000
max_trades_per_day = 10_000
stop_loss_ratio = "off"
trailing_stop_ratio = "off"
[strategies.swing]
kind = "mean_reversion"
params = {{ window_bars = 3, entry_z = 0.6, exit_z = 0.1, hold_bars_max = 2 }}
"""
    )
    return file


def trader(words: list[str], folder: Path, environment: dict[str, str]) -> Any:
    return subprocess.Popen(
        [sys.executable, "-m", "cluster.cli.main", *words],
        cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip


def environments(pid: int) -> list[str]:
    """Environment, and command line, of every process below the launcher: Ray's and the hosts'."""
    found = []
    for process in psutil.Process(pid).children(recursive=True):
        try:
            found.append(f"{process.name()} {process.cmdline()} {process.environ()}")
        except psutil.NoSuchProcess:
            continue
    assert any("ray::LoggedHost" in text for text in found)
    assert any("raylet" in text for text in found)
    return found


def dashboard(token_file: Path) -> list[str]:
    """What Ray's dashboard answers; at least one page must be there."""
    pages: list[str] = []

    def is_filled() -> bool:
        pages.extend(answer_of(page, token_file.read_text()) for page in PAGES)
        return any("LoggedHost" in text for text in pages)

    wait(is_filled, "a page that names the hosts")
    return pages


def answer_of(page: str, token: str) -> str:
    request = urllib.request.Request(DASHBOARD + page, headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            text: str = answer.read().decode()
            return text
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.read().decode()}"
    except OSError as error:  # it starts after the hosts
        return str(error)


def holds(path: Path, text: str) -> bool:
    try:
        return text.encode() in path.read_bytes()
    except OSError:
        return False
