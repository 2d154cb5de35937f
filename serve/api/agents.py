"""Strategies that agents write: submitted for judgement, and moved on the ladder.

All of it is the documented command line: its facts are signed, and it runs the source in a sandbox alone.
"""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from serve.api.permitted import CorrelationId, Desk, Reader, RiskAdmin, SandboxUser
from serve.api.starting import BEGUN, Starter, answer_of
from serve.desk.answers import Answer
from serve.desk.job_requests import (
    DemoteAgentRequest,
    ListAgentsRequest,
    PromoteAgentRequest,
    ShowAgentRequest,
    SubmitAgentRequest,
)
from serve.desk.jobs import Job
from serve.desk.requests.fields import AGENT_NAME

router = APIRouter(prefix="/agents", tags=["agents"])
AgentName = Annotated[str, Path(pattern=AGENT_NAME, examples=["calm_momentum"])]
Why = Annotated[str, Field(min_length=1, max_length=500, description="It is recorded.")]


class Promotion(BaseModel):
    """One rung up. To live money a person promotes at the command line."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"to": "paper", "reason": "passed every stage"}]},
    )
    to: Literal["paper", "candidate"]
    reason: Why


class Demotion(BaseModel):
    """Down."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"to": "candidate", "reason": "loses in calm markets"}]},
    )
    to: Literal["candidate", "paper"] = "candidate"
    reason: Why


class AgentList(Answer):
    """What `trader agent list --json` prints."""

    agents: list[dict[str, Any]]


@router.get("", summary="Every strategy: where it stands, what it passed, what it made")
async def list_agents(by: Reader, desk: Desk, correlation_id: CorrelationId) -> AgentList:
    return AgentList(agents=await answer_of(desk, ListAgentsRequest(), by, correlation_id))


@router.get("/{name}", summary="The report card of one strategy")
async def get_agent(
    by: Reader, desk: Desk, correlation_id: CorrelationId, name: AgentName
) -> dict[str, Any]:
    """What `trader agent show --json` prints: with what stands between it and the next rung."""
    card: dict[str, Any] = await answer_of(desk, ShowAgentRequest(name=name), by, correlation_id)
    return card


@router.post("", summary="Submit a strategy for judgement", **BEGUN)
def submit_agent(by: SandboxUser, start: Starter, asked: SubmitAgentRequest) -> Job:
    """Lint, sandbox, look-ahead, determinism, backtest with costs, walk-forward; every verdict is a signed fact."""
    return start(asked, by)


@router.post("/{name}/promote", summary="Let a strategy up one rung", **BEGUN)
def promote_agent(by: RiskAdmin, start: Starter, name: AgentName, asked: Promotion) -> Job:
    return start(PromoteAgentRequest(name=name, to=asked.to, reason=asked.reason), by)


@router.post("/{name}/demote", summary="Take a strategy down", **BEGUN)
def demote_agent(by: RiskAdmin, start: Starter, name: AgentName, asked: Demotion) -> Job:
    """The running risk manager lets it open nothing more within a second."""
    return start(DemoteAgentRequest(name=name, to=asked.to, reason=asked.reason), by)
