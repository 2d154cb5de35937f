"""Errors as results that an agent can read and act on: `is_error`, a code, a sentence, a hint."""

import difflib
import logging
from collections.abc import Iterable

from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp_types import CallToolResult, TextContent
from pydantic import ValidationError

from serve.mcp.untrusted import one_line
from trading.errors import TradingError

log = logging.getLogger("serve.mcp")
NO_ANSWER = "What the client sent is no answer to the question that it was asked; nothing was done."


class ToolUnknown(TradingError):
    code = "TOOL_UNKNOWN"
    exit_status = 2


class ToolHidden(TradingError):
    code = "TOOL_HIDDEN"
    exit_status = 2


class ArgumentUnknown(TradingError):
    code = "ARGUMENT_UNKNOWN"
    exit_status = 2


def refused(code: str, message: str, hint: str = "") -> CallToolResult:
    """Return the result that says no."""
    text = f"{code}: {message}{f' Hint: {hint}' if hint else ''}"
    return CallToolResult(
        content=[TextContent(type="text", text=text)],
        structured_content={"code": code, "message": message, "hint": hint},
        is_error=True,
    )


def refusal_of(error: Exception, tool: str, correlation_id: str) -> CallToolResult:
    """Return what the agent is told; of an error that is not ours, nothing but the id to look for in the log."""
    cause = error.__cause__ if isinstance(error, ToolError) else error
    if isinstance(cause, TradingError):
        return refused(cause.code, one_line(str(cause), 2_000))
    if isinstance(cause, ToolError):  # what a resolver says of the answer that came back
        return refused("ANSWER_INVALID", NO_ANSWER)
    if isinstance(cause, ValidationError) and not isinstance(error, UnexpectedToolError):
        return refused("ARGUMENT_INVALID", wrong_fields(cause), f"see the schema of {tool}.")
    log.error("%s %s failed", tool, correlation_id, exc_info=cause)
    return refused("FAILED", f"{tool} failed; the log says more under {correlation_id}.")


def code_of(result: CallToolResult) -> str:
    """Return the code of a refusal."""
    return str((result.structured_content or {}).get("code", "FAILED"))


def nearest(name: str, known: Iterable[str]) -> str:
    """Return `did you mean ...?`, or what there is."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(names) or 'none'}."


def wrong_fields(error: ValidationError) -> str:
    """Return which fields are wrong, and how, without the values."""
    found = [
        ": ".join(filter(None, (_place(each["loc"]), each["msg"].removeprefix("Value error, "))))
        for each in error.errors()
    ]
    return one_line("; ".join(found[:5]), 1_000).removesuffix(".") + "."


def _place(where: Iterable[object]) -> str:
    return ".".join(map(str, where))
