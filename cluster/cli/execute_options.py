"""The options of `trader execute` that say how an order is worked, and the algorithm that they amount to."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trading.algorithms.parameters import (
    Bracket,
    CatchUp,
    ChildRole,
    Iceberg,
    Oco,
    SliceStyle,
    Twap,
    Vwap,
)
from trading.errors import UsageError
from trading.values import NANOS_PER_SECOND

if TYPE_CHECKING:
    from trading.algorithms.parameters import Algorithm

ROUTE_WINDOW_NS = 10 * NANOS_PER_SECOND


class AlgorithmName(StrEnum):
    ROUTE = "route"
    TWAP = "twap"
    VWAP = "vwap"
    ICEBERG = "iceberg"
    BRACKET = "bracket"
    OCO = "oco"


def number(text: str) -> Decimal:
    """Return a number of the command line, exactly."""
    try:
        found = Decimal(text)
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite():
        raise typer.BadParameter(f"{text!r} is not a number")
    return found


def numbers(text: str) -> tuple[Decimal, ...]:
    return tuple(number(part.strip()) for part in text.split(","))


def duration(text: str) -> int:
    """Return nanoseconds of a number and s, m, h or d."""
    from cluster.config.venues import interval_ns

    try:
        return interval_ns(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r}: {error}") from None


def _number_option(name: str, meaning: str, metavar: str = "N") -> Any:
    return typer.Option(name, metavar=metavar, parser=number, help=meaning)


WindowOption = Annotated[
    int | None,
    typer.Option(
        "--window", metavar="TIME", parser=duration,
        help="How long the slices take: 30m, 2h; of route: when it gives up (10s).",
    ),
]  # fmt: skip
SlicesOption = Annotated[int | None, typer.Option("--slices", min=1, help="Of twap: how many.")]
VolumesOption = Annotated[
    Any,
    typer.Option(
        "--volumes", metavar="N,N,...", parser=numbers,
        help="Of vwap: units that the market usually trades in each slice.",
    ),
]  # fmt: skip
ParticipationOption = Annotated[
    Decimal | None,
    _number_option("--participation", "Of vwap: largest part of the volume that a slice may take."),
]
StyleOption = Annotated[
    SliceStyle | None,
    typer.Option("--style", case_sensitive=False, help="Take what is offered, or rest."),
]
CatchUpOption = Annotated[
    CatchUp | None,
    typer.Option("--catch-up", case_sensitive=False, help="Where a miss of a slice goes."),
]
JitterOption = Annotated[
    Decimal | None, _number_option("--jitter", "How irregular slices, or parts of an iceberg, are.")
]
CompleteOption = Annotated[
    bool | None,
    typer.Option("--complete/--stop-at-end", help="Go on after the window until all is filled."),
]
DisplayOption = Annotated[
    Decimal | None, _number_option("--display", "Of iceberg: units that are shown.")
]
TakeProfitOption = Annotated[
    Decimal | None, _number_option("--take-profit", "Of bracket and oco.", "PRICE")
]
StopLossOption = Annotated[
    Decimal | None, _number_option("--stop-loss", "Of bracket and oco.", "PRICE")
]
StopLimitOption = Annotated[
    Decimal | None, _number_option("--stop-limit", "Worst price of the stop loss.", "PRICE")
]
RestsOption = Annotated[
    ChildRole | None,
    typer.Option(
        "--rests", case_sensitive=False,
        help="Which exit rests at the venue: STOP_LOSS or TAKE_PROFIT.",
    ),
]  # fmt: skip

_STRUCTS: dict[AlgorithmName, Any] = {
    AlgorithmName.TWAP: Twap,
    AlgorithmName.VWAP: Vwap,
    AlgorithmName.ICEBERG: Iceberg,
    AlgorithmName.BRACKET: Bracket,
    AlgorithmName.OCO: Oco,
}
_OPTIONS = {
    "window_ns": "--window",
    "slices": "--slices",
    "volumes": "--volumes",
    "participation": "--participation",
    "style": "--style",
    "catch_up": "--catch-up",
    "jitter": "--jitter",
    "must_complete": "--complete",
    "display_qty": "--display",
    "take_profit_px": "--take-profit",
    "stop_loss_px": "--stop-loss",
    "stop_limit_px": "--stop-limit",
    "rests": "--rests",
}
"""Field of an algorithm -> its option."""


def algorithm_of(name: AlgorithmName, fields: Mapping[str, Any]) -> "Algorithm":
    """Return the algorithm with the fields that are not None; `route` is one slice, now.

    Raises
    ------
    UsageError
        If an option is of another algorithm, or one that is needed is missing.
    """
    given = {key: value for key, value in fields.items() if value is not None}
    if name is AlgorithmName.ROUTE:
        _require_known(name, given, ("window_ns",))
        window_ns = given.get("window_ns", ROUTE_WINDOW_NS)
        return Twap(window_ns=window_ns, slices=1, must_complete=False)
    kind = _STRUCTS[name]
    _require_known(name, given, kind.__struct_fields__)
    required = kind.__struct_fields__[: len(kind.__struct_fields__) - len(kind.__struct_defaults__)]
    missing = [_OPTIONS[key] for key in required if key not in given]
    if missing:
        raise UsageError(f"--algorithm {name} needs {' and '.join(missing)}.")
    algorithm: Algorithm = kind(**given)
    return algorithm


def _require_known(name: AlgorithmName, given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    foreign = [_OPTIONS[key] for key in given if key not in known]
    if foreign:
        raise UsageError(f"--algorithm {name} has no {' and no '.join(foreign)}.")
