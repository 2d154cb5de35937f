"""Strategies that agents write: judged, and moved on the ladder."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from serve.desk.requests.fields import (
    PARAMETERS_MAX,
    AgentName,
    Code,
    End,
    Parameters,
    Reason,
    Source,
    Start,
    Symbols,
    WalkForward,
)
from serve.desk.requests.request import Argument, JobRequest, Option, SourceFile, Style


class SubmitAgentRequest(JobRequest):
    """`trader agent submit`: lint, sandbox, look-ahead, determinism, backtest with costs, walk-forward."""

    KIND: ClassVar[str] = "agent submit"

    name: AgentName
    source: Annotated[Code, SourceFile(named_by="name")]
    params: Annotated[
        Parameters,
        Field(default_factory=dict, max_length=PARAMETERS_MAX),
        Option("--param", Style.PAIRS),
    ]
    data: Source = "sp500"
    symbols: Symbols = ()
    start: Start = None
    end: End = None
    walk_forward: WalkForward = "24m/6m"


class PromoteAgentRequest(JobRequest):
    """`trader agent promote`: one rung up. To `live` a person promotes at the command line, typing the name."""

    KIND: ClassVar[str] = "agent promote"

    name: Annotated[AgentName, Argument(0)]
    to: Annotated[Literal["paper", "candidate"], Argument(1)]
    reason: Annotated[Reason, Option("--reason")]


class DemoteAgentRequest(JobRequest):
    """`trader agent demote`: the running risk manager lets it open nothing more within a second."""

    KIND: ClassVar[str] = "agent demote"

    name: Annotated[AgentName, Argument(0)]
    to: Annotated[Literal["candidate", "paper"], Argument(1)] = "candidate"
    reason: Annotated[Reason, Option("--reason")]


class ListAgentsRequest(JobRequest):
    """`trader agent list`: where every strategy stands."""

    KIND: ClassVar[str] = "agent list"


class ShowAgentRequest(JobRequest):
    """`trader agent show`: the report card of one strategy."""

    KIND: ClassVar[str] = "agent show"

    name: Annotated[AgentName, Argument(0)]
