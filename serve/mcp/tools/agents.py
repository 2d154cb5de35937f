"""Strategies that agents write: judged, looked at, let up one rung; and code run in isolation."""

import asyncio
from typing import Annotated, Any, Literal

from mcp.server.mcpserver import Context, Elicit, Resolve
from pydantic import Field

from serve.desk.principal import Permission
from serve.mcp.agent_records import file_name, ladder_name
from serve.mcp.call import Caller
from serve.mcp.confirmation import Answer, Confirm, ask
from serve.mcp.data_source import source_for_jobs
from serve.mcp.long_work import (
    WAIT_S,
    JobReport,
    WaitSeconds,
    asked,
    worked,
)
from serve.mcp.tool import TRADE, tool
from serve.mcp.toolsets import Toolset
from serve.mcp.trade_terms import place_of
from serve.mcp.untrusted import one_line

Name = Annotated[str, Field(max_length=64, description="Of the strategy.")]
Code = Annotated[str, Field(min_length=1, max_length=200_000, description="Python source.")]


@tool(Toolset.AGENT, Permission.SANDBOX_RUN, changes=True)
async def submit_strategy(
    call: Caller,
    context: Context[Any, Any],
    *,
    name: Name,
    source: Code,
    symbols: list[str] | None = None,
    params: dict[str, Any] | None = None,
    start_date: str | None = None,
    end_date: str | None = None,
    wait_seconds: WaitSeconds = WAIT_S,
) -> JobReport:
    """Hand in a strategy (a file with `targets(bars, ...)`): lint, sandbox, look-ahead, determinism, backtest, walk-forward. The result is its report card. A job."""
    from serve.desk.job_requests import SubmitAgentRequest

    desk = await asyncio.to_thread(lambda: call.desk)
    request = asked(
        SubmitAgentRequest,
        name=file_name(name),
        source=source,
        params=params or {},
        data=source_for_jobs(desk),
        symbols=symbols or [],
        start=start_date,
        end=end_date,
    )
    return await worked(call, context, request, wait_seconds)


@tool(Toolset.AGENT)
async def get_report_card(
    call: Caller, context: Context[Any, Any], name: Name, wait_seconds: WaitSeconds = WAIT_S
) -> JobReport:
    """Show what a strategy of an agent passed, what it made, and what stands between it and the next rung."""
    from serve.desk.job_requests import ShowAgentRequest

    request = asked(ShowAgentRequest, name=ladder_name(name))
    return await worked(call, context, request, wait_seconds)


@tool(Toolset.AGENT)
async def list_agents(
    call: Caller, context: Context[Any, Any], wait_seconds: WaitSeconds = WAIT_S
) -> JobReport:
    """List the strategies of agents: where each stands on the ladder and what it made."""
    from serve.desk.job_requests import ListAgentsRequest

    return await worked(call, context, asked(ListAgentsRequest), wait_seconds)


def ask_to_promote(
    call: Caller, context: Context[Any, Any], name: str, to: str, reason: str
) -> Elicit[Confirm]:
    """Show the person which strategy would trade where."""
    own = ladder_name(name)
    return ask(
        call,
        context,
        lambda: (
            f"{place_of(call.desk)} Let the strategy {own}, written by an agent, move to {to}?\n"
            f"- reason given: {one_line(reason)}\n- the ladder refuses it unless every stage was passed."
        ),
    )


@tool(Toolset.AGENT, TRADE, changes=True, is_destructive=True)
async def promote_strategy(
    call: Caller,
    context: Context[Any, Any],
    answer: Annotated[Answer, Resolve(ask_to_promote)],
    *,
    name: Name,
    to: Literal["paper", "candidate"] = "paper",
    reason: Annotated[str, Field(min_length=1, max_length=300)] = "passed all stages",
    wait_seconds: WaitSeconds = WAIT_S,
) -> JobReport:
    """Let a strategy up one rung, when the person said yes. To money a person promotes at a terminal: trader agent promote NAME live."""
    from serve.desk.job_requests import PromoteAgentRequest

    request = asked(
        PromoteAgentRequest, name=ladder_name(name), to=to, reason=one_line(reason, 300)
    )
    return await worked(call, context, request, wait_seconds)


@tool(Toolset.AGENT, Permission.SANDBOX_RUN, changes=True)
async def run_in_sandbox(
    call: Caller,
    context: Context[Any, Any],
    *,
    source: Code,
    timeout_seconds: Annotated[float, Field(ge=0.1, le=600)] = 60.0,
    wait_seconds: WaitSeconds = WAIT_S,
) -> JobReport:
    """Run a Python script in isolation: no network, no files of the host. What it prints is untrusted. A job."""
    from serve.desk.job_requests import ExecuteSandboxRequest

    request = asked(ExecuteSandboxRequest, source=source, timeout_s=timeout_seconds)
    return await worked(call, context, request, wait_seconds)


@tool(Toolset.AGENT, Permission.SANDBOX_RUN, changes=True)
async def sandbox_status(
    call: Caller, context: Context[Any, Any], wait_seconds: WaitSeconds = 60.0
) -> JobReport:
    """Find the isolation that this machine offers, and attack it: what held and what did not. A job."""
    from serve.desk.job_requests import CheckSandboxRequest

    return await worked(call, context, asked(CheckSandboxRequest), wait_seconds)
