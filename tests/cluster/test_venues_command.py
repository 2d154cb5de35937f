"""`trader venues`: what is installed, what is configured, whether it answers; and what it costs to ask."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.remote_desk import KEY, SECRET, DeskServer
from tests.dead_port import nobody_at

Trader = Callable[..., Any]
CLIENT_LIBRARIES = (
    "alpaca",
    "ib_async",
    "ccxt",
    "quickfix",
    "aiohttp",
    "websockets",
    "pandas",
    "ray",
)


@pytest.fixture
def server() -> Iterator[DeskServer]:
    running = DeskServer()
    yield running
    running.close()


@pytest.fixture
def desk_file(home: Path, server: DeskServer, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("DESK_KEY", KEY)
    monkeypatch.setenv("DESK_SECRET", SECRET)
    path = home / "desk.toml"
    path.write_text(
        f"[venues.desk]\nadapter = 'tests.cluster.remote_desk:REMOTE_DESK'\nport = {server.port}\n"
    )
    return str(path)


def steps(ended: Any) -> dict[str, Any]:
    return {step["name"]: step for step in ended.json["steps"]}


def test_list_names_every_installed_venue_and_no_value_of_a_credential(
    trader: Trader, desk_file: str
) -> None:
    ended = trader("venues", "list", "-c", desk_file)
    assert ended.status == 0
    assert "The remote desk" in ended.out
    assert "DESK_KEY set, DESK_SECRET set" in ended.out
    assert SECRET not in ended.out
    found = {row["name"]: row for row in trader("venues", "list", "--json").json["venues"]}
    assert {"paper", "alpaca", "ib", "ccxt", "fix"} <= set(found)
    assert found["paper"]["is_simulated"]


def test_list_says_which_credentials_are_missing(
    trader: Trader, desk_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DESK_SECRET")
    assert "DESK_KEY set, DESK_SECRET MISSING" in trader("venues", "list", "-c", desk_file).out


def test_show_has_capabilities_and_options_with_their_meaning(
    trader: Trader, desk_file: str
) -> None:
    ended = trader("venues", "show", "desk", "-c", desk_file)
    assert "TRAILING_STOP_MARKET" in ended.out
    assert "| first_delay_s" in ended.out
    assert "Mean pause before the first attempt to reconnect." in ended.out
    shown = trader("venues", "show", "desk", "-c", desk_file, "--json").json
    assert [row["option"] for row in shown["options"]] == ["port", "first_delay_s"]


def test_show_of_an_unknown_venue_names_the_nearest(trader: Trader) -> None:
    ended = trader("venues", "show", "alpca")
    assert ended.status == 3
    assert "did you mean alpaca?" in ended.err


def test_check_goes_through_every_step_without_an_order(
    trader: Trader, desk_file: str, server: DeskServer
) -> None:
    ended = trader("venues", "check", "desk", "-c", desk_file, "--symbol", "KO", "--account", "ACC",
                   "--json")  # fmt: skip
    assert ended.status == 0, ended.out
    found = steps(ended)
    assert list(found) == [
        "library", "credentials", "connect", "account", "positions", "open orders", "clock",
        "instrument", "quote",
    ]  # fmt: skip
    assert all(step["is_ok"] for step in found.values())
    assert "1,000,000" in found["account"]["message"]
    assert "KO.XNAS" in found["instrument"]["message"]
    assert not server.desk.submitted
    assert SECRET not in ended.out + ended.err


def test_check_ends_with_4_when_a_credential_is_missing(
    trader: Trader, desk_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DESK_SECRET")
    ended = trader("venues", "check", "desk", "-c", desk_file)
    assert ended.status == 4
    assert "DESK_SECRET is not set" in ended.out


def test_check_ends_with_4_when_the_venue_refuses_them_and_hides_what_it_quotes(
    trader: Trader, desk_file: str, server: DeskServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESK_SECRET", "canary-wrong-secret")
    ended = trader("venues", "check", "desk", "-c", desk_file)
    assert ended.status == 4
    assert "[hidden] is not known" in ended.out
    assert "canary-wrong-secret" not in ended.out + ended.err
    assert server.refused == 1


def test_check_ends_with_5_when_nobody_answers(
    trader: Trader, desk_file: str, server: DeskServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cluster import venue_check

    monkeypatch.setattr(venue_check, "STEP_TIMEOUT_S", 1.5)
    server.close()
    with nobody_at(server.port):
        ended = trader("venues", "check", "desk", "-c", desk_file, "--json")
    assert ended.status == 5
    assert list(steps(ended)) == ["library", "credentials", "connect"]


def test_check_ends_with_6_when_the_symbol_is_unknown(trader: Trader, desk_file: str) -> None:
    ended = trader(
        "venues", "check", "desk", "-c", desk_file, "--symbol", "NOPE", "--account", "ACC"
    )
    assert ended.status == 6
    assert "unknown symbols: NOPE" in ended.out


@pytest.mark.parametrize("words", [["--help"], ["venues", "list"], ["venues", "show", "alpaca"]])
def test_no_client_library_is_imported_before_a_connection_is_opened(
    words: list[str], home: Path
) -> None:
    code = (
        "import sys; from cluster.cli.main import app\n"
        f"try: app({words!r})\nexcept SystemExit: pass\n"
        f"print([name for name in {CLIENT_LIBRARIES!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stdout + done.stderr
