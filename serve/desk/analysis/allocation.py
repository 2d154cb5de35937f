"""Which trades bring a portfolio to its target weights: calculated, never sent."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from pydantic import Field

from serve.desk.accounts import source_of
from serve.desk.analysis.prices import StoredPrices, prices_of
from serve.desk.answers import Answer, Listed, Money, Provenance, Source, moment
from serve.desk.front_desk import FrontDesk
from serve.desk.portfolio import portfolio_of
from trading.allocation.rebalancing import Change, RebalanceRules, equity, turnover
from trading.allocation.rebalancing import rebalance as changes_of
from trading.errors import ClusterUnreachable, NotFound, UsageError
from trading.exchange.fees import Fees
from trading.identifiers import InstrumentId, symbol_of
from trading.instruments import Instrument
from trading.values import NANOS_PER_DAY

CASH = "cash"
TARGETS_MAX = 200
STALE_DAYS = 7
RULES_TEXT = (
    "Trades of trading/allocation/rebalancing: a weight within the threshold of its target stays, unless the target is "
    "0; sales pay for purchases, which all shrink by one fraction where cash does not reach; whole lots; 5 basis points "
    "of slippage are expected, commissions are not."
)


class RebalancingTrade(Answer):
    symbol: str
    action: Literal["buy", "sell"]
    quantity: Money
    price: Money
    price_source: str
    value: Money
    estimated_cost: Money
    deviation: float = Field(description="Weight now less its target.")


class Rebalancing(Provenance):
    method: str
    measured: Literal["the cluster's portfolio", "the given portfolio"]
    target_allocations: dict[str, float]
    current_allocations: dict[str, float]
    required_trades: list[RebalancingTrade]
    trades_needed: bool
    rebalance_threshold: float
    total_value: Money
    total_trade_value: Money
    turnover: float = Field(description="Half the traded value as a part of the total value.")
    cash_before: Money
    cash_after: Money
    tracking_error: float = Field(description="Root of the sum of squared weight gaps, now.")
    tracking_error_after: float
    notes: list[str]


@dataclass(slots=True)
class _Book:
    """What is held, and what is known of each instrument."""

    source: Source
    as_of: int
    cash: Decimal
    positions: dict[InstrumentId, Decimal] = field(default_factory=dict)
    prices: dict[InstrumentId, Decimal] = field(default_factory=dict)
    price_sources: dict[InstrumentId, str] = field(default_factory=dict)
    instruments: dict[InstrumentId, Instrument] = field(default_factory=dict)

    def weights(
        self, positions: Mapping[InstrumentId, Decimal], worth: Decimal
    ) -> dict[InstrumentId, float]:
        return {name: float(units * self.prices[name] / worth) for name, units in positions.items()}


def rebalance(
    desk: FrontDesk,
    target_allocations: Mapping[str, float],
    current_portfolio: Mapping[str, Any] | None = None,
    rebalance_threshold: float = 0.05,
) -> Rebalancing:
    """Return the trades that bring a portfolio to its target weights.

    Parameters
    ----------
    target_allocations : mapping of symbol to float
        Parts of the whole portfolio; what is held and not named is to be sold, and the rest stays cash. `cash` itself
        may be named and is not traded.
    current_portfolio : mapping of symbol to value, or None
        Money's worth of each symbol, and of `cash`; None is the cluster's.
    rebalance_threshold : float
        Weights as near to their target as this are left alone (0 to 1).

    Raises
    ------
    UsageError
        If weights, values or the threshold make no sense, or nothing is there to allocate.
    NotFound
        If a symbol has no price.
    ClusterUnreachable
        If the cluster's portfolio is asked for and it does not answer.
    """
    targets = _targets(target_allocations)
    if not 0.0 <= rebalance_threshold <= 1.0:
        raise UsageError(f"rebalance_threshold is {rebalance_threshold}, must be from 0 to 1.")
    stored = prices_of(desk)
    book = _live(desk) if current_portfolio is None else _given(current_portfolio, stored)
    wanted = _priced(desk, stored, book, targets)
    worth = equity(book.positions, book.prices, book.cash)
    if worth <= 0:
        raise UsageError(f"the portfolio is worth {worth}: there is nothing to allocate.")
    changes = changes_of(
        wanted,
        book.positions,
        book.prices,
        book.cash,
        book.instruments,
        Fees(),
        RebalanceRules(band=Decimal(repr(rebalance_threshold))),
    )
    return _answer(book, wanted, worth, changes, rebalance_threshold)


def _targets(given: Mapping[str, float]) -> dict[str, float]:
    if not 1 <= len(given) <= TARGETS_MAX:
        raise UsageError(f"give 1 to {TARGETS_MAX} target allocations, not {len(given)}.")
    for symbol, weight in given.items():
        if not math.isfinite(weight) or abs(weight) > 1:
            raise UsageError(f"target_allocations: {symbol} is {weight}, must be from -1 to 1.")
    if sum(abs(weight) for weight in given.values()) > 1 + 1e-9:
        total = sum(abs(weight) for weight in given.values())
        raise UsageError(f"target_allocations add up to {total:g}; 1 is everything there is.")
    return {symbol: weight for symbol, weight in given.items() if symbol.lower() != CASH}


def _live(desk: FrontDesk) -> _Book:
    snapshot = desk.trading.snapshot()
    held = portfolio_of(snapshot)
    cash = sum((account.cash or Decimal(0) for account in held.accounts), Decimal(0))
    book = _Book(source_of(snapshot), snapshot.clock_ns, cash)
    for position in held.positions:
        name = InstrumentId(position.instrument_id)
        book.positions[name] = book.positions.get(name, Decimal(0)) + position.quantity
        if position.last_price is not None:
            book.prices[name] = position.last_price
            book.price_sources[name] = "the ledger's last price"
    return book


def _given(current: Mapping[str, Any], stored: StoredPrices) -> _Book:
    """Read values by symbol; units are the value over the newest stored price."""
    book = _Book(Source.COMPUTED, int(stored.table.ts[-1]), Decimal(0))
    for symbol, text in current.items():
        try:
            value = float(text)
        except (TypeError, ValueError):
            value = math.nan
        if not math.isfinite(value) or abs(value) > 1e15:
            raise UsageError(
                f"current_portfolio: {symbol} is {text!r}, must be its value in money."
            )
        if symbol.lower() == CASH:
            book.cash = Decimal(repr(value))
        else:
            name, price = _stored_price(stored, symbol)
            book.positions[name] = Decimal(repr(value)) / price
            book.prices[name] = price
            book.price_sources[name] = stored.source
    return book


def _priced(
    desk: FrontDesk, stored: StoredPrices, book: _Book, targets: Mapping[str, float]
) -> dict[InstrumentId, float]:
    """Return the target of everything held or named, with prices and instruments of all in the book."""
    listed = {} if book.source is Source.COMPUTED else _listed(desk)
    middles = {} if book.source is Source.COMPUTED else _middles(desk)
    wanted = dict.fromkeys(book.positions, 0.0)
    for symbol, weight in targets.items():
        name = _name_of(symbol, listed, stored)
        wanted[name] = wanted.get(name, 0.0) + weight
    for name in wanted:
        if name in middles:
            book.prices[name] = middles[name]
            book.price_sources[name] = "the middle of the newest quote"
        elif name not in book.prices:
            _, book.prices[name] = _fresh_price(stored, name, book.as_of)
            book.price_sources[name] = stored.source
        book.instruments[name] = _instrument(name, listed)
    return wanted


def _listed(desk: FrontDesk) -> dict[InstrumentId, Listed]:
    return {InstrumentId(each.instrument_id): each for each in desk.trading.instruments()}


def _middles(desk: FrontDesk) -> dict[InstrumentId, Decimal]:
    try:
        quotes = desk.trading.quotes()
    except ClusterUnreachable:
        return {}
    return {
        InstrumentId(each.instrument_id): (Decimal(repr(each.bid)) + Decimal(repr(each.ask))) / 2
        for each in quotes
        if each.bid is not None and each.ask is not None
    }


def _name_of(
    symbol: str, listed: Mapping[InstrumentId, Listed], stored: StoredPrices
) -> InstrumentId:
    wanted = symbol.strip().upper()
    found = [name for name in listed if wanted in (name.upper(), symbol_of(name).upper())]
    if len(found) > 1:
        raise UsageError(
            f"{symbol} is listed as {' and '.join(found)}; name the one that is meant."
        )
    return found[0] if found else stored.table.instrument_ids[stored.column(symbol)]


def _fresh_price(
    stored: StoredPrices, name: InstrumentId, as_of: int
) -> tuple[InstrumentId, Decimal]:
    """Return a stored price, unless the market has long moved on."""
    found = _stored_price(stored, symbol_of(name))
    last = int(stored.table.ts[-1])
    if as_of - last > STALE_DAYS * NANOS_PER_DAY:
        raise NotFound(
            f"{symbol_of(name)} has no price of now: the cluster has no quote of it, and {stored.source} ends on "
            f"{moment(last).date()}."
        )
    return found


def _stored_price(stored: StoredPrices, symbol: str) -> tuple[InstrumentId, Decimal]:
    column = stored.column(symbol)
    rows = stored.rows_of(column)
    if not rows.size:
        raise NotFound(f"{stored.source} has no price of {symbol} yet.")
    price = float(stored.table.close[rows[-1], column])
    return stored.table.instrument_ids[column], Decimal(repr(price))


def _instrument(name: InstrumentId, listed: Mapping[InstrumentId, Listed]) -> Instrument:
    known = listed.get(name)
    if known is None:
        return Instrument(instrument_id=name)
    return Instrument(
        instrument_id=name, tick_size=known.tick, lot_size=known.lot, min_quantity=known.lot
    )


def _answer(
    book: _Book,
    wanted: Mapping[InstrumentId, float],
    worth: Decimal,
    changes: list[Change],
    threshold: float,
) -> Rebalancing:
    now = book.weights(book.positions, worth)
    moved = dict(book.positions)
    for change in changes:
        moved[change.instrument_id] = moved.get(change.instrument_id, Decimal(0)) + change.quantity
    cash_after = book.cash + sum((change.cash for change in changes), Decimal(0))
    after = book.weights(moved, worth)
    is_given = book.source is Source.COMPUTED
    return Rebalancing(
        source=book.source,
        as_of=moment(book.as_of),
        method=RULES_TEXT,
        measured="the given portfolio" if is_given else "the cluster's portfolio",
        target_allocations=_by_symbol(wanted),
        current_allocations={**_by_symbol(now), CASH: float(book.cash / worth)},
        required_trades=[_trade(book, change, wanted, now) for change in changes],
        trades_needed=bool(changes),
        rebalance_threshold=threshold,
        total_value=_cents(worth),
        total_trade_value=_cents(sum((abs(change.value) for change in changes), Decimal(0))),
        turnover=float(turnover(changes, worth)),
        cash_before=_cents(book.cash),
        cash_after=_cents(cash_after),
        tracking_error=_gap(wanted, now),
        tracking_error_after=_gap(wanted, after),
        notes=_notes(book),
    )


def _trade(
    book: _Book,
    change: Change,
    wanted: Mapping[InstrumentId, float],
    now: Mapping[InstrumentId, float],
) -> RebalancingTrade:
    name = change.instrument_id
    return RebalancingTrade(
        symbol=symbol_of(name),
        action="buy" if change.quantity > 0 else "sell",
        quantity=abs(change.quantity),
        price=book.prices[name],
        price_source=book.price_sources[name],
        value=_cents(abs(change.value)),
        estimated_cost=_cents(change.cost),
        deviation=now.get(name, 0.0) - wanted[name],
    )


def _by_symbol(weights: Mapping[InstrumentId, float]) -> dict[str, float]:
    return {symbol_of(name): weight for name, weight in weights.items()}


def _gap(wanted: Mapping[InstrumentId, float], held: Mapping[InstrumentId, float]) -> float:
    return math.sqrt(sum((held.get(name, 0.0) - weight) ** 2 for name, weight in wanted.items()))


def _cents(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.01"))


def _notes(book: _Book) -> list[str]:
    said = ["Nothing was sent."]
    if any(source.startswith("the ") for source in book.price_sources.values()):
        return said
    return [*said, f"All prices are stored ones, the newest of {moment(book.as_of).date()}."]
