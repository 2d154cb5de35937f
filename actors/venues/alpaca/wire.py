"""From bytes and parsed JSON to the venue's shapes, and from its texts to numbers and times. Pure.

Whatever comes in, `OutcomeUnknown` is all that escapes.
"""

import re
from datetime import UTC, datetime
from decimal import Decimal, DecimalException
from typing import Any, TypeVar

import msgspec

from actors.venues.alpaca.messages import Number
from trading.errors import OutcomeUnknown
from trading.values import NANOS_PER_SECOND

_T = TypeVar("_T")
_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|z|[+-]\d\d:?\d\d)"
)
_LARGEST = Decimal(10) ** 15
_MOST_DECIMALS = 30
_DECIMALS_OF_QUOTIENTS = 12
_SHOWN = 200


def shaped(raw: Any, kind: type[_T]) -> _T:
    """Return parsed JSON as `kind`.

    Raises
    ------
    OutcomeUnknown
        If it has another shape.
    """
    try:
        return msgspec.convert(raw, kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise OutcomeUnknown(f"the answer has an unknown shape: {str(error)[:_SHOWN]}") from error


def decoded(frame: bytes | str | msgspec.Raw, kind: type[_T]) -> _T:
    """Return JSON text as `kind`; raises `OutcomeUnknown` as `shaped` does."""
    try:
        return msgspec.json.decode(frame, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise OutcomeUnknown(f"a message cannot be read: {str(error)[:_SHOWN]}") from error


def number(value: Number) -> Decimal | None:
    """Return an amount of money or a quantity; None when the venue says none.

    Raises
    ------
    OutcomeUnknown
        If it is no number, or none that an account could hold.
    """
    if value is None or value == "":
        return None
    exact = _finite(value)
    exponent = exact.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -_MOST_DECIMALS:
        raise OutcomeUnknown(f"not a usable number: {str(value)[:_SHOWN]!r}")
    return exact


def quotient(value: Number) -> Decimal | None:
    """Return a number that the venue computed (an average, a ratio), to 12 decimals; raises as `number` does."""
    if value is None or value == "":
        return None
    return round(_finite(value), _DECIMALS_OF_QUOTIENTS)


def _finite(value: Number) -> Decimal:
    try:
        exact = Decimal(str(value))
    except DecimalException as error:
        raise OutcomeUnknown(f"not a number: {str(value)[:_SHOWN]!r}") from error
    if not exact.is_finite() or abs(exact) >= _LARGEST:
        raise OutcomeUnknown(f"not a usable number: {str(value)[:_SHOWN]!r}")
    return exact


def required(value: Number, name: str) -> Decimal:
    """Return a number that must be there; raises `OutcomeUnknown` as `number` does."""
    exact = number(value)
    if exact is None:
        raise OutcomeUnknown(f"the answer has no {name}")
    return exact


def moment(text: str | None) -> int:
    """Return an RFC 3339 time as ns UTC, exact; 0 when there is none.

    Raises
    ------
    OutcomeUnknown
        If it is no time.
    """
    if not text:
        return 0
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise OutcomeUnknown(f"not a time: {text[:_SHOWN]!r}")
    day, clock, fraction, zone = match.groups()
    try:
        at = datetime.fromisoformat(f"{day}T{clock}{zone.upper()}")
        seconds = round(at.timestamp())
    except (ValueError, OverflowError) as error:
        raise OutcomeUnknown(f"not a time: {text[:_SHOWN]!r}") from error
    return seconds * NANOS_PER_SECOND + int((fraction or "").ljust(9, "0"))


def moment_text(ts: int) -> str:
    """Return ns UTC as the venue wants times; exact to the nanosecond."""
    seconds, rest = divmod(ts, NANOS_PER_SECOND)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
