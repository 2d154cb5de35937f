"""`trader forecast --url`: what is sent to a service, and what a person reads of its answers."""

import json
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from actors.models.registry import ModelRegistry
from tests.dead_port import nobody_at

Trader = Callable[..., Any]


@pytest.fixture
def trader(trader: Any, registry: ModelRegistry) -> Any:
    return partial(trader, "forecast", "--model", "walk")


class Service(HTTPServer):
    """Answers what it was given, and keeps what it was asked."""

    answer: tuple[int, bytes] = (200, b"")
    asked: dict[str, Any]
    hold: threading.Event


class Handler(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.server.asked = {"path": self.path, **json.loads(self.rfile.read(length))}
        self.server.hold.wait()
        status, body = self.server.answer
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@pytest.fixture
def service() -> Iterator[Service]:
    server = Service(("127.0.0.1", 0), Handler)
    server.hold = threading.Event()
    server.hold.set()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def url_of(service: Service) -> str:
    return f"http://127.0.0.1:{service.server_port}"


def test_service_gets_the_bars_and_its_answer_is_shown(trader: Trader, service: Service) -> None:
    local = trader("AAPL", "--as-of", "2020-03-06", "--horizon", "2", "--json").json
    service.answer = (200, json.dumps({**local, "is_cached": True, "version": 7}).encode())
    words = ("AAPL", "--as-of", "2020-03-06", "--horizon", "2", "--url", url_of(service))
    assert trader(*words, "--json").json == {**local, "is_cached": True, "version": 7}
    asked = service.asked
    assert (asked["path"], asked["symbol"], asked["model"]) == ("/v1/forecast", "AAPL", "walk")
    assert asked["horizon"] == 2
    assert asked["close"][-1] == local["last_close"]
    assert asked["ts"][-1] == local["as_of"]
    assert "volume" not in asked
    assert "from the cache" in trader(*words).out


def test_what_the_service_says_against_it_is_what_the_person_reads(
    trader: Trader, service: Service
) -> None:
    problems = {
        (422, "FORECAST_HORIZON"): 2,
        (404, "MODEL_UNKNOWN"): 2,
        (504, "FORECAST_LATE"): 5,
        (500, "FORECAST_OUTPUT_INVALID"): 1,
    }
    for (status, code), wanted in problems.items():
        service.answer = (status, json.dumps({"code": code, "detail": "So it is."}).encode())
        ended = trader("AAPL", "--url", url_of(service))
        assert (ended.status, ended.err) == (wanted, f"trader: So it is. [{code}]\n")
    service.answer = (502, b"<html>")
    assert "HTTP status 502" in trader("AAPL", "--url", url_of(service)).err
    service.answer = (200, b"[]")
    assert "no forecast" in trader("AAPL", "--url", url_of(service)).err


def test_service_that_is_not_there_is_said(trader: Trader) -> None:
    with nobody_at() as port:
        url = f"http://127.0.0.1:{port}"
        ended = trader("AAPL", "--url", url)
        words = ("--model", "walk@3", "--horizon", "1", "--ensemble", "mean")
        together = trader("AAPL", "--url", url, *words)
    assert ended.status == 8
    assert "start one with `trader serve`" in ended.err
    assert (together.status, together.out) == (1, "")
    assert "0 of 2 models answered" in together.err


def test_models_of_a_service_make_an_ensemble(trader: Trader, service: Service) -> None:
    words = ("AAPL", "--as-of", "2020-03-06", "--horizon", "2", "--json")
    local = trader(*words).json
    service.answer = (200, json.dumps(local).encode())
    asked = (*words, "--model", "other@2", "--url", url_of(service) + "/", "--ensemble")
    found = trader(*asked, "mean").json
    assert found["voices"] == {"AAPL": ["walk", "other@2"]}
    quantiles = found["forecasts"][0]["quantiles"]
    assert all(quantiles[level] == pytest.approx(local["quantiles"][level]) for level in quantiles)
    assert service.asked["model"] in {"walk", "other@2"}
    assert 0 < service.asked["deadline_ms"] <= 10_000
    ended = trader(*asked, "weighted")
    assert (ended.status, ended.out) == (2, "")
    assert "takes its weights from the registry here. There is no model 'other'" in ended.err
    known = (*words, "--model", "walk@3", "--url", url_of(service), "--ensemble", "weighted")
    assert trader(*known).status == 0


def test_service_that_hangs_is_late(trader: Trader, service: Service) -> None:
    service.hold.clear()
    words = ("--model", "walk@3", "--horizon", "1", "--ensemble", "mean", "--deadline-ms", "50")
    ended = trader("AAPL", "--url", url_of(service), *words)
    service.hold.set()
    assert (ended.status, ended.out) == (5, "")
    assert "[FORECAST_LATE]" in ended.err
