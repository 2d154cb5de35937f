"""Backtests, searches and sweeps of installed strategies."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from serve.desk.requests.fields import (
    PARAMETERS_MAX,
    BasisPoints,
    End,
    Forecaster,
    Money,
    Name,
    ParameterName,
    Parameters,
    Part,
    Retrain,
    Source,
    Start,
    StrategyName,
    Symbols,
    WalkForward,
    require_parameters,
)
from serve.desk.requests.request import Argument, JobRequest, Option, Style

Figure = Annotated[str, Field(pattern=r"^[a-z_]{1,40}$", examples=["sharpe"]), Option("--metric")]
SweepFigure = Literal["total_return", "annual_return", "volatility", "sharpe", "max_drawdown"]
GridText = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_.,:+-]{1,500}$",
        description="low:high, low:high:step, or a,b,c.",
        examples=["5:100", "20:400:5", "1,2,5"],
    ),
]


class _OfStrategy(JobRequest):
    strategy: Annotated[StrategyName, Argument(0)]
    params: Annotated[
        Parameters,
        Field(
            default_factory=dict,
            max_length=PARAMETERS_MAX,
            description="Fixed parameters; others: default.",
        ),
        Option("--param", Style.PAIRS),
    ]
    data: Source = "sp500"
    symbols: Symbols = ()
    start: Start = None
    end: End = None
    forecaster: Forecaster = "autoregression"
    retrain: Retrain = None

    @model_validator(mode="after")
    def _has_these_parameters(self) -> Self:
        require_parameters(self.strategy, self.params)
        return self


class BacktestRequest(_OfStrategy):
    """`trader backtest`: a strategy over history, with costs, beside buy-and-hold and equal weights."""

    KIND: ClassVar[str] = "backtest"

    gear: Annotated[
        Literal["vector", "event"],
        Field(description="event: through the order path that trades; slower."),
        Option("--gear"),
    ] = "vector"
    cash: Annotated[float, Field(ge=1_000, le=1e12), Option("--cash")] = 1_000_000.0
    execution: Annotated[
        Literal["next_open", "next_close", "same_close"] | None, Option("--execution")
    ] = None
    fee_bps: Annotated[BasisPoints | None, Option("--fee-bps")] = None
    fee_per_unit: Annotated[Money | None, Option("--fee-per-unit")] = None
    fee_min: Annotated[Money | None, Option("--fee-min")] = None
    half_spread_bps: Annotated[BasisPoints | None, Option("--half-spread-bps")] = None
    slippage_bps: Annotated[BasisPoints | None, Option("--slippage-bps")] = None
    stop_loss: Annotated[Part | None, Option("--stop-loss")] = None
    take_profit: Annotated[float | None, Field(ge=0, le=100), Option("--take-profit")] = None
    trailing_stop: Annotated[Part | None, Option("--trailing-stop")] = None
    leverage: Annotated[float | None, Field(gt=0, le=10), Option("--leverage")] = None
    long_only: Annotated[bool, Option("--long-only", Style.FLAG)] = False
    points: Annotated[
        int,
        Field(ge=0, le=2_000, description="Tell the equity at so many moments."),
        Option("--points"),
    ] = 0


class TuneRequest(_OfStrategy):
    """`trader tune`: search the parameters, each choice judged on the bars that follow."""

    KIND: ClassVar[str] = "tune"

    trials: Annotated[
        int | None,
        Field(ge=1, le=10_000, description="Default 200; of a grid, all of it."),
        Option("--trials"),
    ] = None
    walk_forward: WalkForward = "24m/6m"
    anchored: Annotated[bool, Option("--anchored", Style.FLAG)] = False
    algorithm: Annotated[Literal["optuna", "random", "grid"], Option("--algorithm")] = "optuna"
    asha: Annotated[bool, Option("--asha", Style.FLAG)] = False
    metric: Figure = "sharpe"
    seed: Annotated[int, Field(ge=0, le=2**31 - 1), Option("--seed")] = 0
    cost_bps: Annotated[BasisPoints, Option("--cost-bps")] = 1.0
    name: Annotated[
        Name | None, Field(description="The same call goes on with it."), Option("--name")
    ] = None
    concurrency: Annotated[int | None, Field(ge=1, le=256), Option("--concurrency")] = None


class SweepRequest(_OfStrategy):
    """`trader sweep`: backtest every point of a grid of parameters."""

    KIND: ClassVar[str] = "sweep"

    values: Annotated[
        dict[ParameterName, GridText],
        Field(min_length=1, max_length=8, description="The values of each parameter."),
        Option("", Style.OWN),
    ]
    workers: Annotated[
        int | None,
        Field(ge=0, le=256, description="0: in the job's own process; N: Ray tasks."),
        Option("--workers"),
    ] = None
    metric: Annotated[SweepFigure, Option("--metric")] = "sharpe"
    top: Annotated[int, Field(ge=1, le=1_000), Option("--top")] = 10
    cost_bps: Annotated[BasisPoints, Option("--cost-bps")] = 1.0
    name: Annotated[Name | None, Option("--name")] = None

    @model_validator(mode="after")
    def _sweeps_parameters(self) -> Self:
        from serve.desk.analysis.catalogue import short_names

        require_parameters(self.strategy, self.values, short_names(self.strategy))
        return self


class CheckRequest(JobRequest):
    """`trader check`: whether a strategy looks ahead, and needs the memory that it says."""

    KIND: ClassVar[str] = "check"

    strategy: Annotated[StrategyName, Argument(0)]
    data: Source = "sp500"
    symbols: Symbols = ()
    start: Start = None
    end: End = None
    thorough: Annotated[bool, Option("--thorough", Style.FLAG)] = False
