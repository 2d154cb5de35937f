"""Names of the factors that a scenario can move, and the units people write their moves in.

A factor is `family.name`, such as `rates.us_10y`. The family says what a move is:

| family | a move is | written as |
|---|---|---|
| equity, commodity, crypto | return of an index or a price | change (fraction) |
| fx | return of one unit of the currency in US dollars | change (fraction) |
| sector | return of the sector less that of its market | change (fraction) |
| style | return of a long-short portfolio | change (fraction) |
| rates, credit | change of a yield or a spread | change_bp (basis points) |
| volatility | change of an implied volatility index | change_points (1 point is 1 % a year) |

Inside the program every move is a plain fraction: 100 basis points are 0.01, 10 points of VIX are 0.10.
"""

import difflib
from collections.abc import Mapping
from typing import Final

from trading.errors import UsageError

FRACTION: Final = "change"
BASIS_POINTS: Final = "change_bp"
POINTS: Final = "change_points"

PER_ONE: Final[Mapping[str, float]] = {FRACTION: 1.0, BASIS_POINTS: 10_000.0, POINTS: 100.0}
"""How many of the written unit are a move of 1.00."""

FAMILIES: Final[Mapping[str, str]] = {
    "equity": FRACTION,
    "sector": FRACTION,
    "style": FRACTION,
    "commodity": FRACTION,
    "crypto": FRACTION,
    "fx": FRACTION,
    "rates": BASIS_POINTS,
    "credit": BASIS_POINTS,
    "volatility": POINTS,
}
"""The key that a move of each family is written with."""

_CANNOT_GO_BELOW_ZERO = frozenset({"equity", "crypto", "fx"})


def unit_of(factor: str) -> str:
    """Return the key that a move of this factor is written with: change, change_bp or change_points.

    Raises
    ------
    UsageError
        If the name is not `family.name`, or there is no such family.
    """
    family, _, name = factor.partition(".")
    if family in FAMILIES and name:
        return FAMILIES[family]
    near = difflib.get_close_matches(family, FAMILIES, n=1)
    hint = f"did you mean {near[0]}.{name or '...'}?" if near else f"of {', '.join(FAMILIES)}."
    raise UsageError(f"there is no factor {factor!r}; write family.name with a family {hint}")


def least_move(factor: str) -> float:
    """Return the lowest move that a factor can make: -1 for prices that cannot become negative."""
    return -1.0 if factor.partition(".")[0] in _CANNOT_GO_BELOW_ZERO else -float("inf")


def written_move(factor: str, move: float) -> str:
    """Return a move as people read it: -56.8 %, -178 bp, +33.6 points."""
    unit = unit_of(factor)
    if unit == FRACTION:
        return f"{100.0 * move:+.1f} %"
    if unit == BASIS_POINTS:
        return f"{PER_ONE[unit] * move:+.0f} bp"
    return f"{PER_ONE[unit] * move:+.1f} points"
