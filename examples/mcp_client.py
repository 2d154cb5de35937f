"""What an agent does, by hand: connect over MCP, see which tools there are, look at the portfolio, simulate a trade.

    python -m examples.mcp_client                                   # starts `trader mcp` and talks over its stdin and stdout
    python -m examples.mcp_client http://127.0.0.1:8000/mcp         # asks a running `trader serve`

It looks and simulates; a tool that trades would ask the person in front of the client, and this client has none.
"""

import asyncio
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from mcp import StdioServerParameters
from mcp.client.client import Client
from mcp_types import CallToolResult, TextContent


class Refused(Exception):
    """A tool said no, and why."""


def server(address: str | None) -> str | StdioServerParameters:
    """Return where the tools are: an address, or a program that is started."""
    if address is not None:
        return address
    beside_python = shutil.which("trader", path=str(Path(sys.executable).parent))
    return StdioServerParameters(
        command=beside_python or "trader",
        args=["mcp", "--permissions", "read"],
        env=dict(os.environ),  # without it the server sees none of our TRADER_... variables
    )


def facts(result: CallToolResult) -> dict[str, Any]:
    """Return the structured answer. Raises `Refused`."""
    if result.is_error or result.structured_content is None:
        text = result.content[0]
        raise Refused(text.text if isinstance(text, TextContent) else "the tool failed.")
    return result.structured_content


async def look(client: Client) -> None:
    tools = (await client.list_tools()).tools
    print(f"{len(tools)} tools: {', '.join(tool.name for tool in tools[:6])} ...")
    standing = facts(await client.call_tool("ping", {}))
    if not standing["cluster"]:
        raise Refused(standing["reason"])
    portfolio = facts(await client.call_tool("get_portfolio_status", {"include_analytics": False}))
    print(
        f"{standing['cluster']} ({standing['mode']}): value {portfolio['portfolio_value']}, "
        f"cash {portfolio['cash']}, trading is {portfolio['trading_state']}"
    )
    wish = {"strategy": "operator", "symbol": "KO", "action": "buy", "quantity": 10}
    trade = facts(await client.call_tool("simulate_trade", wish))
    verdict = "allowed" if trade["is_allowed"] else "; ".join(trade["objections"])
    print(
        f"10 {trade['instrument_id']} at {trade['reference_price']}: value {trade['estimated_value']}, "
        f"position {trade['position_before']} -> {trade['position_after']}: {verdict}"
    )


async def main(address: str | None) -> None:
    refusal = ""
    async with Client(server(address)) as client:
        try:
            await look(client)
        except Refused as refused:  # outside the block it would come as a group of exceptions
            refusal = str(refused)
    if refusal:
        sys.exit(refusal)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else None))
