"""What one fill moves: units of the position, and money."""

from decimal import Decimal

from trading.events import OrderFilled
from trading.position import EXACT
from trading.reports import FillReport
from trading.values import OrderSide

Fill = OrderFilled | FillReport


def moved_units(fill: Fill) -> Decimal:
    """Return the signed change of the position: what was traded, less what the venue kept as its fee."""
    is_buy = fill.side is OrderSide.BUY
    signed = fill.last_qty if is_buy else fill.last_qty.copy_negate()
    return EXACT.subtract(signed, fill.commission_qty) if fill.commission_qty else signed


def commission_value(fill: Fill) -> Decimal:
    """Return what the fill cost beside its price: commission, and the kept units at the price of the fill."""
    if not fill.commission_qty:
        return fill.commission
    return EXACT.add(fill.commission, EXACT.multiply(fill.commission_qty, fill.last_px))


def cash_paid(fill: Fill) -> Decimal:
    """Return what the fill took out of the cash (negative: brought in), the price being paid."""
    value = EXACT.multiply(fill.last_qty, fill.last_px)
    signed = value if fill.side is OrderSide.BUY else value.copy_negate()
    return EXACT.add(signed, fill.commission)
