"""Long work: what runs, waiting for it, its result, ending it."""

import asyncio
import time
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from serve.api.lists import JobList
from serve.api.permitted import Asker, Desk, Reader
from serve.desk.front_desk import FrontDesk
from serve.desk.jobs import ENDED, Job, JobState
from serve.desk.principal import Permission
from trading.errors import Conflict

router = APIRouter(prefix="/jobs", tags=["jobs"])
JOBS_MAX = 500
WAIT_MAX_S = 60.0
LOOK_EVERY_S = 0.2
JobId = Annotated[str, Path(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$")]


@router.get("", summary="The newest jobs")
def list_jobs(
    _: Reader, desk: Desk, limit: Annotated[int, Query(ge=1, le=JOBS_MAX)] = 50
) -> JobList:
    return JobList(jobs=desk.jobs.list(limit))


@router.get("/{job_id}", summary="One job, with its result when it is done")
async def get_job(
    _: Reader,
    desk: Desk,
    job_id: JobId,
    wait_s: Annotated[
        float, Query(ge=0, le=WAIT_MAX_S, description="Answer when it is over, or after so long.")
    ] = 0.0,
) -> Job:
    return await job_when_over(desk, job_id, wait_s)


@router.get("/{job_id}/result", summary="What the command printed, and nothing else")
def get_job_result(_: Reader, desk: Desk, job_id: JobId) -> Any:
    """409 when there is none: the job is not over, or it failed without one."""
    return result_of(desk.jobs.get(job_id))


@router.delete("/{job_id}", summary="End a job")
def cancel_job(by: Asker, desk: Desk, job_id: JobId) -> Job:
    """Its process and all below it. Whoever started it may, and risk:admin."""
    if desk.jobs.get(job_id).owner != by.name:
        by.require(Permission.RISK_ADMIN)
    return desk.jobs.cancel(job_id)


async def job_when_over(desk: FrontDesk, job_id: str, wait_s: float) -> Job:
    """Return the job when it is over, or as it is after `wait_s`; no thread waits."""
    ends_at = time.monotonic() + wait_s
    while True:
        job = await asyncio.to_thread(desk.jobs.get, job_id)
        if job.state in ENDED or time.monotonic() >= ends_at:
            return job
        await asyncio.sleep(LOOK_EVERY_S)


def result_of(job: Job) -> Any:
    """Return what a job printed.

    Raises
    ------
    Conflict
        If it has not, or will not.
    """
    if job.state is JobState.DONE or (job.state in ENDED and job.result is not None):
        return job.result
    why = f" {job.code}: {job.detail}" if job.code else ""
    hint = "" if job.state in ENDED else " Wait with GET /v1/jobs/ID?wait_s=30."
    raise Conflict(f"Job {job.id} has no result: it is {job.state}.{why}{hint}")
