"""Buses on real sockets, in a short private folder, closed whatever happens."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors.bus import link, wire
from actors.bus.wire import HostAddress
from actors.bus.zmq import ZmqBus
from trading.identifiers import MachineName

BOUND_S = 60.0
SECRET = bytes(range(32))


class Peer:
    """A bus and everything it has received so far."""

    def __init__(self, bus: ZmqBus) -> None:
        self.bus = bus
        self.items: list[wire.Inbound] = []

    @property
    def commands(self) -> list[wire.Command]:
        return [item for item in self.items if isinstance(item, wire.Command)]

    @property
    def payloads(self) -> list[bytes]:
        return [command.payload for command in self.commands]

    @property
    def links(self) -> list[tuple[MachineName, bool]]:
        return [
            (item.machine, item.is_up) for item in self.items if isinstance(item, wire.LinkChanged)
        ]

    @property
    def published(self) -> list[tuple[str, bytes]]:
        return [
            (item.topic, item.payload) for item in self.items if isinstance(item, wire.Published)
        ]

    def ack_all(self) -> None:
        for command in self.commands:
            self.bus.ack(command.token)


class Child:
    """The same in a process of its own, which may be killed or frozen."""

    def __init__(self, process: subprocess.Popen[str], address: HostAddress) -> None:
        self.process = process
        self.address = address

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)


@pytest.fixture
def run_dir() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="bus-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(params=["ipc", "127.0.0.1"])
def bind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def steady_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no link of this process go down because somebody was late: only a lost connection ends it.

    For tests that count the changes of a link, or send what a lost connection loses.
    """
    monkeypatch.setattr(link, "HEARTBEAT_TIMEOUT_MS", int(BOUND_S * 1e3))
    monkeypatch.setattr(link, "_HANDSHAKE_IVL_MS", int(BOUND_S * 1e3))


@pytest.fixture
def own_address() -> str:
    """An address of this machine that no other process uses, so that its ports stay free."""
    pid = os.getpid()
    return f"127.{1 + (pid >> 16) % 254}.{(pid >> 8) % 256}.{pid % 256}"


@pytest.fixture
def open_peer(run_dir: Path) -> Iterator[Callable[..., Peer]]:
    opened: list[Peer] = []

    def open_one(
        host: str, incarnation: str = "1", bind: str = "ipc", secret: bytes | None = None
    ) -> Peer:
        peer = Peer(ZmqBus(host, incarnation, run_dir=run_dir, bind=bind, secret=secret))
        opened.append(peer)
        return peer

    yield open_one
    for peer in opened:
        peer.bus.close()


@pytest.fixture
def pump() -> Callable[..., None]:
    """Poll the peers in turn until something holds."""

    def pump_until(until: Callable[[], bool], *peers: Peer) -> None:
        give_up = time.monotonic() + BOUND_S
        while not until():
            for peer in peers:
                peer.items += peer.bus.poll(0.002)
            seen = [(p.bus.address.host, p.items[-3:], p.bus.counters()) for p in peers]
            assert time.monotonic() < give_up, f"nothing more came; last seen: {seen}"

    return pump_until


@pytest.fixture
def start_child(run_dir: Path) -> Iterator[Callable[..., Child]]:
    """Start a process that runs machine `echo:1` and answers every command to its sender."""
    started: list[Child] = []

    def start(parent: Peer, incarnation: str, bind: str = "ipc", *, acks: bool = True) -> Child:
        script = Path(__file__).with_name("echo_process.py")
        home = parent.bus.address
        setup = {
            "incarnation": incarnation,
            "run_dir": str(run_dir),
            "bind": bind,
            "acks": acks,
            "home": [home.host, home.incarnation, home.router, home.pub],
        }
        process = subprocess.Popen(
            [sys.executable, str(script), json.dumps(setup)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[3],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        )
        assert process.stdout is not None
        child = Child(
            process, HostAddress("echo", incarnation, *json.loads(process.stdout.readline()))
        )
        started.append(child)
        return child

    yield start
    for child in started:
        child.process.kill()
        child.process.wait()
        assert child.process.stdout is not None
        child.process.stdout.close()
