"""The planner: from target weights to orders. The one place where sizes are decided."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from trading.commands import SubmitOrder
from trading.identifiers import (
    AccountId,
    InstrumentId,
    StrategyId,
    derive_client_order_id,
)
from trading.instruments import Instrument
from trading.values import NANOS_PER_SECOND, ZERO, OrderSide

CLOSE, OPEN = 0, 1
"""Index of an order in its decision: by role, so that a decision made again derives the same ids."""


class PlannerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How one strategy's weights become orders.

    Attributes
    ----------
    capital : Decimal
        What a weight of 1 is worth, in account currency.
    band : Decimal
        Changes worth less than this fraction of the capital are left alone, unless they close a
        position.
    order_ttl_ns : int
        Host time after which risk must not approve an order any more.
    """

    account_id: AccountId
    strategy_id: StrategyId
    capital: Decimal
    band: Decimal = Decimal("0.02")
    order_ttl_ns: int = 5 * NANOS_PER_SECOND


class Occasion(msgspec.Struct, frozen=True):
    """When and why a plan is made: goes into every order of it."""

    ts_event: int
    ts_signal: int
    correlation_id: str
    causation_id: str
    now: int


def quantity_for(notional: Decimal, price: float | Decimal, instrument: Instrument) -> Decimal:
    """Return how many units `notional` buys at `price`, in whole lots; 0 when that is no order.

    Orders are always sent in units. A venue that takes an amount of money decides the units itself, after risk
    signed: what was checked and what is traded would not be the same.

    Parameters
    ----------
    notional : Decimal
        In the currency of the price (>= 0).
    price : float or Decimal
        Of one unit (> 0).

    Raises
    ------
    ValueError
        If the price is not positive, or a number is not finite.
    """
    exact = price if isinstance(price, Decimal) else Decimal(repr(price))
    if not (exact.is_finite() and exact > 0 and notional.is_finite()):
        raise ValueError(f"{instrument.instrument_id}: no quantity for {notional} at {price}")
    units = instrument.quantity(notional / exact)
    is_enough = units >= instrument.min_quantity and units * exact >= instrument.min_notional
    return units if is_enough else ZERO


def plan(
    weights: Mapping[InstrumentId, float],
    held: Mapping[InstrumentId, Decimal],
    prices: Mapping[InstrumentId, float],
    instruments: Mapping[InstrumentId, Instrument],
    config: PlannerConfig,
    occasion: Occasion,
) -> list[SubmitOrder]:
    """Return the market orders that lead from what is held to the target weights.

    Reductions come first, then in order of the instrument. A change of side is two orders, so that
    risk can let the way out pass and judge the new position alone. Instruments without a price
    are left alone.

    Parameters
    ----------
    held : mapping
        Signed units: position plus everything under way.
    prices : mapping
        Newest price, in quote currency.
    """
    reductions: list[SubmitOrder] = []
    openings: list[SubmitOrder] = []
    for name in sorted(weights):
        price = prices.get(name)
        if price is None:
            continue
        instrument = instruments[name]
        now_held = held.get(name, ZERO)
        target = _target(weights[name], price, instrument, config.capital)
        if _is_too_small(target - now_held, target, Decimal(repr(price)), config):
            continue
        out, into = _split(now_held, target)
        out = _whole(out, instrument)
        if _is_order(out, price, instrument):
            reductions.append(_order(instrument, out, price, CLOSE, config, occasion))
        if _is_order(into, price, instrument):
            openings.append(_order(instrument, into, price, OPEN, config, occasion))
    return reductions + openings


def _target(weight: float, price: float, instrument: Instrument, capital: Decimal) -> Decimal:
    """Return the signed units of a weight, rounded towards zero to whole lots."""
    worth = Decimal(repr(abs(weight))) * capital
    units = instrument.quantity(worth / Decimal(repr(price)))
    return units if weight > 0 else -units


def _whole(change: Decimal, instrument: Instrument) -> Decimal:
    """Return the change without what is less than a lot."""
    return instrument.quantity(abs(change)).copy_sign(change)


def _is_order(change: Decimal, price: float, instrument: Instrument) -> bool:
    """Return whether the venue takes an order of that size."""
    units = abs(change)
    if not units or units < instrument.min_quantity:
        return False
    return not instrument.min_notional or units * Decimal(repr(price)) >= instrument.min_notional


def _is_too_small(change: Decimal, target: Decimal, price: Decimal, config: PlannerConfig) -> bool:
    if not change:
        return True
    return bool(target) and abs(change) * price < config.band * config.capital


def _split(held: Decimal, target: Decimal) -> tuple[Decimal, Decimal]:
    """Return the signed part that makes the position smaller, and the part that makes it larger."""
    if held * target < 0:
        return -held, target
    change = target - held
    is_reduction = abs(target) < abs(held)
    return (change, ZERO) if is_reduction else (ZERO, change)


def _order(
    instrument: Instrument,
    change: Decimal,
    price: float,
    index: int,
    config: PlannerConfig,
    occasion: Occasion,
) -> SubmitOrder:
    name = instrument.instrument_id
    stamps: dict[str, Any] = {
        "ts_event": occasion.ts_event,
        "ts_init": occasion.now,
        "ts_signal": occasion.ts_signal,
        "correlation_id": occasion.correlation_id,
        "causation_id": occasion.causation_id,
    }
    return SubmitOrder(
        **stamps,
        client_order_id=derive_client_order_id(
            config.account_id, config.strategy_id, name, occasion.ts_event, "target", index
        ),
        account_id=config.account_id,
        strategy_id=config.strategy_id,
        instrument_id=name,
        side=OrderSide.BUY if change > 0 else OrderSide.SELL,
        quantity=abs(change),
        time_in_force=instrument.order_time,
        reduce_only=index == CLOSE,
        expires_at=occasion.now + config.order_ttl_ns,
        arrival_px=Decimal(repr(price)),
    )
