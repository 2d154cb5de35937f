"""One position: signed quantity, average cost, realised profit. Money is exact."""

from collections.abc import Iterable
from decimal import (
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
)
from functools import reduce

from trading.values import ZERO, OrderSide

EXACT = Context(prec=120, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow])
"""Sums and products of money: a result that would need rounding raises instead."""
_ROUNDED = Context(prec=120, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero])
_AVERAGE = Context(prec=28, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero])
_COST_STEP = Decimal("1e-12")


class Position:
    """A signed holding of one instrument at average cost.

    The signed cost basis is what is kept; the average price is derived from it. Closing a part
    takes a share of the cost that is rounded to 1e-12 (half to even); what is taken from the cost
    is booked as realised, so no money appears or vanishes: at every price p and after every fill

        realized_pnl + unrealized_pnl(p) = sum of sells - sum of buys + quantity * p     exactly.

    The last part takes the whole rest of the cost. A position that is flat has cost 0. Units that a venue
    keeps as its fee were never sold or bought here: a fill counts with what it left in the position, and the
    kept units are a commission of their value at the price of the fill (`trading.fills`).

    Attributes
    ----------
    quantity : Decimal
        Units; short is negative.
    cost : Decimal
        Signed cost basis: what the open quantity was bought (or, negative, sold) for.
    realized_pnl : Decimal
        Profit of the closed parts, before commissions.
    commissions : Decimal
        Sum of all commissions (cost when positive).
    """

    __slots__ = ("commissions", "cost", "quantity", "realized_pnl")

    def __init__(self) -> None:
        self.quantity: Decimal = ZERO
        self.cost: Decimal = ZERO
        self.realized_pnl: Decimal = ZERO
        self.commissions: Decimal = ZERO

    @property
    def is_flat(self) -> bool:
        return self.quantity == 0

    @property
    def avg_px(self) -> Decimal:
        """Average price of the open quantity, to 28 digits; 0 when flat. For people to look at."""
        return average_price(self.cost, self.quantity)

    def apply_fill(
        self, side: OrderSide, quantity: Decimal, price: Decimal, commission: Decimal
    ) -> Decimal:
        """Fold one fill in and return the realised profit of the part that it closed.

        A fill that goes through zero closes the whole position and opens the rest at `price`.

        Parameters
        ----------
        quantity : Decimal
            Units (> 0).
        price : Decimal
            Per unit.
        commission : Decimal
            Cost when positive; kept apart, never part of the profit returned.
        """
        signed = quantity if side is OrderSide.BUY else quantity.copy_negate()
        return self.trade(signed, price, commission)

    def trade(self, signed: Decimal, price: Decimal, commission: Decimal) -> Decimal:
        """Fold a change of `signed` units at `price` in; return the realised profit of what it closed."""
        closed = ZERO
        if self.quantity * signed < 0:
            closed = min(signed.copy_abs(), self.quantity.copy_abs()).copy_sign(signed)
        realized = self._close(closed, price)
        opened = EXACT.subtract(signed, closed)
        self.quantity = EXACT.add(self.quantity, opened)
        self.cost = EXACT.add(self.cost, EXACT.multiply(opened, price))
        self.commissions = EXACT.add(self.commissions, commission)
        return realized

    def unrealized_pnl(self, price: Decimal) -> Decimal:
        """Return the profit of the open quantity if it were closed at `price`; exact."""
        return EXACT.subtract(self.value(price), self.cost)

    def value(self, price: Decimal | None) -> Decimal:
        """Return the signed market value at `price`; at cost when there is no price. Exact."""
        return self.cost if price is None else EXACT.multiply(self.quantity, price)

    def _close(self, signed: Decimal, price: Decimal) -> Decimal:
        if signed == 0:
            return ZERO
        part = signed.copy_negate()
        taken = self._cost_of(part)
        realized = _trimmed(EXACT.subtract(EXACT.multiply(part, price), taken))
        self.quantity = EXACT.add(self.quantity, signed)
        self.cost = _trimmed(EXACT.subtract(self.cost, taken))
        self.realized_pnl = EXACT.add(self.realized_pnl, realized)
        return realized

    def _cost_of(self, part: Decimal) -> Decimal:
        if part == self.quantity:
            return self.cost
        share = _ROUNDED.divide(EXACT.multiply(self.cost, part), self.quantity)
        return _trimmed(_ROUNDED.quantize(share, _COST_STEP))


def exact_sum(numbers: Iterable[Decimal]) -> Decimal:
    """Return the sum of money or quantities, exact; 0 when there are none."""
    return reduce(EXACT.add, numbers, ZERO)


def average_price(cost: Decimal, quantity: Decimal) -> Decimal:
    """Return cost / quantity to 28 digits (half to even); 0 when the quantity is 0."""
    return ZERO if quantity == 0 else _trimmed(_AVERAGE.divide(cost, quantity))


def _trimmed(number: Decimal) -> Decimal:
    """Drop trailing zeros behind the point, so that equal sums also look equal."""
    short = _ROUNDED.normalize(number)
    exponent = short.as_tuple().exponent
    return (
        _ROUNDED.quantize(short, Decimal(1))
        if isinstance(exponent, int) and exponent > 0
        else short
    )
