"""What is refused before anything starts, and how the load becomes a number of replicas."""

import os
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

from serve.forecast import launch
from serve.forecast.scaling import BUSY, TARGET_BUSY, BusyMeter, by_busy_replicas
from serve.forecast.settings import ServiceSettings
from serve.forecast.statistics import Statistics
from tests.dead_port import nobody_at
from trading.errors import AuthError, ConfigError


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "::", "example.org", ""])
def test_an_address_that_others_reach_is_refused(host: str) -> None:
    with pytest.raises(AuthError, match="which others can reach"):
        launch.start(ServiceSettings(registry="nowhere", host=host))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "localhost"])
def test_loopback_is_fine(host: str) -> None:
    launch.require_known(ServiceSettings(registry="nowhere", host=host))


def test_a_port_in_use_is_refused() -> None:
    with nobody_at() as port:
        with (
            socket.create_server(("127.0.0.1", port)),
            pytest.raises(ConfigError, match=f"port {port} of 127.0.0.1 is in use"),
        ):
            launch.start(ServiceSettings(registry="nowhere", port=port))
        launch.require_free("127.0.0.1", port)


def test_files_and_ports_of_the_proxy_are_our_own(tmp_path: Path) -> None:
    settings = ServiceSettings(registry="nowhere")
    environment = launch.environment_of(settings, tmp_path)
    assert environment["RAY_SERVE_ENABLE_HA_PROXY"] == "1"
    assert environment["RAY_SERVE_HAPROXY_SOCKET_PATH"].startswith(str(tmp_path))
    ports = {environment[name] for name in environment if name.endswith("_PORT")}
    assert len(ports) == 3
    assert set(environment.values()) >= ports
    assert not set(environment) & set(os.environ)


@pytest.mark.parametrize(
    ("readings", "expected"), [({}, 2), ({"a": 0.7}, 1.0), ({"a": 1.4, "b": 0.7}, 3.0)]
)
def test_replicas_follow_how_busy_they_are(readings: dict[str, float], expected: float) -> None:
    context = SimpleNamespace(aggregated_metrics={BUSY: readings}, target_num_replicas=2)
    assert by_busy_replicas(context)[0] == pytest.approx(expected * 0.7 / TARGET_BUSY)


def test_a_busy_process_reads_busier_than_an_idle_one() -> None:
    meter = BusyMeter()
    assert sum(range(300_000)) > 0
    busy = meter.read()
    assert 0.0 < busy < 64.0


def test_percentiles_are_those_of_the_ordered_latencies() -> None:
    numbers = Statistics()
    assert numbers.latency_ms(0.5) is None
    for latency in range(1, 101):
        numbers.answered(float(latency))
    assert (numbers.latency_ms(0.5), numbers.latency_ms(0.99)) == (50.0, 99.0)
    assert numbers.latency_ms(1.0) == 100.0
