"""From a request to a job: the one place where the API starts long work."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends
from starlette.responses import Response

from serve.api.idempotency import idempotency_header
from serve.api.jobs import job_when_over
from serve.api.permitted import CorrelationId, Desk
from serve.desk.front_desk import FrontDesk
from serve.desk.job_requests import JobRequest, begin
from serve.desk.jobs import ENDED, Job, JobState
from serve.desk.principal import Principal
from serve.http.problems import RequestRefused

QUICK_S = 20.0
"""Of a command that answers at once."""
RETRY_AFTER_S = "5"
_STATUS = {"NOT_FOUND": 404, "USAGE": 422, "CONFIG_INVALID": 422, "DATA_INVALID": 422}

Start = Callable[[JobRequest, Principal], Job]
JobKey = Annotated[
    str,
    idempotency_header(
        "Repeat a request with the same key, however often: there is one job, for as long as it is kept.",
        "backtest-2024-05-17-0001",
    ),
]


async def start_of(
    desk: Desk, correlation_id: CorrelationId, response: Response, key: JobKey = ""
) -> Start:
    """Return what starts a job and says in the response where it is found."""

    def start(asked: JobRequest, by: Principal) -> Job:
        job = begin(desk.jobs, asked, by, correlation_id, key)
        response.headers["Location"] = f"/v1/jobs/{job.id}"
        return job

    return start


async def answer_of(desk: FrontDesk, asked: JobRequest, by: Principal, correlation_id: str) -> Any:
    """Return what a quick command prints.

    Raises
    ------
    RequestRefused
        If it failed, with its code; or if it takes longer (`JOB_LATE`, 503), with the job to look at.
    """
    begun = await asyncio.to_thread(begin, desk.jobs, asked, by, correlation_id)
    job = await job_when_over(desk, begun.id, QUICK_S)
    if job.state not in ENDED:
        raise RequestRefused(
            503,
            "JOB_LATE",
            f"`{job.command}` takes longer; see /v1/jobs/{job.id}.",
            headers={"Retry-After": RETRY_AFTER_S},
        )
    if job.state is JobState.DONE:
        return job.result
    raise RequestRefused(
        _STATUS.get(job.code, 409),
        job.code or "JOB_FAILED",
        job.detail or f"`{job.command}` is {job.state}; see /v1/jobs/{job.id}.",
    )


Starter = Annotated[Start, Depends(start_of)]
_STARTED: dict[int | str, dict[str, Any]] = {
    202: {
        "description": "The job: look at it where the header Location says, or wait there with `?wait_s=`.",
        "headers": {"Location": {"schema": {"type": "string"}, "description": "`/v1/jobs/ID`"}},
    }
}
BEGUN: dict[str, Any] = {"status_code": 202, "responses": _STARTED}
"""What a route that starts a job says of its answer."""
