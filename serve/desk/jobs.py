"""Long work: a job is one documented `trader` command with `--json`, in a process of its own.

It is seen by every replica, goes on when the one that started it ends, and can be cancelled.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from serve.desk.principal import Principal

NO_FILES: Mapping[str, str] = MappingProxyType({})


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELED = "canceled"
    LOST = "lost"
    """Its process is gone and left no result: killed, or the machine went down."""


ENDED = frozenset({JobState.DONE, JobState.FAILED, JobState.CANCELED, JobState.LOST})


class Job(BaseModel):
    """One job.

    Attributes
    ----------
    kind : str
        `backtest`, `tune`, `train` ...: the command.
    command : str
        How a person would write it.
    progress : str
        The last line that it said of how far it is; may be empty.
    result : object or None
        What the command printed with `--json`; None until it is done.
    code, detail : str
        Of the error that it ended with.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    kind: str
    command: str
    state: JobState
    owner: str
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    progress: str = ""
    result: Any = None
    code: str = ""
    detail: str = ""
    correlation_id: str = ""


class Jobs(Protocol):
    """Starts jobs and knows what became of them. Calls block for milliseconds, `wait` for longer."""

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
        """Start `trader KIND ARGUMENTS --json`, or queue it.

        Parameters
        ----------
        kind : str
            Words of the command: `backtest`, `agent submit`.
        files : mapping of name to text
            Written into the folder that the job starts in; arguments may name them.
        key : str
            Of the one who asks: used again, the job that it started is returned, for as long as that is kept.

        Raises
        ------
        Conflict
            `JOBS_FULL` in the sentence: too many wait already. `IDEMPOTENCY_KEY_REUSED`: the key started
            another job.
        """

    def get(self, job_id: str) -> Job:
        """Return a job with its result. Raises `NotFound`."""

    def list(self, limit: int = 50) -> list[Job]:
        """Return the newest jobs, newest first, without their results."""

    def cancel(self, job_id: str) -> Job:
        """End a job that is not over: its process and all below it. Raises `NotFound`."""

    def wait(self, job_id: str, timeout_s: float) -> Job:
        """Return the job when it is over, or as it is after `timeout_s`. Raises `NotFound`."""
