"""The tables of docs/mcp.md, made from the code."""

import re
from typing import Any

from serve.desk.principal import Permission
from serve.mcp.server import registered_tool
from serve.mcp.shelf import all_tools
from serve.mcp.tool import ToolSpec
from serve.mcp.toolsets import ABOUT, Toolset

BEGIN, END = "<!-- tools: made from the code -->", "<!-- /tools -->"


def with_tables(page: str) -> str:
    """Return the page with the tables of today between its marks."""
    pattern = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
    return pattern.sub(lambda _: f"{BEGIN}\n\n{tables()}\n{END}", page)


def tables() -> str:
    """Return one table for each toolset."""
    parts = []
    for toolset in Toolset:
        specs = [spec for spec in all_tools() if spec.toolset is toolset]
        head = [f"### {toolset}", "", ABOUT[toolset], ""]
        if toolset is Toolset.CORE:
            names = ", ".join(f"`{spec.name}`" for spec in all_tools() if spec.is_core)
            head += [f"{names}. Its own:", ""]
        rows = ["| tool | parameters | needs | what it does |", "| --- | --- | --- | --- |"]
        parts.append("\n".join([*head, *rows, *map(_row, specs), ""]))
    return "\n".join(parts)


def _row(spec: ToolSpec) -> str:
    schema = registered_tool(spec).parameters
    required = set(schema.get("required", ()))
    parameters = ", ".join(
        f"`{name}`" if name in required else f"`{name}`{_default(field)}"
        for name, field in schema.get("properties", {}).items()
    )
    needs = "" if spec.permission == Permission.READ else str(spec.permission)
    marks = " **Asks the person.**" if spec.is_confirmed else ""
    text = spec.description.replace("|", "/")
    return f"| `{spec.name}` | {parameters or '-'} | {needs or 'read'} | {text}{marks} |"


def _default(field: dict[str, Any]) -> str:
    value = field.get("default")
    return "?" if value in (None, "") else f" = {value}"
