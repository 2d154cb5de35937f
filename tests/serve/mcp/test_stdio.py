"""Over stdin and stdout of a process: the whole piece of work with a real job, and `trader mcp` itself."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from tests.serve.mcp.mcp_scene import BUY, LEGACY, MODERN, Person, code, facts

TRADER = str(Path(sys.executable).with_name("trader"))
ROOT = str(Path(__file__).parents[3])
HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
READY = {"jsonrpc": "2.0", "method": "notifications/initialized"}


def environment(folder: Path, **more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("TRADER_", "RAY_"))}
    return kept | {"HOME": str(folder), "TRADER_CLUSTER__STATE_DIR": str(folder / "state")} | more


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", [MODERN, LEGACY])
def test_whole_piece_of_work_with_a_real_backtest(tmp_path: Path, mode: str) -> None:
    person = Person()
    program = StdioServerParameters(
        command=sys.executable,
        args=["-m", "tests.serve.mcp.stdio_program", str(tmp_path)],
        env=environment(tmp_path),
        cwd=ROOT,
    )

    async def work() -> None:
        async with Client(stdio_client(program), elicitation_callback=person, mode=mode) as client:
            assert facts(await client.call_tool("get_portfolio_status", {}))["source"] == "paper"
            asked = {
                "strategy": "momentum", "symbol": "KO,JNJ", "start_date": "2014-01-01",
                "end_date": "2016-12-31", "wait_seconds": 120,
            }  # fmt: skip
            tested = facts(await client.call_tool("run_backtest", asked))
            assert tested["state"] == "done"
            assert "sharpe" in json.dumps(tested["result"])
            assert facts(await client.call_tool("simulate_trade", BUY))["is_allowed"]
            assert facts(await client.call_tool("execute_trade", BUY))["status"] == "FILLED"
            person.answer = "decline"
            assert code(await client.call_tool("execute_trade", BUY)) == "NOT_CONFIRMED"

    asyncio.run(work())
    assert json.loads((tmp_path / "orders.json").read_text()) == 1


def said(folder: Path, lines: list[dict[str, Any]], *options: str, **more: str) -> list[Any]:
    """Return what `trader mcp` answers, all that it writes to stdout: every line is one of the protocol."""
    with subprocess.Popen(
        [TRADER, "mcp", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment(folder, **more),
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        program.stdin.write("".join(json.dumps(line) + "\n" for line in lines))
        program.stdin.flush()
        wanted = sum("id" in line for line in lines)
        answers = [json.loads(program.stdout.readline()) for _ in range(wanted)]
        program.stdin.close()
        assert program.stdout.read() == ""
        assert program.wait(60) == 0
    return answers


def call(tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {
        "jsonrpc": "2.0",
        "id": 2,
        "method": "tools/call",
        "params": {"name": tool, "arguments": arguments},
    }


def test_command_answers_without_a_cluster_and_says_that_there_is_none(tmp_path: Path) -> None:
    hello, pong = said(tmp_path, [HELLO, READY, call("ping", {})])
    assert hello["result"]["serverInfo"]["name"] == "neural-trader"
    told = pong["result"]["structuredContent"]
    assert told["status"] == "ok"
    assert "trader up" in told["reason"]


def test_command_shows_the_toolsets_of_option_and_environment(tmp_path: Path) -> None:
    listing = [HELLO, READY, {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}]
    for options, more in ((("--toolsets", "data"), {}), ((), {"TOOLSETS": "data"})):
        answers = said(tmp_path, listing, *options, **more)
        names = {each["name"] for each in answers[1]["result"]["tools"]}
        assert names == {"get_bars", "list_symbols"}


def test_command_gives_the_permissions_it_is_told(tmp_path: Path) -> None:
    answers = said(
        tmp_path, [HELLO, READY, call("pause_trading", {"reason": "x"})], "--permissions", "read"
    )
    assert answers[1]["result"]["structuredContent"]["code"] == "PERMISSION_MISSING"


@pytest.mark.parametrize("option", [("--toolsets", "neurl"), ("--permissions", "everything")])
def test_command_refuses_what_it_does_not_know(tmp_path: Path, option: tuple[str, str]) -> None:
    done = subprocess.run(
        [TRADER, "mcp", *option],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        env=environment(tmp_path),
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert option[1] in done.stderr
