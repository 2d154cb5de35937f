"""Risk reports and stress tests, of the account or of positions that are given."""

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from serve.desk.requests.fields import Day, Source, Symbol
from serve.desk.requests.request import Argument, FilePlace, JobRequest, Option, Style


class HeldQuantity(BaseModel):
    """A line of the file of positions."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    symbol: Symbol
    quantity: float = Field(ge=-1e12, le=1e12, examples=[100])


class _OfPositions(JobRequest):
    positions: Annotated[
        tuple[HeldQuantity, ...],
        Field(max_length=500, description="Empty: those of the account."),
        FilePlace("positions.csv", "--positions"),
    ] = ()
    cash: Annotated[float | None, Field(ge=0, le=1e15), Option("--cash")] = None
    data: Source | None = None
    as_of: Annotated[Day | None, Field(description="Last bar that counts."), Option("--as-of")] = (
        None
    )


class RiskReportRequest(_OfPositions):
    """`trader risk report`: value at risk by eight methods, drivers, judged methods, stress."""

    KIND: ClassVar[str] = "risk report"

    confidence: Annotated[
        tuple[Annotated[float, Field(gt=0.5, lt=1)], ...],
        Field(max_length=5, description="Default 0.95 and 0.99."),
        Option("--confidence", Style.REPEATED),
    ] = ()
    horizon: Annotated[int, Field(ge=1, le=250, description="Bars ahead."), Option("--horizon")] = 1
    seed: Annotated[int | None, Field(ge=0, le=2**31 - 1), Option("--seed")] = None


class RiskStressRequest(_OfPositions):
    """`trader risk stress`: what the positions would lose in a crisis, or which shock loses a given sum."""

    KIND: ClassVar[str] = "risk stress"

    scenario: Annotated[
        str | None,
        Field(pattern=r"^[a-z][a-z0-9_]{0,63}$", description="None: all.", examples=["covid_2020"]),
        Argument(0),
    ] = None
    reverse: Annotated[
        float | None,
        Field(gt=0, le=1e15, description="Which shock would lose so much?"),
        Option("--reverse"),
    ] = None
