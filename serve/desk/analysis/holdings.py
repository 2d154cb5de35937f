"""What is held: a portfolio that was given, or that of the cluster; at stored prices, with their history."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from serve.desk.analysis.prices import StoredPrices
from serve.desk.answers import Portfolio as Held
from serve.desk.answers import Position
from trading.errors import NotFound, UsageError
from trading.identifiers import InstrumentId
from tune.risk.portfolio import Portfolio, portfolio_of

POSITIONS_MAX = 200


class Holding(BaseModel):
    """One position of a portfolio: so many units, or so much money's worth."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    symbol: str = Field(max_length=64, examples=["AAPL"])
    quantity: float | None = Field(
        default=None, ge=-1e12, le=1e12, description="Units; negative is short.", examples=[100]
    )
    value: float | None = Field(
        default=None, ge=-1e15, le=1e15, description="At the newest price; negative is short."
    )
    entry_price: float | None = Field(default=None, gt=0, le=1e12)

    @model_validator(mode="after")
    def _has_one_size(self) -> Self:
        if (self.quantity is None) == (self.value is None):
            raise ValueError("give quantity or value, one of the two")
        return self


Given = Sequence[Holding | Mapping[str, Any]]
"""Holdings, or mappings with their fields."""


@dataclass(frozen=True, slots=True, eq=False)
class HeldPositions:
    """Positions ready to be measured.

    Attributes
    ----------
    portfolio : Portfolio or None
        None when nothing is held, or nothing of it has stored prices.
    columns : list of int
        Of the price table, in the order of the portfolio.
    entry_prices : mapping of InstrumentId to float
        Where one is known.
    cash : float
    not_measured : tuple of str
        Symbols without stored prices.
    """

    portfolio: Portfolio | None
    columns: list[int]
    entry_prices: Mapping[InstrumentId, float]
    cash: float = 0.0
    not_measured: tuple[str, ...] = ()


def given_positions(given: Given, stored: StoredPrices) -> HeldPositions:
    """Return what a caller says is held.

    Raises
    ------
    UsageError
        Naming the entry that makes no sense.
    NotFound
        If there are no stored prices of one.
    """
    if len(given) > POSITIONS_MAX:
        raise UsageError(f"the portfolio has {len(given)} entries; {POSITIONS_MAX} are the most.")
    units: dict[InstrumentId, float] = {}
    entries: dict[InstrumentId, float] = {}
    for number, each in enumerate(given, 1):
        holding = _holding(number, each)
        column = stored.column(holding.symbol)
        name = stored.table.instrument_ids[column]
        units[name] = units.get(name, 0.0) + _units(holding, stored, column)
        if holding.entry_price is not None:
            entries[name] = holding.entry_price
    return _positions(units, 0.0, stored, entries)


def live_positions(held: Held, stored: StoredPrices) -> HeldPositions:
    """Return what the cluster's accounts hold together, at the prices that their ledgers know."""
    units: dict[InstrumentId, float] = {}
    prices: dict[InstrumentId, float] = {}
    costs: dict[InstrumentId, float] = {}
    unknown: list[str] = []
    for position in held.positions:
        try:
            name = stored.table.instrument_ids[stored.column(position.symbol)]
        except NotFound:
            unknown.append(position.symbol)
            continue
        count = float(position.quantity)
        units[name] = units.get(name, 0.0) + count
        costs[name] = costs.get(name, 0.0) + count * float(position.average_price)
        prices[name] = _price(position)
    entries = {name: costs[name] / units[name] for name in units if units[name]}
    cash = sum(float(account.cash or 0) for account in held.accounts)
    found = _positions(units, cash, stored, entries)
    portfolio = found.portfolio
    if portfolio is not None:
        known = np.array([prices[name] for name in portfolio.names])
        portfolio = replace(portfolio, prices=known)
    return replace(found, portfolio=portfolio, not_measured=tuple(unknown))


def _positions(
    units: Mapping[InstrumentId, float],
    cash: float,
    stored: StoredPrices,
    entries: Mapping[InstrumentId, float],
) -> HeldPositions:
    if not any(units.values()):
        return HeldPositions(None, [], entries, cash)
    portfolio = portfolio_of(units, cash, stored.table)
    names = stored.table.instrument_ids
    columns = [names.index(name) for name in portfolio.names]
    return HeldPositions(portfolio, columns, entries, cash)


def _holding(number: int, given: Holding | Mapping[str, Any]) -> Holding:
    if isinstance(given, Holding):
        return given
    try:
        return Holding.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        told = f"{place}: {first['msg']}" if place else first["msg"]
        raise UsageError(f"portfolio entry {number}: {told}.") from None


def _units(holding: Holding, stored: StoredPrices, column: int) -> float:
    if holding.quantity is not None:
        return holding.quantity
    rows = stored.rows_of(column)
    if not rows.size:
        raise NotFound(f"{stored.source} has no price of {holding.symbol} yet.")
    return float(holding.value or 0.0) / float(stored.table.close[rows[-1], column])


def _price(position: Position) -> float:
    """Return the last price, or before the first one what the position cost."""
    return float(position.last_price or position.average_price)
