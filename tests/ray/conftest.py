"""One Ray for all tests of the session; each test starts a small cluster of its own on it."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster import client, launch, ray_runtime
from cluster.client import RayClusterView
from cluster.config import Config, load_config
from cluster.desk import order_desk, trading_state
from serve.desk.view import ClusterSnapshot

WAIT_S = 120.0
PATIENCE_S = 60.0


@pytest.fixture(scope="session")
def ray_session() -> Iterator[Any]:
    folder = Path(tempfile.mkdtemp(prefix="tr-", dir="/tmp"))
    overrides = {"cluster": {"name": "session", "state_dir": str(folder), "dashboard": False}}
    ray = ray_runtime.start_local(load_config(None, overrides))
    yield ray
    ray.shutdown()
    shutil.rmtree(folder, ignore_errors=True)


class Cluster:
    """A running cluster and the ways to hurt it."""

    def __init__(self, view: RayClusterView, config: Config) -> None:
        self.view = view
        self.config = config

    def snapshot(self) -> ClusterSnapshot:
        return self.view.snapshot()

    def wait(self, condition: Callable[[ClusterSnapshot], Any], what: str) -> ClusterSnapshot:
        """Look until `condition` holds; fail after two minutes, saying what was awaited."""
        deadline = time.monotonic() + WAIT_S
        while True:
            snapshot = self.snapshot()
            if condition(snapshot):
                return snapshot
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"waited {WAIT_S:.0f} s for: {what}\n{snapshot.actors}\n{snapshot.check}"
                )
            time.sleep(0.05)

    def finish(self) -> ClusterSnapshot:
        """Return the end of the replay, once the books agree: its last fills may be late."""
        return self.wait(
            lambda s: s.finished and s.check and s.check.is_clean, "books that agree at the end"
        )

    def pid_of(self, host: str) -> int:
        found = self.wait(lambda s: any(a.name == host and a.alive for a in s.actors), host)
        return next(actor.pid for actor in found.actors if actor.name == host)

    def successor(self, host: str, old: int) -> None:
        """Wait until another process than `old` runs this host."""
        self.wait(
            lambda s: any(a.name == host and a.alive and a.pid != old for a in s.actors),
            f"the successor of {host}",
        )


@pytest.fixture
def patient_desk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A front desk that waits for answers as long as a busy machine may take for them."""
    monkeypatch.setattr(order_desk, "ANSWER_S", PATIENCE_S)
    monkeypatch.setattr(order_desk, "FILL_S", PATIENCE_S)
    monkeypatch.setattr(trading_state, "IN_FORCE_S", PATIENCE_S)
    monkeypatch.setattr(client, "KILL_TIMEOUT_S", PATIENCE_S)


@pytest.fixture
def make_cluster(ray_session: Any) -> Iterator[Callable[..., Cluster]]:
    """Return a function that starts a cluster; keyword arguments override the configuration."""
    started: list[tuple[RayClusterView, Path]] = []

    def make(
        drills: dict[str, dict[str, int]] | None = None, **sections: dict[str, Any]
    ) -> Cluster:
        folder = Path(tempfile.mkdtemp(prefix="tr-", dir="/tmp"))
        overrides: dict[str, Any] = {
            "cluster": {"name": f"t{len(started)}-{folder.name}", "state_dir": str(folder)},
            "data": {
                "days": 40,
                "pace_slices_per_s": 20.0,
                "symbols": ["AAPL", "KO", "MSFT", "XOM"],
            },
            "strategies": {
                "momentum": {"kind": "momentum", "capital": 0.3},
                "mean_reversion": {"kind": "mean_reversion", "capital": 0.25},
                "pairs": {"kind": "pairs", "capital": 0.25, "params": {"formation_bars": 60}},
            },
        }
        for name, values in sections.items():
            overrides[name] = {**overrides.get(name, {}), **values}
        config = load_config(None, overrides)
        view = launch.start(config, ray=ray_session, drills=drills or {})
        started.append((view, folder))
        return Cluster(view, config)

    yield make
    for view, folder in started:
        view.stop()
        shutil.rmtree(folder, ignore_errors=True)
