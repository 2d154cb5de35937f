"""The venue's own ledger of one account: the oracle for everybody else's bookkeeping.

Written without a line of `trading.account`: cost basis instead of average price, so that an error
of one is not repeated by the other.
"""

from collections.abc import Mapping
from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow
from typing import Any

from trading.identifiers import AccountId, InstrumentId
from trading.reports import FillReport
from trading.values import ZERO

EXACT = Context(prec=60, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow])
"""Money: a result that would have to be rounded is an error."""
_ROUNDED = Context(prec=40, traps=[InvalidOperation, DivisionByZero, Overflow])


_SETTLED = Decimal("1e-12")
"""Profit of margined positions is paid in whole multiples of this."""


class VenuePosition:
    """Signed quantity (units) and what the open quantity cost (signed, quote currency)."""

    __slots__ = ("cost", "is_margined", "quantity")

    def __init__(self, *, is_margined: bool = False) -> None:
        self.quantity = ZERO
        self.cost = ZERO
        self.is_margined = is_margined

    @property
    def avg_px(self) -> Decimal:
        """Average price of the open quantity; 0 when flat."""
        return _ROUNDED.divide(self.cost, self.quantity) if self.quantity else ZERO

    def trade(self, signed: Decimal, price: Decimal) -> Decimal:
        """Add a trade of `signed` units; return the profit realised by what it closed."""
        closing = ZERO
        if signed * self.quantity < 0:
            closing = -signed if abs(signed) <= abs(self.quantity) else self.quantity
        released = self._share_of_cost(closing)
        self.quantity = EXACT.add(self.quantity, signed)
        opening = EXACT.add(signed, closing)
        self.cost = _ROUNDED.add(
            _ROUNDED.subtract(self.cost, released), EXACT.multiply(opening, price)
        )
        return _ROUNDED.subtract(EXACT.multiply(closing, price), released)

    def _share_of_cost(self, closing: Decimal) -> Decimal:
        if closing == self.quantity:
            return self.cost
        share = _ROUNDED.divide(_ROUNDED.multiply(self.cost, closing), self.quantity)
        return _ROUNDED.quantize(share, _SETTLED) if self.is_margined else share

    def equity(self, price: Decimal) -> Decimal:
        """Return what the position adds to the cash: its value, or its profit when it is margined."""
        value = self.quantity * price
        return value - self.cost if self.is_margined else value


class VenueAccount:
    """Cash, positions, commissions and fills of one account.

    Parameters
    ----------
    initial_cash : Decimal
        In account currency.

    Attributes
    ----------
    cash : Decimal
        initial - buys + sells - commissions, exact; margined instruments move it by their realised profit.
    commissions : Decimal
        Sum of all commissions (positive is a cost).
    realized_pnl : Decimal
        Profit of closed quantity before commissions.
    venue_seq : int
        Number of the last execution message.
    """

    def __init__(self, account_id: AccountId, initial_cash: Decimal) -> None:
        self.account_id = account_id
        self.initial_cash = initial_cash
        self.cash = initial_cash
        self.commissions = ZERO
        self.realized_pnl = ZERO
        self.positions: dict[InstrumentId, VenuePosition] = {}
        self.fills: list[FillReport] = []
        self.venue_seq = 0

    def next_venue_seq(self) -> int:
        self.venue_seq += 1
        return self.venue_seq

    def apply_fill(self, fill: FillReport) -> None:
        signed = fill.side.sign * fill.last_qty
        position = self.positions.setdefault(
            fill.instrument_id, VenuePosition(is_margined=fill.is_margined)
        )
        profit = position.trade(signed, fill.last_px)
        self.realized_pnl = _ROUNDED.add(self.realized_pnl, profit)
        self.commissions = EXACT.add(self.commissions, fill.commission)
        paid = -profit if position.is_margined else EXACT.multiply(signed, fill.last_px)
        self.cash = EXACT.subtract(EXACT.subtract(self.cash, paid), fill.commission)
        self.fills.append(fill)

    def quantity(self, instrument_id: InstrumentId) -> Decimal:
        """Return the signed position in units; 0 when there is none."""
        position = self.positions.get(instrument_id)
        return position.quantity if position else ZERO

    def avg_px(self, instrument_id: InstrumentId) -> Decimal:
        """Return the average price of the open position; 0 when flat."""
        position = self.positions.get(instrument_id)
        return position.avg_px if position else ZERO

    def equity(self, instrument_id: InstrumentId, price: Decimal) -> Decimal:
        """Return what the position in one instrument adds to the equity at `price`."""
        position = self.positions.get(instrument_id)
        return position.equity(price) if position else ZERO

    def open_positions(self) -> Mapping[InstrumentId, VenuePosition]:
        """Return the positions that are not flat."""
        return {key: position for key, position in self.positions.items() if position.quantity}

    def content(self) -> dict[str, Any]:
        """Return everything durable as plain values, for hashing."""
        return {
            "initial_cash": self.initial_cash,
            "cash": self.cash,
            "commissions": self.commissions,
            "realized_pnl": self.realized_pnl,
            "positions": {key: (p.quantity, p.cost) for key, p in self.positions.items()},
            "fills": self.fills,
            "venue_seq": self.venue_seq,
        }

    def validate(self) -> None:
        """Recompute cash and positions from the fills.

        Raises
        ------
        AssertionError
            If money or units appeared or vanished.
        """
        cash, commissions = self.initial_cash, ZERO
        held: dict[InstrumentId, Decimal] = {}
        for fill in self.fills:
            signed = fill.last_qty if fill.side == "BUY" else -fill.last_qty
            cash = EXACT.subtract(cash, EXACT.multiply(signed, fill.last_px))
            commissions = EXACT.add(commissions, fill.commission)
            held[fill.instrument_id] = EXACT.add(held.get(fill.instrument_id, ZERO), signed)
        assert self.commissions == commissions, f"{self.account_id}: commissions do not add up"
        margined = [p.cost for p in self.positions.values() if p.is_margined]
        expected = EXACT.subtract(cash, commissions)
        for cost in margined:  # what the fills of an open position were worth was never paid
            expected = EXACT.add(expected, cost)
        assert self.cash == expected, f"{self.account_id}: cash {self.cash}, fills say {expected}"
        quantities = {key: position.quantity for key, position in self.positions.items()}
        assert quantities == held, f"{self.account_id}: positions {quantities}, fills say {held}"
        assert len({fill.trade_id for fill in self.fills}) == len(self.fills), "repeated trade id"
