"""Long work as a job: started, waited for a while with signs of progress, answered with its result or its id."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from mcp.server.mcpserver import Context
from pydantic import Field, ValidationError

from serve.desk.answers import Provenance, Source
from serve.desk.jobs import ENDED, Job, JobState
from serve.desk.requests.request import JobRequest
from serve.mcp.call import Call
from serve.mcp.device import Processing
from serve.mcp.refusal import wrong_fields
from serve.mcp.untrusted import Untrusted, one_line, untrusted, wrapped
from trading.errors import TradingError, UsageError

Request = TypeVar("Request", bound=JobRequest)
STEP_S = 1.0
WAIT_MAX_S = 120.0
WAIT_S = 20.0
WaitSeconds = Annotated[
    float, Field(ge=0, le=WAIT_MAX_S, description="Then you get the job id instead.")
]


class JobFailed(TradingError):
    """The job ended without a result."""

    def __init__(self, job: Job) -> None:
        super().__init__(
            f"The job {job.id} ({job.kind}) is {job.state}: {job.detail or 'no more is known'}"
        )
        self.code = job.code or f"JOB_{job.state.upper()}"  # type: ignore[misc]  # of this one, not of the class


class JobReport(Provenance):
    """A job and what came of it.

    Attributes
    ----------
    result : object or None
        What the command printed with `--json`; its texts are untrusted. None until the job is done.
    next_step : str
        What to do while it runs.
    """

    job_id: str
    kind: str
    command: str
    state: JobState
    owner: str
    progress: str
    result: Any = None
    code: str = ""
    detail: Untrusted | None = None
    next_step: str = ""
    processing: Processing | None = None


def asked(kind: type[Request], **fields: Any) -> Request:
    """Return a request for a job.

    Raises
    ------
    UsageError
        If a field is wrong.
    """
    try:
        return kind(**fields)
    except ValidationError as error:
        raise UsageError(wrong_fields(error)) from None


def report_of(job: Job, processing: Processing | None = None) -> JobReport:
    """Return a job as an agent sees it."""
    newest = job.ended_at or job.started_at or job.created_at
    is_over = job.state in ENDED
    return JobReport(
        source=Source.COMPUTED,
        as_of=newest if newest.tzinfo else newest.replace(tzinfo=UTC),
        job_id=job.id,
        kind=job.kind,
        command=one_line(job.command, 300),
        state=job.state,
        owner=job.owner,
        progress=one_line(job.progress, 300),
        result=wrapped(job.result),
        code=job.code,
        detail=untrusted(job.detail) if job.detail else None,
        next_step="" if is_over else f"Ask get_job(job_id={job.id!r}) later, or cancel_job.",
        processing=processing,
    )


async def worked(
    call: Call,
    context: Context[Any, Any] | None,
    request: JobRequest,
    wait_seconds: float = WAIT_S,
    processing: Processing | None = None,
) -> JobReport:
    """Start the job of a request and wait for it, at most `wait_seconds`. It goes on when the client goes away.

    Raises
    ------
    JobFailed
        If it ended without a result, with the code that its command gave.
    """
    from serve.desk.job_requests import begin

    jobs = (await asyncio.to_thread(lambda: call.desk)).jobs
    begun = await asyncio.to_thread(begin, jobs, request, call.by, call.correlation_id)
    job = await followed(call, context, begun, wait_seconds)
    if job.state in ENDED and job.state is not JobState.DONE and job.result is None:
        raise JobFailed(job)
    return report_of(job, processing)


async def followed(
    call: Call, context: Context[Any, Any] | None, job: Job, wait_seconds: float
) -> Job:
    """Return the job when it is over or the time is; say meanwhile how far it is."""
    begun = time.monotonic()
    ends_at = begun + wait_seconds
    while job.state not in ENDED and (left_s := ends_at - time.monotonic()) > 0:
        job = await asyncio.to_thread(call.desk.jobs.wait, job.id, min(STEP_S, left_s))
        if context is not None:
            told = one_line(job.progress or str(job.state))
            await context.report_progress(time.monotonic() - begun, wait_seconds, told)
    return job


def now() -> datetime:
    """Return the host's time, for answers about this moment."""
    return datetime.now(UTC)
