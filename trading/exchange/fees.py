"""What the venue charges for one fill."""

from decimal import ROUND_HALF_EVEN, Decimal

import msgspec

from trading.values import ZERO

_BPS = Decimal(10_000)


class Fees(msgspec.Struct, frozen=True, kw_only=True):
    """Per share, plus a part of the value by liquidity side, but at least `minimum` per fill.

    Implements `trading.ports.FeeModel`.

    Attributes
    ----------
    per_share : Decimal
        Currency per unit.
    maker_bps, taker_bps : Decimal
        Basis points of quantity x price; a negative maker fee is a rebate.
    minimum : Decimal
        Currency per fill; 0 charges the computed amount, so that a rebate stays one.
    increment : Decimal
        The amount is rounded to a multiple of this (half to even).
    """

    per_share: Decimal = ZERO
    maker_bps: Decimal = ZERO
    taker_bps: Decimal = ZERO
    minimum: Decimal = ZERO
    increment: Decimal = Decimal("0.01")

    def commission(self, quantity: Decimal, price: Decimal, *, is_maker: bool) -> Decimal:
        """Return the cost of a fill (positive is a cost), in quote currency."""
        bps = self.maker_bps if is_maker else self.taker_bps
        amount = quantity * self.per_share + quantity * price * bps / _BPS
        if self.minimum > 0:
            amount = max(amount, self.minimum)
        return amount.quantize(self.increment, rounding=ROUND_HALF_EVEN)
