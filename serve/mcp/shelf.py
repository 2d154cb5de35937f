"""All tools, loaded once, in the order that they are listed in."""

from serve.mcp.tool import TOOLS, ToolSpec
from serve.mcp.toolsets import Toolset


def all_tools() -> list[ToolSpec]:
    """Return every tool: by toolset, then as the files have them."""
    load_tools()
    order = list(Toolset)
    return sorted(TOOLS.values(), key=lambda spec: (order.index(spec.toolset), *spec.place))


def load_tools() -> None:
    """Import the files of the tools; each puts its own into `serve.mcp.tool.TOOLS`."""
    from serve.mcp.tools import (  # noqa: F401
        agents,
        choosing,
        committees,
        data,
        discovery,
        jobs,
        neural,
        orders,
        portfolio,
        risk,
        steering,
        strategies,
        switching,
        trading,
    )
