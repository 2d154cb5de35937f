"""A scenario: by how much factors, and single instruments, move at once."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from math import isfinite

from trading.errors import UsageError
from trading.stress.factors import PER_ONE, least_move, unit_of


@dataclass(frozen=True, slots=True)
class Shock:
    """The move of one factor.

    Attributes
    ----------
    factor : str
        `family.name`, see `trading.stress.factors`.
    move : float
        Fraction: -0.10 for a fall by 10 %, 0.01 for a yield that rises by 100 basis points.
    source : str
        Where the figure is from.
    """

    factor: str
    move: float
    source: str = ""

    def __post_init__(self) -> None:
        unit_of(self.factor)
        _require_move(self.factor, self.move, least_move(self.factor))


@dataclass(frozen=True, slots=True)
class Scenario:
    """Moves that happen together.

    Attributes
    ----------
    name : str
        What it is asked for by.
    shocks : tuple of Shock
        One per factor.
    title : str
        One line that says what it is.
    instruments : mapping of str to float
        Return of single instruments (fraction from -1); it overrules what the factors say of them.
    start, end : date or None
        Closes between which it happened; None for what never happened.
    """

    name: str
    shocks: tuple[Shock, ...] = ()
    title: str = ""
    instruments: Mapping[str, float] = field(default_factory=dict)
    start: date | None = None
    end: date | None = None

    def __post_init__(self) -> None:
        if not self.name:
            raise UsageError("a scenario needs a name.")
        if not self.shocks and not self.instruments:
            raise UsageError(f"scenario {self.name} moves nothing; give it shocks or instruments.")
        factors = [shock.factor for shock in self.shocks]
        repeated = sorted({factor for factor in factors if factors.count(factor) > 1})
        if repeated:
            raise UsageError(f"scenario {self.name} moves {repeated[0]} twice; keep one of them.")
        for instrument, move in self.instruments.items():
            _require_move(instrument, move, -1.0)
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise UsageError(f"scenario {self.name}: its start must lie before its end.")

    @property
    def moves(self) -> dict[str, float]:
        """Move of each factor (fraction)."""
        return {shock.factor: shock.move for shock in self.shocks}


def build_scenario(
    name: str,
    moves: Mapping[str, float] | None = None,
    instruments: Mapping[str, float] | None = None,
    title: str = "",
) -> Scenario:
    """Make a scenario of one's own. Moves are written in the unit of their factor.

        build_scenario("squeeze", {"equity.us": -0.10, "rates.us_10y": 75, "volatility.vix": 12})

    Parameters
    ----------
    moves : mapping of str to float, optional
        Factor to fraction (equity, sector, style, commodity, crypto, fx), basis points (rates, credit)
        or points (volatility).
    instruments : mapping of str to float, optional
        Instrument to return (fraction).

    Raises
    ------
    UsageError
        If a factor is not known, a move is not possible, or nothing moves.
    """
    shocks = tuple(
        Shock(factor, written / PER_ONE[unit_of(factor)])
        for factor, written in (moves or {}).items()
    )
    return Scenario(name, shocks, title, dict(instruments or {}))


def scenario_named(scenarios: Iterable[Scenario], asked: str) -> Scenario:
    """Return the scenario of that name, or the only one whose name begins so (`covid` for `covid_2020`).

    Raises
    ------
    UsageError
        If there is none, or more than one; the message lists all names.
    """
    known = {scenario.name: scenario for scenario in scenarios}
    if asked in known:
        return known[asked]
    begin_so = [name for name in known if asked and name.startswith(asked)]
    if len(begin_so) == 1:
        return known[begin_so[0]]
    near = difflib.get_close_matches(asked, known, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise UsageError(
        f"there is no scenario {asked!r}; there are {', '.join(sorted(known)) or 'none'}.{hint}"
    )


def _require_move(name: str, move: float, least: float) -> None:
    if not isfinite(move):
        raise UsageError(f"{name}: a move must be a finite number, got {move}.")
    if move < least:
        raise UsageError(
            f"{name}: a move of {100 * move:.0f} % is more than everything; write -0.1 for a fall by 10 %."
        )
