"""How the page writes values: the first state here, what follows in `page.js` by the same rules.

What is not known is an en dash, a loss has a sign of its own (not only a colour), times are UTC.
"""

from collections.abc import Callable
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

NOTHING = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"


def text(value: Any, form: str) -> str:
    """Return a value as the page writes it.

    Parameters
    ----------
    form : str
        One of `FORMS`.
    """
    return NOTHING if value is None or value == "" else FORMS[form](value)


def tone(value: Any, form: str) -> str:
    """Return the class of a value's colour: `gain`, `loss`, `warn`, or nothing."""
    if form in ("gain", "gain_percent"):
        return "" if not value else "gain" if value > 0 else "loss"
    if form in ("alive", "ready"):
        return "gain" if value else "loss"
    if form == "side":
        return "gain" if value == "BUY" else "loss"
    is_warning = (form == "restarts" and value) or (form in ("trouble", "halt") and value)
    return "warn" if is_warning else ""


def used_percent(used: Any, limit: Any) -> float | None:
    """Return how much of a limit is used, from 0 to 100; None where that is no number."""
    try:
        share = abs(Decimal(used)) / abs(Decimal(limit))
    except (InvalidOperation, TypeError, ZeroDivisionError):
        return None
    return float(min(Decimal(100), 100 * share))


def _rounded(value: Any, places: int, *, is_signed: bool = False) -> str:
    number = Decimal(str(value)).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    sign = MINUS if number < 0 else "+" if is_signed and number > 0 else ""
    return f"{sign}{abs(number):,f}"


def _trimmed(value: Any, least: int, most: int) -> str:
    """Write a number with at most `most` decimals, and no zeros at the end beyond `least`."""
    whole, _, decimals = _rounded(value, most).partition(".")
    decimals = decimals.rstrip("0").ljust(least, "0")
    return f"{whole}.{decimals}" if decimals else whole


def _number(value: Any) -> str:
    try:
        return _trimmed(Decimal(value), 0, 4)
    except (InvalidOperation, TypeError):
        return str(value)


def _time(value: datetime) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S}"


FORMS: dict[str, Callable[[Any], str]] = {
    "text": str,
    "story": str,
    "result": str,
    "identity": str,
    "halt": str,
    "trouble": str,
    "status": lambda value: str(value).replace("_", " ").lower(),
    "words": lambda value: str(value).replace("_", " "),
    "version": str,
    "side": str,
    "list": ", ".join,
    "number": _number,
    "quantity": lambda value: _trimmed(value, 0, 6),
    "price": lambda value: _trimmed(value, 2, 6),
    "money": lambda value: _rounded(value, 2),
    "gain": lambda value: _rounded(value, 2, is_signed=True),
    "percent": lambda value: _rounded(100 * value, 2) + " %",
    "gain_percent": lambda value: _rounded(100 * value, 2, is_signed=True) + " %",
    "ratio": lambda value: _rounded(value, 2),
    "count": lambda value: f"{value:,}",
    "restarts": lambda value: f"{value:,}",
    "milliseconds": lambda value: _rounded(value, 0, is_signed=True) + " ms",
    "microseconds": lambda value: _rounded(value, 0) + " µs",
    "seconds": lambda value: _rounded(value, 1) + " s",
    "alive": lambda value: "alive" if value else "down",
    "ready": lambda value: "ready" if value else "not ready",
    "time": _time,
}
NUMERIC = frozenset(
    [
        "quantity",
        "price",
        "money",
        "gain",
        "percent",
        "gain_percent",
        "ratio",
        "count",
        "number",
        "restarts",
        "milliseconds",
        "identity",
    ]
)
"""Forms that stand at the right of their column."""
