"""The fields that several requests have: bounded, and never a path."""

from collections.abc import Iterable
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field

from serve.desk.requests.request import Option, Style

SYMBOLS_MAX = 500
PARAMETERS_MAX = 50

Symbol = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,31}$", examples=["AAPL"])]
Symbols = Annotated[
    tuple[Symbol, ...],
    Field(max_length=SYMBOLS_MAX, description="These symbols alone; empty is all of them."),
    Option("--symbols", Style.JOINED),
]
Source: TypeAlias = Annotated[
    str,
    Field(
        pattern=r"^(sp500|catalogue:[A-Za-z0-9][A-Za-z0-9_.-]{0,63}(@[0-9]{1,4}[A-Za-z]{1,3})?)$",
        description="`sp500`, or `catalogue:NAME`: a data set that was imported. Files are imported first.",
        examples=["sp500"],
    ),
    Option("--data"),
]
Day: TypeAlias = Annotated[
    str, Field(pattern=r"^\d{4}(-\d{2}(-\d{2})?)?$", examples=["2020", "2020-01-31"])
]
Start = Annotated[Day | None, Field(description="First day."), Option("--from")]
End = Annotated[Day | None, Field(description="Last day, included."), Option("--to")]
Reference = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,63}(@[A-Za-z0-9]{1,32})?$",
        description="A model: NAME, NAME@3 or NAME@champion.",
        examples=["nhits@champion"],
    ),
]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$", examples=["my-run"])]
AGENT_NAME = r"^[a-z][a-z0-9_-]{0,63}$"
AgentName = Annotated[
    str,
    Field(
        pattern=AGENT_NAME,
        description="Of the strategy: small letters, digits, `_` and `-`.",
        examples=["calm_momentum"],
    ),
]
Code = Annotated[str, Field(min_length=1, max_length=200_000, description="Python source.")]
Scalar: TypeAlias = bool | int | float | Annotated[str, Field(max_length=200)]
ParameterName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Parameters: TypeAlias = dict[
    ParameterName, Scalar | Annotated[list[Scalar], Field(max_length=PARAMETERS_MAX)]
]
Money = Annotated[float, Field(ge=0, le=1e12)]
BasisPoints = Annotated[float, Field(ge=0, le=10_000)]
Part = Annotated[float, Field(ge=0, lt=1)]
Reason = Annotated[str, Field(min_length=1, max_length=500, examples=["Passed its paper month."])]


def _installed(name: str) -> str:
    """Turn the name, or an alias, into that of an installed strategy."""
    from serve.desk.analysis.catalogue import canonical
    from trading.errors import NotFound

    try:
        return canonical(name)
    except NotFound as error:
        raise ValueError(str(error)) from None


StrategyName = Annotated[
    str,
    Field(max_length=64, description="An installed strategy.", examples=["momentum"]),
    AfterValidator(_installed),
]

Forecaster = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,63}(@[A-Za-z0-9]{1,32})?$",
        description="autoregression, drift, or a model.",
        examples=["autoregression"],
    ),
    Option("--forecaster"),
]
Retrain = Annotated[
    str | None,
    Field(
        pattern=r"^[1-9]\d{0,2}m$",
        description="Train the forecaster, a kind of model, again so often.",
        examples=["12m"],
    ),
    Option("--retrain"),
]
WalkForward = Annotated[
    str,
    Field(pattern=r"^[1-9]\d{0,3}[dwmy]/[1-9]\d{0,3}[dwmy]$", examples=["24m/6m"]),
    Option("--walk-forward"),
]


def require_parameters(strategy: str, given: Iterable[str], also: Iterable[str] = ()) -> None:
    """Check that a strategy has the parameters that are named, or that they are among `also`.

    Raises
    ------
    ValueError
        Naming the one it does not have, and those that it has.
    """
    from serve.desk.analysis.catalogue import parameter_names

    known = {*parameter_names(strategy), *also}
    for name in given:
        if name not in known:
            raise ValueError(
                f"{strategy} has no parameter {name!r}; it has {', '.join(sorted(known))}"
            )
