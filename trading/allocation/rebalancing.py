"""Rebalancing: which quantities to buy and sell so that target weights are met, and when it is worth it.

The rule, in this order:

1. A weight within `band` of its target is left alone, unless the target is 0.
2. A trade that costs more than `cost_max` of what it moves is left out.
3. What is sold pays for what is bought. If cash does not reach, all purchases shrink by the same fraction.
4. If the gain of being on target is known (`utility_gain`) and does not exceed the cost of all trades
   together, nothing is traded.

Cash is counted at the prices that the trades may meet: `slippage_bps` worse than now, plus commission.
So the cash after all trades is never below 0, or below what it was when it was negative already.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import msgspec

from trading.errors import DataError, UsageError
from trading.identifiers import InstrumentId
from trading.instruments import Instrument
from trading.ports import FeeModel
from trading.position import EXACT, exact_sum
from trading.values import ZERO

_BASIS_POINT = Decimal("0.0001")
_PARTS = 1 << 20
"""Purchases shrink in steps of one part."""


class RebalanceRules(msgspec.Struct, frozen=True, kw_only=True):
    """When a trade is worth its cost.

    Attributes
    ----------
    band : Decimal
        Fraction of the equity (>= 0).
    cost_max : Decimal
        Fraction of the value that is traded (above 0, below 1).
    slippage_bps : Decimal
        Basis points of the price (0 to 10,000): half the spread and what the trade itself moves.
    """

    band: Decimal = Decimal("0.01")
    cost_max: Decimal = Decimal("0.01")
    slippage_bps: Decimal = Decimal(5)

    def __post_init__(self) -> None:
        if not (self.band >= 0 and 0 < self.cost_max < 1 and 0 <= self.slippage_bps < 10_000):
            raise UsageError(
                "band must be 0 or more, cost_max between 0 and 1, slippage_bps from 0 to below 10000, got "
                f"{self.band}, {self.cost_max} and {self.slippage_bps}."
            )


@dataclass(frozen=True, slots=True)
class Change:
    """One quantity to buy or sell.

    Attributes
    ----------
    quantity : Decimal
        Signed units: bought if positive.
    value : Decimal
        Signed, at the price now (account currency).
    cost : Decimal
        Commission plus slippage (account currency).
    """

    instrument_id: InstrumentId
    quantity: Decimal
    value: Decimal
    cost: Decimal

    @property
    def cash(self) -> Decimal:
        """What the cash changes by."""
        return EXACT.subtract(self.value.copy_negate(), self.cost)


DEFAULT_RULES = RebalanceRules()


def rebalance(
    weights: Mapping[InstrumentId, float],
    positions: Mapping[InstrumentId, Decimal],
    prices: Mapping[InstrumentId, Decimal],
    cash: Decimal,
    instruments: Mapping[InstrumentId, Instrument],
    fees: FeeModel,
    rules: RebalanceRules = DEFAULT_RULES,
    gain: Decimal | None = None,
) -> list[Change]:
    """Return the wanted changes: sales first, then purchases, each by name.

    Parameters
    ----------
    weights : mapping
        Target weights, as fractions of the equity. An instrument that is not named stays as it is.
    positions : mapping
        Signed units. All of them count in the equity.
    prices : mapping
        Newest price of everything named or held (account currency per unit).
    cash : Decimal
        Account currency.
    gain : Decimal or None
        What being on target is worth until the next rebalancing (account currency), see `utility_gain`; None
        if that is not known.

    Raises
    ------
    DataError
        If a price or an instrument is missing, a weight is not finite, or the equity is not positive.
    """
    worth = equity(positions, prices, cash)
    if worth <= 0:
        raise DataError(f"The equity is {worth}: there is nothing to allocate.")
    market = _Market(prices, instruments, fees, rules)
    wanted = {
        name: market.drift(name, weights[name], positions.get(name, ZERO), worth)
        for name in sorted(weights)
    }
    sales = market.changes({name: units for name, units in wanted.items() if units < 0})
    proceeds = exact_sum((cash, *(each.cash for each in sales)))
    purchases = _affordable(
        {name: units for name, units in wanted.items() if units > 0}, proceeds, market
    )
    changes = sales + purchases
    if gain is not None and gain <= exact_sum(each.cost for each in changes):
        return []
    return changes


def equity(
    positions: Mapping[InstrumentId, Decimal], prices: Mapping[InstrumentId, Decimal], cash: Decimal
) -> Decimal:
    """Return cash plus the value of all positions (account currency).

    Raises
    ------
    DataError
        If something that is held has no price.
    """
    values = (
        EXACT.multiply(units, _price(name, prices)) for name, units in positions.items() if units
    )
    return EXACT.add(cash, exact_sum(values))


def turnover(changes: Iterable[Change], worth: Decimal) -> Decimal:
    """Return half the traded value as a fraction of the equity `worth`: 1 replaces everything."""
    return exact_sum(each.value.copy_abs() for each in changes) / (2 * worth)


@dataclass(frozen=True, slots=True)
class _Market:
    """What trades cost, and which of them are worth it."""

    prices: Mapping[InstrumentId, Decimal]
    instruments: Mapping[InstrumentId, Instrument]
    fees: FeeModel
    rules: RebalanceRules

    def drift(self, name: InstrumentId, weight: float, held: Decimal, worth: Decimal) -> Decimal:
        """Signed units from what is held to the target, in whole lots; 0 within the band."""
        if not math.isfinite(weight):
            raise DataError(f"{name}: the weight is {weight}, must be a finite number.")
        if name not in self.instruments:
            raise DataError(f"{name} is not a known instrument.")
        instrument, price = self.instruments[name], _price(name, self.prices)
        target = instrument.quantity(abs(Decimal(repr(float(weight)))) * worth / price)
        change = target.copy_sign(Decimal(repr(float(weight)))) - held
        is_near = abs(change) * price < self.rules.band * worth
        return ZERO if weight and is_near else change

    def changes(self, wanted: Mapping[InstrumentId, Decimal]) -> list[Change]:
        """The changes that are at least a lot and worth their cost."""
        changes = (self._change(name, units) for name, units in wanted.items())
        return [
            each
            for each in changes
            if each.quantity and each.cost <= self.rules.cost_max * each.value.copy_abs()
        ]

    def _change(self, name: InstrumentId, units: Decimal) -> Change:
        instrument, price = self.instruments[name], self.prices[name]
        quantity = instrument.quantity(abs(units))
        if not quantity or quantity < instrument.min_quantity:
            return Change(name, ZERO, ZERO, ZERO)
        value = EXACT.multiply(quantity, price)
        slippage = EXACT.multiply(value, EXACT.multiply(self.rules.slippage_bps, _BASIS_POINT))
        cost = EXACT.add(slippage, self.fees.commission(quantity, price, is_maker=False))
        return Change(name, quantity.copy_sign(units), value.copy_sign(units), cost)


def _affordable(
    wanted: Mapping[InstrumentId, Decimal], cash: Decimal, market: _Market
) -> list[Change]:
    """The purchases at the largest common fraction that the cash pays for."""

    def at(parts: int) -> list[Change]:
        fraction = Decimal(parts) / _PARTS
        return market.changes({name: units * fraction for name, units in wanted.items()})

    def is_paid(purchases: Sequence[Change]) -> bool:
        return exact_sum((cash, *(each.cash for each in purchases))) >= 0

    everything = at(_PARTS)
    if is_paid(everything):
        return everything
    low, high = 0, _PARTS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if is_paid(at(middle)) else (low, middle)
    return at(low)


def _price(name: InstrumentId, prices: Mapping[InstrumentId, Decimal]) -> Decimal:
    price = prices.get(name)
    if price is None or not (price.is_finite() and price > 0):
        raise DataError(f"{name}: the price is {price}, must be a positive number.")
    return price
