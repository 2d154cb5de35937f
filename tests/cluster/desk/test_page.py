"""The page beside a run: on loopback, on a port that is free, gone with the run."""

import json
import socket
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from cluster.desk.page import HOST, serving_page
from serve.auth.settings import AccessSettings
from serve.desk.front_desk import FrontDesk
from tests.dead_port import nobody_at
from tests.serve.simulated_desk import SimulatedDesk, front_desk


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return json.loads(answer.read())


def test_a_run_is_seen_over_http_until_it_ends(tmp_path: Path, desk: SimulatedDesk) -> None:
    with serving_page(lambda: front_desk(tmp_path, trading=desk), 0, AccessSettings()) as page:
        shown = get(f"{page.url}v1/portfolio")
        assert page.url.startswith(f"http://{HOST}:")
        assert shown["accounts"][0]["account"] == "SIM"
    port = int(page.url.rstrip("/").rpartition(":")[2])
    with nobody_at(port), pytest.raises(urllib.error.URLError):
        get(f"{page.url}v1/portfolio")


def test_a_port_that_is_taken_is_not_fought_for(tmp_path: Path, desk: SimulatedDesk) -> None:
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        with serving_page(
            lambda: front_desk(tmp_path, trading=desk), port, AccessSettings()
        ) as page:
            assert f":{port}/" not in page.url
            assert get(f"{page.url}v1/portfolio")["source"] == "paper"


def test_a_page_that_cannot_be_made_ends_nothing_but_itself(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken() -> FrontDesk:
        raise OSError("no space left")

    with serving_page(broken, 0, AccessSettings()) as page:
        assert page.url
    assert "the page ends" in caplog.text
    assert "no space left" in caplog.text
