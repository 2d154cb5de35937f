"""Grids of parameters as a person writes them: `5:100`, `20:400:5`, `0.5,1,2`, `true,false`."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from math import prod
from typing import TypeAlias

from trading.errors import UsageError

Value: TypeAlias = bool | int | float | str
POINTS_MAX = 10_000_000


def parse_values(text: str) -> tuple[Value, ...]:
    """Return the values that `text` names.

    Parameters
    ----------
    text : str
        `low:high` or `low:high:step`, both ends included, or values between commas. Numbers without a point are
        whole; `true` and `false` are truth values; anything else is text. Steps are decimal: `0.1:0.3:0.1` is
        0.1, 0.2, 0.3.

    Raises
    ------
    UsageError
        If the range is not rising, the step not positive, or nothing is named.
    """
    parts = [part.strip() for part in text.split(":" if ":" in text else ",")]
    if not all(parts):
        raise UsageError(f"{text!r} names no values; write low:high, low:high:step or a,b,c.")
    return _range(text, parts) if ":" in text else tuple(_value(part) for part in parts)


@dataclass(frozen=True)
class Grid:
    """The cartesian product of a few lists of values; the last one varies fastest.

    Raises
    ------
    UsageError
        If a parameter has no value, or there are more than ten million points.
    """

    values: Mapping[str, tuple[object, ...]]

    def __post_init__(self) -> None:
        empty = [name for name, values in self.values.items() if not values]
        if empty or not self.values:
            raise UsageError(f"There are no values for {', '.join(empty) or 'any parameter'}.")
        if len(self) > POINTS_MAX:
            raise UsageError(f"That is {len(self):,} points; {POINTS_MAX:,} are the most.")

    def __len__(self) -> int:
        return prod(len(values) for values in self.values.values())

    def point(self, index: int) -> dict[str, object]:
        """Return the parameters of one point (0 <= index < len)."""
        picked: list[object] = []
        for values in reversed(tuple(self.values.values())):
            index, place = divmod(index, len(values))
            picked.append(values[place])
        return dict(zip(self.values, reversed(picked), strict=True))


def _range(text: str, parts: list[str]) -> tuple[Value, ...]:
    try:
        low, high, step = (Decimal(part) for part in (*parts, "1")[:3])
    except (InvalidOperation, ValueError):
        raise UsageError(f"{text!r} is no range; write low:high or low:high:step.") from None
    is_finite = all(number.is_finite() for number in (low, high, step))
    if len(parts) > 3 or not is_finite or low > high or step <= 0:
        raise UsageError(f"{text!r} must rise from low to high by a positive step.")
    count = int((high - low) / step) + 1
    if count > POINTS_MAX:
        raise UsageError(f"{text!r} has {count:,} values; {POINTS_MAX:,} are the most.")
    is_whole = not any(_has_point(part) for part in parts)
    kind = int if is_whole else float
    return tuple(kind(low + step * place) for place in range(count))


def _value(text: str) -> Value:
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    try:
        return float(text) if _has_point(text) else int(text)
    except ValueError:
        return text


def _has_point(text: str) -> bool:
    return any(mark in text.lower() for mark in ".e")
