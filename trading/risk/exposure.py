"""Gross exposure, kept up to date at the cost of one instrument per change.

A working order counts as if it had filled in the worst way: with a position `quantity` (signed),
working buys `buys` and sells `sells`, the largest position that can come of it is

    units = max(quantity + buys, sells - quantity)

and what the instrument adds to the exposure is `units` times its price.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import reduce
from types import MappingProxyType

from trading.identifiers import InstrumentId
from trading.position import EXACT
from trading.values import ZERO, OrderSide


class Line:
    """One instrument: position (signed units), working buys and sells (units), and their value.

    `units` is the largest position that can come of them; it counts at `price`, and as 0 while there
    is none.
    """

    __slots__ = ("buys", "price", "quantity", "sells", "units", "value")

    def __init__(self, price: Decimal | None = None) -> None:
        self.quantity = ZERO
        self.buys = ZERO
        self.sells = ZERO
        self.units = ZERO
        self.price = price
        self.value = ZERO

    @property
    def is_empty(self) -> bool:
        return not (self.quantity or self.buys or self.sells)

    def units_with(self, side: OrderSide, more: Decimal) -> Decimal:
        """Return `units` if `more` were working on `side` as well (less, when negative)."""
        buys, sells = self.buys, self.sells
        if side is OrderSide.BUY:
            buys += more
        else:
            sells += more
        return max(self.quantity + buys, sells - self.quantity)

    def is_reduced_by(self, side: OrderSide, more: Decimal) -> bool:
        """True when `more` units on `side`, with all that works there already, only reduce."""
        if side is OrderSide.BUY:
            return self.quantity < 0 and self.buys + more <= -self.quantity
        return self.quantity > 0 and self.sells + more <= self.quantity


_EMPTY = Line()


class ExposureLedger:
    """Exposure of one account or of one strategy.

    Attributes
    ----------
    gross : Decimal
        Sum of the values of all lines, in account currency.
    unpriced : int
        Lines that have no price yet and therefore count as nothing; no new exposure meanwhile.
    watch : function or None
        Is told each line that changed, emptied ones too.
    """

    def __init__(self, price_of: Callable[[InstrumentId], Decimal | None]) -> None:
        self.watch: Callable[[InstrumentId, Line], None] | None = None
        self._price_of = price_of
        self._lines: dict[InstrumentId, Line] = {}
        self.gross = ZERO
        self.unpriced = 0

    @property
    def lines(self) -> Mapping[InstrumentId, Line]:
        """Instruments with a position or a working order."""
        return MappingProxyType(self._lines)

    def line(self, instrument_id: InstrumentId) -> Line:
        """Return the line; an empty one if there is none. Not to be changed."""
        return self._lines.get(instrument_id, _EMPTY)

    def reserve(self, instrument_id: InstrumentId, side: OrderSide, change: Decimal) -> None:
        """Add `change` units (release when negative) to what works on `side`."""
        line = self._open(instrument_id)
        if side is OrderSide.BUY:
            line.buys = EXACT.add(line.buys, change)
        else:
            line.sells = EXACT.add(line.sells, change)
        self._settle(instrument_id, line)

    def move(self, instrument_id: InstrumentId, change: Decimal) -> None:
        """Add `change` signed units to the position."""
        line = self._open(instrument_id)
        line.quantity = EXACT.add(line.quantity, change)
        self._settle(instrument_id, line)

    def reprice(self, instrument_id: InstrumentId) -> None:
        """Ask for the price again; nothing to do for an instrument without exposure."""
        line = self._lines.get(instrument_id)
        if line is not None:
            self._set_price(instrument_id, line, self._price_of(instrument_id))

    def validate(self) -> None:
        """Assert that the running sums equal a recomputation."""
        assert self.gross == reduce(EXACT.add, (x.value for x in self._lines.values()), ZERO)
        assert self.unpriced == sum(line.price is None for line in self._lines.values())
        for key, line in self._lines.items():
            assert not line.is_empty, f"empty line kept: {key}"
            assert line.buys >= 0, f"negative reservation: {key} buys={line.buys}"
            assert line.sells >= 0, f"negative reservation: {key} sells={line.sells}"
            assert line.units == line.units_with(OrderSide.BUY, ZERO), key
            assert line.value == EXACT.multiply(line.units, line.price or ZERO), key

    def _open(self, instrument_id: InstrumentId) -> Line:
        line = self._lines.get(instrument_id)
        if line is None:
            line = self._lines[instrument_id] = Line(self._price_of(instrument_id))
            self.unpriced += line.price is None
        return line

    def _settle(self, instrument_id: InstrumentId, line: Line) -> None:
        line.units = max(
            EXACT.add(line.quantity, line.buys), EXACT.subtract(line.sells, line.quantity)
        )
        if line.is_empty:
            del self._lines[instrument_id]
            self.unpriced -= line.price is None
        if line.price is not None:
            self._revalue(instrument_id, line)

    def _set_price(self, instrument_id: InstrumentId, line: Line, price: Decimal | None) -> None:
        if price is not None and price is not line.price:
            self.unpriced -= line.price is None
            line.price = price
            self._revalue(instrument_id, line)

    def _revalue(self, instrument_id: InstrumentId, line: Line) -> None:
        value = ZERO if line.price is None else EXACT.multiply(line.units, line.price)
        self.gross = EXACT.add(self.gross, EXACT.subtract(value, line.value))
        line.value = value
        if self.watch is not None:
            self.watch(instrument_id, line)
