"""Code that nobody vouches for: run in isolation, and the pools that it waits for."""

from fastapi import APIRouter
from pydantic import Field

from serve.api.permitted import Desk, Reader, SandboxUser
from serve.api.pools import PoolStanding, pools_of
from serve.api.starting import BEGUN, Starter
from serve.desk.answers import Answer
from serve.desk.job_requests import (
    CheckSandboxRequest,
    ExecuteSandboxRequest,
    RunSandboxRequest,
)
from serve.desk.jobs import Job

router = APIRouter(prefix="/sandbox", tags=["sandbox"])


class SandboxStanding(Answer):
    """The pools of the cluster. Without any, each sandbox is made when it is needed."""

    pools: list[PoolStanding] = Field(description="One for each node that offers places.")


@router.get("", summary="The pools: places, who holds them, who waits")
def get_sandbox(_: Reader, desk: Desk) -> SandboxStanding:
    """What isolation this machine has, and whether it holds, is a job: `POST /v1/sandbox/checks`."""
    return SandboxStanding(pools=pools_of(desk.trading.snapshot().name))


@router.post("/checks", summary="Find the isolation that there is, and attack it", **BEGUN)
def start_sandbox_check(by: SandboxUser, start: Starter, asked: CheckSandboxRequest) -> Job:
    return start(asked, by)


@router.post("/runs", summary="Run a strategy over real prices, isolated", **BEGUN)
def start_sandbox_run(by: SandboxUser, start: Starter, asked: RunSandboxRequest) -> Job:
    return start(asked, by)


@router.post("/executions", summary="Run a script, isolated", **BEGUN)
def start_sandbox_execution(by: SandboxUser, start: Starter, asked: ExecuteSandboxRequest) -> Job:
    return start(asked, by)
