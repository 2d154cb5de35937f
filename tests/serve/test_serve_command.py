"""`trader serve` and `trader cluster status`: what they make of the configuration, and of a service's answer."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from cluster import forecast_service
from cluster.cli import cluster as cluster_command
from cluster.cli.serve import facts_of
from cluster.config import load_config
from cluster.desk.opening import service_settings
from serve.auth.settings import AccessSettings
from serve.forecast.settings import ServiceSettings
from serve.forecast.shadow import ShadowReport
from serve.forecast.status import ModelStatus, ReplicaStatus, summed
from trading.errors import AuthError, ClusterUnreachable, UsageError


def a_replica(name: str, **changes: object) -> ReplicaStatus:
    champion = ModelStatus(
        model="nhits@3", parts=("champion",), provider="cpu", is_fallback=False, runs=2, windows=6
    )
    facts: dict[str, object] = {
        "replica": name,
        "node": "here",
        "pid": 7,
        "at": 1,
        "asked": 6,
        "queued": 1,
        "failures": {},
        "p50_ms": 1.0,
        "p99_ms": 4.0,
        "cache_hits": 2,
        "cache_misses": 4,
        "models": (champion,),
        "refused": {},
        "shadow": {},
    }
    return ReplicaStatus(**(facts | changes))  # type: ignore[arg-type]


STATUS = summed(
    (
        a_replica("one"),
        a_replica(
            "two",
            p99_ms=9.0,
            refused={"nhits@4": "its checksum differs"},
            shadow={"nhits@5": ShadowReport(compared=3, mean_difference=0.001)},
        ),
    ),
    cpus=2.0,
    gpus=1.0,
    gpus_free=0.5,
)


def test_a_service_is_the_sum_of_its_replicas() -> None:
    assert (STATUS.asked, STATUS.queued, STATUS.cache_hits) == (12, 2, 4)
    assert (STATUS.p50_ms, STATUS.p99_ms) == (1.0, 9.0)
    assert STATUS.versions == {"nhits": ("nhits@3",)}


def test_settings_are_those_of_the_configuration(tmp_path: Path) -> None:
    config = load_config(
        None,
        {
            "cluster": {"state_dir": str(tmp_path)},
            "serve": {"port": 8111, "num_gpus": 0.5, "cache_entries": 7},
            "models": {"precision": "int8", "providers": "cuda,cpu"},
        },
    )
    settings = service_settings(config, "net@2", AccessSettings())
    assert (settings.port, settings.num_gpus, settings.cache_entries) == (8111, 0.5, 7)
    assert (settings.precision, settings.providers) == ("int8", ("cuda", "cpu"))
    assert settings.registry == str(tmp_path / "models")
    assert settings.model == "net@2"


def test_a_start_tells_the_address_and_who_answers() -> None:
    facts = facts_of("http://127.0.0.1:8000", ServiceSettings(registry="r"), STATUS)
    assert facts["url"] == "http://127.0.0.1:8000"
    assert facts["docs"] == "http://127.0.0.1:8000/docs"
    assert (facts["model"], facts["provider"], facts["replicas"]) == ("nhits@3", "cpu", 2)


@pytest.mark.parametrize("is_on", [True, False])
def test_the_request_to_try_brings_a_key_where_one_is_asked_for(is_on: bool) -> None:
    settings = ServiceSettings(registry="r", access=AccessSettings(is_on=is_on))
    told = str(facts_of("http://127.0.0.1:8000", settings, STATUS)["try"])
    assert ("X-API-Key: $DESK_KEY" in told) is is_on


@pytest.fixture
def url() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_known = self.headers["X-API-Key"] in (None, "good")
            body = msgspec.json.encode(STATUS) if self.path == "/v1/cluster" else b"{}"
            self.send_response(200 if is_known else 401)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_status_of_a_service_is_shown(url: str) -> None:
    shown = CliRunner().invoke(cluster_command.app, ["status", "--url", url])
    assert shown.exit_code == 0
    for text in ("nhits@3", "p99 9.00 ms", "refused nhits@4", "3 compared", "2, 1 (0.5 free)"):
        assert text in shown.output, text
    as_json = CliRunner().invoke(cluster_command.app, ["status", "--url", url, "--json"])
    assert json.loads(as_json.stdout) == json.loads(msgspec.json.encode(STATUS))


def test_nobody_there_is_said_in_one_sentence() -> None:
    with pytest.raises(ClusterUnreachable, match="start one with `trader serve`"):
        forecast_service.read_status("http://127.0.0.1:1")
    with pytest.raises(UsageError, match="write it as http"):
        forecast_service.read_status("file:///etc/passwd")


def test_a_service_that_asks_who_comes_in_gets_the_key_of_the_environment(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(forecast_service.KEY, "good")
    assert forecast_service.read_status(url) == STATUS
    monkeypatch.setenv(forecast_service.KEY, "wrong-canary")
    with pytest.raises(AuthError, match="trader keys create") as caught:
        forecast_service.read_status(url)
    assert "wrong-canary" not in str(caught.value)
