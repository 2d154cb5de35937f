"""Numbers and moments as people read them."""

from datetime import UTC, datetime
from decimal import Decimal


def money(value: Decimal | float | None) -> str:
    """Return an amount with two decimals and separators; `-` when there is none."""
    return "-" if value is None else f"{value:,.2f}"


def units(value: Decimal | float | None) -> str:
    """Return a quantity or price with no more digits than it has, at most four decimals."""
    if value is None:
        return "-"
    text = f"{value:,.4f}"
    return text.rstrip("0").rstrip(".")


def percent(ratio: float | Decimal | None) -> str:
    return "-" if ratio is None else f"{ratio:.2%}"


def ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def moment(ns: int) -> str:
    """Return nanoseconds since 1970 as a UTC time to the second; `-` for 0."""
    if not ns:
        return "-"
    return datetime.fromtimestamp(ns // 1_000_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def day(ns: int) -> str:
    return moment(ns).partition(" ")[0]
