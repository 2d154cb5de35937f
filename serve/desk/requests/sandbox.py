"""Code that nobody vouches for, run in isolation."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from serve.desk.requests.fields import (
    PARAMETERS_MAX,
    Code,
    End,
    Parameters,
    Source,
    Start,
    Symbols,
)
from serve.desk.requests.request import FilePlace, JobRequest, Option, Style

Backend = Annotated[Literal["auto", "local", "e2b"] | None, Option("--backend")]
LeastRung = Annotated[
    Literal["L1", "L2"] | None,
    Field(description="The weakest local isolation that will do."),
    Option("--least-rung"),
]


class RunSandboxRequest(JobRequest):
    """`trader sandbox run`: what a strategy would hold now, and what it would have earned."""

    KIND: ClassVar[str] = "sandbox run"

    source: Annotated[Code, FilePlace("strategy.py")]
    params: Annotated[
        Parameters,
        Field(default_factory=dict, max_length=PARAMETERS_MAX),
        Option("--param", Style.PAIRS),
    ]
    data: Source = "sp500"
    symbols: Symbols = ()
    start: Start = None
    end: End = None
    backend: Backend = None
    least_rung: LeastRung = None


class ExecuteSandboxRequest(JobRequest):
    """`trader sandbox exec`: what a script prints, and how it ended."""

    KIND: ClassVar[str] = "sandbox exec"

    source: Annotated[Code, FilePlace("script.py")]
    timeout_s: Annotated[float, Field(ge=0.1, le=600), Option("--timeout")] = 60.0
    template: Annotated[
        str | None,
        Field(
            pattern=r"^[a-z][a-z0-9_-]{0,63}$",
            description="What it finds installed.",
            examples=["polars"],
        ),
        Option("--template"),
    ] = None
    backend: Backend = None
    least_rung: LeastRung = None


class CheckSandboxRequest(JobRequest):
    """`trader sandbox check`: find the isolation that there is, and attack it."""

    KIND: ClassVar[str] = "sandbox check"

    backend: Backend = None
    least_rung: LeastRung = None
