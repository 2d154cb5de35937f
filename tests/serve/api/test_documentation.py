"""The commands of docs/http.md, run as they stand there against a server on loopback."""

import os
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from serve.http.app import build_app
from tests.serve.simulated_desk import front_desk

PAGE = Path(__file__).parents[3] / "docs" / "http.md"
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
COMMANDS = [
    command for block in BLOCKS for command in re.sub(r"\\\n\s*", "", block).strip().splitlines()
]


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    desk = front_desk(tmp_path)
    app = build_app(desk.forecasts, desk=desk)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()  # who comes before the server waits
        config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=5)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(60)


def _until_over(command: str) -> str:
    """Wait for a job again, as the page says, when it was not over after the longest wait that there is."""
    return "\n".join([command] * 3) if "wait_s=" in command else command


def _until_heard(command: str) -> str:
    """Listen until the first event is there: how soon it comes says how busy the machine is."""
    patient = re.sub(r"--max-time \d+", "--max-time 200", command)
    return (
        f"{patient} > heard & listener=$!; until grep -q '^event: portfolio' heard; "
        "do kill -0 $listener; sleep 0.05; done; kill $listener; cat heard"
    )


@pytest.mark.timeout(300)
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_commands_of_the_page_work(address: str, tmp_path: Path) -> None:
    """In one shell, in their order; every answer has to be a success."""
    checked = [
        line.replace("DESK=http://127.0.0.1:8000", f"DESK={address}").replace(
            "curl -s", "curl --fail-with-body -S -s"
        )
        for line in COMMANDS
    ]
    streams = [_until_heard(line) for line in checked if "/stream" in line]
    script = "\n".join(
        [
            "set -eux",
            *(_until_over(line) for line in checked if "/stream" not in line),
            *streams,
            "echo all done",
        ]
    )
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert done.stdout.rstrip().endswith("all done")
    assert "event: portfolio" in done.stdout
    assert "my-trace-1" in done.stdout
    assert '"metrics"' in done.stdout, "the result of the backtest"


def test_every_code_of_http_is_in_the_table() -> None:
    rooms = [PAGE.parents[1] / "serve" / room for room in ("http", "auth", "api")]
    text = "\n".join(path.read_text() for room in rooms for path in room.rglob("*.py"))
    written = set(re.findall(r'"([A-Z]+(?:_[A-Z]+)+)"', text))
    rows = re.findall(r"^\| (`[A-Z_`, ]+`) \| \d", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    listed = {code for row in rows for code in re.findall(r"[A-Z_]+", row)}
    assert len(listed) > 15
    others = {"JWT_SECRET_KEY", "OUTCOME_UNKNOWN", "ORDER_REFUSED", "FORECAST_SYMBOL_UNKNOWN"}
    others |= {"DATA_INVALID", "CONFIG_INVALID"}  # of the error tree, and a variable
    assert written - others <= listed
    assert {code for code in listed if "_" in code} - {"REQUEST_REFUSED"} <= written
