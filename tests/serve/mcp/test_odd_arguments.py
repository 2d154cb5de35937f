"""Whatever a caller writes into a parameter, every tool answers or refuses with a code of ours; none fails."""

import asyncio
import random
from typing import Any

import pytest

from serve.mcp.shelf import load_tools
from serve.mcp.tool import TOOLS
from tests.serve.mcp.calls import VALID
from tests.serve.mcp.mcp_scene import Scene, connected

load_tools()
ODD: list[Any] = [
    "", " ", "\0", "a" * 3000, "\U0001f600", "\u202eAAPL", "AAPL\n", "-1", "1e400", "NaN", "2024-13-45", "9999-12-31",
    "../../etc/passwd", "<script>", "__class__", "{0}", "%s", "@1", "x@" + "9" * 5000,
    0, -1, 10**30, -(10**30), 2**63, 1e308, 1e-320, float("inf"), float("nan"), None, True, [], {}, ["x"] * 50, {"a": {"b": [1]}},
]  # fmt: skip
EACH = 16


@pytest.mark.parametrize("name", sorted(TOOLS))
def test_odd_arguments_are_answered_or_refused(fresh: Scene, name: str) -> None:
    choice = random.Random(name)
    failed: list[str] = []

    async def work() -> None:
        async with connected(fresh.server()) as client:
            for parameter in TOOLS[name].parameters:
                for value in choice.sample(ODD, EACH):
                    result = await client.call_tool(name, {**VALID[name], parameter: value})
                    text = result.content[0].text
                    told = text.partition(":")[0]
                    if result.is_error and (told == "FAILED" or not told.isupper()):
                        failed.append(f"{parameter}={value!r:.40}: {text[:200]}")

    asyncio.run(work())
    assert failed == []
