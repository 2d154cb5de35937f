"""Checks of data sets in the catalogue."""

from typing import Annotated, ClassVar

from pydantic import Field

from serve.desk.requests.request import Argument, JobRequest, Option


class CheckDataRequest(JobRequest):
    """`trader data check`: gaps, repeats, impossible prices, jumps, stale runs."""

    KIND: ClassVar[str] = "data check"

    name: Annotated[
        str,
        Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", examples=["us-stocks"]),
        Argument(0),
    ]
    calendar: Annotated[
        str | None,
        Field(pattern=r"^([A-Z]{3,6}|24/[57]|none)$", examples=["XNYS"]),
        Option("--calendar"),
    ] = None
