"""Training models, comparing and verifying them, and forecasts of many symbols."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from serve.desk.requests.fields import (
    PARAMETERS_MAX,
    Day,
    Name,
    Parameters,
    Reference,
    Source,
    Symbol,
    Symbols,
)
from serve.desk.requests.request import Argument, JobRequest, Option, Style

ModelKind = Literal["nhits", "lstm", "patchtst", "transformer", "tft", "linear"]


class TrainRequest(JobRequest):
    """`trader train`: a new version of a model, judged beside the baselines before it is registered."""

    KIND: ClassVar[str] = "train"

    kinds: Annotated[
        tuple[ModelKind, ...],
        Field(
            min_length=1, max_length=6, description="Several are trained at once, each for itself."
        ),
        Argument(0, is_joined=True),
    ] = ("nhits",)
    symbols: Symbols = ()
    horizon: Annotated[int | None, Field(ge=1, le=365), Option("--horizon")] = None
    data: Source = "sp500"
    start: Annotated[Day | None, Option("--start")] = None
    end: Annotated[Day | None, Option("--end")] = None
    name: Annotated[Name | None, Option("--name")] = None
    input_size: Annotated[int | None, Field(ge=2, le=10_000), Option("--input-size")] = None
    features: Annotated[
        tuple[Literal["volume", "time", "sentiment", "volatility"], ...],
        Field(max_length=4),
        Option("--features", Style.JOINED),
    ] = ()
    loss: Annotated[Literal["quantile", "normal", "student_t"] | None, Option("--loss")] = None
    max_steps: Annotated[int | None, Field(ge=1, le=1_000_000), Option("--max-steps")] = None
    seed: Annotated[int | None, Field(ge=0, le=2**31 - 1), Option("--seed")] = None
    settings: Annotated[
        Parameters,
        Field(
            default_factory=dict,
            max_length=PARAMETERS_MAX,
            description="Of architecture or training.",
        ),
        Option("--set", Style.PAIRS),
    ]
    parent: Annotated[
        Reference | None, Field(description="Go on from its weights."), Option("--from")
    ] = None
    workers: Annotated[
        int, Field(ge=1, le=256, description="Share the work among so many, on Ray."),
        Option("--workers"),
    ] = 1  # fmt: skip
    trials: Annotated[
        int, Field(ge=0, le=10_000, description="Search the settings first, on Ray."),
        Option("--trials"),
    ] = 0  # fmt: skip
    scheduler: Annotated[Literal["asha", "pbt", "none"] | None, Option("--scheduler")] = None
    refit: Annotated[bool, Option("--refit", Style.FLAG)] = False
    promote: Annotated[Literal["champion", "challenger"] | None, Option("--promote")] = None


class CompareModelsRequest(JobRequest):
    """`trader models compare`: which version is better, and whether by more than luck."""

    KIND: ClassVar[str] = "models compare"

    models: Annotated[tuple[Reference, ...], Field(min_length=2, max_length=20), Argument(0)]
    data: Annotated[Source | None, Field(description="Score all anew on it.")] = None
    symbols: Symbols = ()
    start: Annotated[Day | None, Option("--start")] = None
    end: Annotated[Day | None, Option("--end")] = None


class VerifyModelsRequest(JobRequest):
    """`trader models verify`: read every file, compare its checksum, load and run every graph."""

    KIND: ClassVar[str] = "models verify"

    model: Annotated[Reference | None, Field(description="None: all."), Argument(0)] = None


class ForecastRequest(JobRequest):
    """`trader forecast`: of several symbols at once, by one model or several."""

    KIND: ClassVar[str] = "forecast"

    symbols: Annotated[tuple[Symbol, ...], Field(min_length=1, max_length=100), Argument(0)]
    horizon: Annotated[int | None, Field(ge=1, le=365), Option("--horizon")] = None
    models: Annotated[
        tuple[Reference, ...], Field(max_length=20), Option("--model", Style.REPEATED)
    ] = ()
    ensemble: Annotated[
        Literal["mean", "median", "weighted", "majority"] | None, Option("--ensemble")
    ] = None
    data: Source = "sp500"
    as_of: Annotated[
        Day | None, Field(description="As if that were the last day."), Option("--as-of")
    ] = None

    @model_validator(mode="after")
    def _ensemble_has_members(self) -> Self:
        if self.ensemble and len(self.models) < 2:
            raise ValueError("an ensemble needs two models or more")
        return self
