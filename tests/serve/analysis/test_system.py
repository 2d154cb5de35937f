"""The machine and the cluster's processes."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from serve.desk.analysis import system
from serve.desk.analysis.system import system_metrics
from serve.desk.view import ActorView, ClusterSnapshot, LatencyView, Percentiles
from tests.serve.analysis.desks import simulated, without_cluster
from trading.errors import ClusterUnreachable, UsageError


class Busy:
    """A cluster whose actors have handled 100 messages more at every look."""

    def __init__(self, desk: Any) -> None:
        self._desk, self._looks = desk, 0

    def snapshot(self) -> ClusterSnapshot:
        self._looks += 1
        own = ActorView(
            name="own", pid=os.getpid(), node="", restarts=0, messages=100 * self._looks
        )
        return msgspec.structs.replace(
            self._desk.snapshot(),
            actors=(own,),
            latency_us=LatencyView(tick_to_order=Percentiles(p50=150.0, p99=900.0)),
        )


@pytest.fixture(autouse=True)
def _short_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "WINDOW_S", 0.02)


def test_machine_and_cluster_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "_is_ours", lambda process: True)
    desk, trading = simulated(tmp_path)
    found = system_metrics(replace(desk, trading=Busy(trading)))
    assert found.cpu is not None
    assert found.cpu.cores == psutil.cpu_count()
    assert found.memory is not None
    assert found.memory.total_gb == pytest.approx(psutil.virtual_memory().total / 1e9)
    assert found.latency is not None
    assert (found.latency.tick_to_order_p50_us, found.latency.tick_to_order_p99_us) == (150, 900)
    assert found.throughput is not None
    rate = found.throughput
    assert rate.messages_per_second * rate.window_s == pytest.approx(100)
    assert rate.messages_total == 200
    assert [row.pid for row in found.processes] == [os.getpid()]
    assert found.memory.cluster_mb == pytest.approx(found.processes[0].memory_mb)


def test_a_foreign_process_with_the_number_of_an_actor_is_left_out(tmp_path: Path) -> None:
    desk, _ = simulated(tmp_path)  # its actors are numbered from 1 and have no process
    assert system_metrics(desk).processes == []


def test_only_what_is_asked_for_is_told(tmp_path: Path) -> None:
    desk, _ = simulated(tmp_path)
    found = system_metrics(desk, ["cpu"])
    assert found.cpu is not None
    assert (found.memory, found.latency, found.throughput, found.gpu) == (None,) * 4
    with pytest.raises(UsageError, match="'disk'"):
        system_metrics(desk, ["disk"])
    with pytest.raises(ClusterUnreachable):
        system_metrics(without_cluster(tmp_path / "other"))


def test_a_gpu_is_shown_or_the_reason_why_not(tmp_path: Path) -> None:
    desk, _ = simulated(tmp_path)
    found = system_metrics(desk, ["gpu"]).gpu
    assert found is not None
    assert found.is_present == (found.reason == "")
