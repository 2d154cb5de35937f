"""A front desk over a simulated cluster, an MCP server in front of it, and a person who answers questions."""

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import mcp_types as types
from mcp.client.client import Client

from serve.desk.jobs import NO_FILES, Job, JobState
from serve.desk.principal import ALL, Permission, Principal
from serve.forecast.price_histories import PriceHistories
from serve.mcp.call import DeskHolder
from serve.mcp.server import DeskServer, build_server
from serve.mcp.toolsets import Toolset, toolsets_of
from tests.serve.simulated_desk import SimulatedDesk, front_desk
from trading.errors import NotFound

BUY = {"strategy": "operator", "symbol": "KO", "action": "buy", "quantity": 3}
MODERN, LEGACY = "2026-07-28", "legacy"
HISTORIES = PriceHistories("sp500")
START = datetime(2022, 11, 9, tzinfo=UTC)


class ScriptedJobs:
    """`Jobs` that are over at once, with what a test says; it keeps what was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[str], dict[str, str]]] = []
        self.result: Any = {"ok": True}
        self.state = JobState.DONE
        self.code = self.detail = self.progress = ""
        self._jobs: dict[str, Job] = {}

    def start(
        self,
        kind: str,
        arguments: Sequence[str],
        by: Principal,
        *,
        correlation_id: str = "",
        files: Mapping[str, str] = NO_FILES,
        key: str = "",
    ) -> Job:
        assert not key, "no tool has one"
        self.asked.append((kind, list(arguments), dict(files)))
        job = Job(
            id=f"job-{len(self.asked)}",
            kind=kind,
            command=f"trader {kind} {' '.join(arguments)}",
            state=self.state,
            owner=by.name,
            created_at=START,
            progress=self.progress,
            result=self.result,
            code=self.code,
            detail=self.detail,
            correlation_id=correlation_id,
        )
        self._jobs[job.id] = job
        return job

    def get(self, job_id: str) -> Job:
        if job_id not in self._jobs:
            raise NotFound(f"there is no job {job_id!r}.")
        return self._jobs[job_id]

    def list(self, limit: int = 50) -> list[Job]:
        newest = list(self._jobs.values())[::-1][:limit]
        return [job.model_copy(update={"result": None}) for job in newest]

    def cancel(self, job_id: str) -> Job:
        self._jobs[job_id] = self.get(job_id).model_copy(update={"state": JobState.CANCELED})
        return self._jobs[job_id]

    def wait(self, job_id: str, timeout_s: float) -> Job:
        return self.get(job_id)


class Scene:
    """One simulated cluster and its desk."""

    def __init__(self, folder: Path, seed: int = 3) -> None:
        self.trading = SimulatedDesk(folder, seed=seed)
        self.jobs = ScriptedJobs()
        real = front_desk(folder, trading=self.trading, histories=HISTORIES)
        self.real_jobs = real.jobs
        self.desk = replace(real, jobs=self.jobs)
        self._servers: dict[Any, DeskServer] = {}
        self._before = {each.client_order_id for each in self.trading.exchange_orders()}

    def server(
        self,
        toolsets: str = "all",
        permissions: frozenset[Permission] = ALL,
        keys: Sequence[bytes] = (),
        name: str = "tester",
    ) -> DeskServer:
        """Return a server; with keys it is a replica of its own, without it may be one that was made before."""
        known = (toolsets, permissions, name)
        if keys or known not in self._servers:
            self._servers[known] = self._replica(toolsets, permissions, keys, name)
        return self._servers[known]

    def _replica(
        self, toolsets: str, permissions: frozenset[Permission], keys: Sequence[bytes], name: str
    ) -> DeskServer:
        by = Principal(name=name, permissions=permissions, came_by="stdio")
        return build_server(
            DeskHolder(lambda: self.desk),
            lambda _: by,
            toolsets=toolsets_of(toolsets) if toolsets else frozenset({Toolset.CORE}),
            state_keys=keys,
        )

    def sent(self) -> list[Any]:
        """What the venue received since: the market stands still, so all of it is ours."""
        return [
            each
            for each in self.trading.exchange_orders()
            if each.client_order_id not in self._before
        ]

    def audited(self) -> list[tuple[str, str]]:
        """What was asked for and what became of it, oldest first."""
        return [(each.action, each.outcome) for each in self.desk.audit.read(1_000)][::-1]


@dataclass
class Person:
    """Answers every question in the same way, and remembers it."""

    answer: str = "accept"
    content: Any = field(default_factory=lambda: {"confirm": True})
    questions: list[str] = field(default_factory=list)
    before_answering: Callable[[], None] = lambda: None

    async def __call__(self, context: Any, params: Any) -> types.ElicitResult:
        self.questions.append(params.message)
        self.before_answering()
        content = self.content if self.answer == "accept" else None
        return types.ElicitResult(action=self.answer, content=content)


@asynccontextmanager
async def connected(
    server: Any, person: Person | None = None, mode: str = MODERN
) -> AsyncIterator[Client]:
    async with Client(server, elicitation_callback=person, mode=mode) as client:
        yield client


async def called(
    server: Any,
    name: str,
    arguments: Mapping[str, Any],
    person: Person | None = None,
    mode: str = MODERN,
) -> types.CallToolResult:
    """Call one tool over a connection of its own."""
    async with connected(server, person, mode) as client:
        return await client.call_tool(name, dict(arguments))


def code(result: types.CallToolResult) -> str:
    assert result.is_error, result.structured_content
    return str(result.structured_content["code"])


def facts(result: types.CallToolResult) -> dict[str, Any]:
    assert not result.is_error, result.content
    assert result.structured_content is not None
    text = result.content[0]
    assert isinstance(text, types.TextContent)
    assert json.loads(text.text).keys() == result.structured_content.keys()
    return result.structured_content
