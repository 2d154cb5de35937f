"""Symbols and bars."""

from typing import Annotated

from pydantic import Field

from serve.desk.answers import Provenance
from serve.mcp.call import Caller
from serve.mcp.tool import tool
from serve.mcp.toolsets import Toolset


@tool(Toolset.DATA, is_core=True, answer="serve.desk.analysis.market:BarList")
def get_bars(
    call: Caller,
    *,
    symbol: Annotated[str, Field(max_length=64)],
    start: Annotated[str | None, Field(description="YYYY-MM-DD")] = None,
    end: str | None = None,
    limit: Annotated[int, Field(ge=1, le=2_000)] = 100,
) -> Provenance:
    """Return the newest bars of a symbol from the configured source, oldest first."""
    from serve.desk.analysis.market import bars

    return bars(call.desk, symbol, start, end, limit)


@tool(Toolset.DATA, is_core=True, answer="serve.desk.analysis.market:SymbolList")
def list_symbols(call: Caller) -> Provenance:
    """List the symbols that there are prices of, and since when."""
    from serve.desk.analysis.market import symbols

    return symbols(call.desk)
