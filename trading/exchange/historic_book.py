"""The book of a real venue, replayed, as something that our orders can trade with.

The model, and on which side it errs:

* **Taking.** An order takes the recorded levels, best first. What it took stays taken until the record
  shows another size at that price: others do not refill a level on our account. The record itself goes on
  as it was: the market does not react to us.
* **Resting.** An order stands behind all that its level showed when it arrived (`Queue`). Trades at its price
  work that queue off; cancellations are taken to be behind it, unless the level shows less than what
  was ahead. A trade beyond its price finds it first. An order never gets more than a trade's size.
* **Crossing.** When the other side of the record reaches the price of a resting order, that order takes
  what is shown there, at its own price. Where there are quotes and no trades this is the only way to
  be filled at rest.

What is published is the record: neither our orders nor what they took show in it.
"""

from collections.abc import Iterator
from decimal import Decimal
from math import inf

from trading.book.ladder import LadderBook
from trading.book.tick_grid import price_on_grid
from trading.data import BookDelta, BookSnapshot, QuoteTick, TradeTick
from trading.exchange.liquidity import Level
from trading.exchange.queue import Queue
from trading.instruments import Instrument
from trading.values import ZERO, BookAction, OrderSide

BookEvent = QuoteTick | BookDelta | BookSnapshot
_Sizes = dict[Decimal, float]


class HistoricBook:
    """The record of one instrument, less what our orders took. Implements `liquidity.Crowd`.

    Quotes set one level per side, until the source sends depth.

    Attributes
    ----------
    record : LadderBook
        The market as it was.
    has_depth : bool
        Deltas or snapshots came, so quotes say nothing new.
    queue : Queue
        Where our resting orders stand.
    """

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument
        self._tick = float(instrument.tick_size)
        self.record = LadderBook(instrument.tick_size)
        self.has_depth = False
        self.queue = Queue()
        self._taken: dict[OrderSide, dict[Decimal, Decimal]] = {side: {} for side in OrderSide}
        self._last_trade: float | None = None

    @property
    def is_known(self) -> bool:
        """Return whether the record shows anything."""
        return self.record.best_bid() is not None or self.record.best_ask() is not None

    # -- the crowd

    def best(self, side: OrderSide) -> Level | None:
        return next(self.levels(side), None)

    def levels(self, side: OrderSide) -> Iterator[Level]:
        taken = self._taken[side]
        for price, size in self.record.levels(side):
            level = self._instrument.price(price)
            left = self._instrument.quantity(size) - taken.get(level, ZERO)
            if left > 0:
                yield Level(level, left)

    def take(self, side: OrderSide, quantity: Decimal) -> None:
        best = self.best(side)
        assert best is not None, "taken from an empty side"
        assert quantity <= best.size, f"{quantity} taken from a level of {best.size}"
        taken = self._taken[side]
        taken[best.price] = taken.get(best.price, ZERO) + quantity

    def displayed(self, side: OrderSide, price: Decimal) -> Decimal:
        """Return the recorded units at one price."""
        for level, size in self.record.levels(side):
            on_grid = self._instrument.price(level)
            if on_grid == price:
                return self._instrument.quantity(size)
            if (on_grid < price) == (side is OrderSide.BUY):
                break
        return ZERO

    def last_price(self) -> Decimal | None:
        """Return the last trade, or the middle of the best levels where there are no trades."""
        last = self._last_trade
        if last is None:
            bid, ask = self.record.best_bid(), self.record.best_ask()
            if bid is None or ask is None:
                return None
            last = (bid[0] + ask[0]) / 2
        return price_on_grid(last, self._instrument, self._tick)

    # -- the record

    def apply(self, event: BookEvent) -> None:
        """Change the record. A quote is passed over when the source sends depth."""
        match event:
            case BookDelta():
                self._set(event)
            case BookSnapshot():
                self.has_depth = True
                self._replace(event)
            case QuoteTick():
                if not self.has_depth:
                    self._replace(_one_level(event))

    def traded(self, trade: TradeTick) -> tuple[Decimal, Decimal]:
        """Note a trade; return its price and units on the grid."""
        self._last_trade = trade.price
        return self._instrument.price(trade.price), self._instrument.quantity(trade.size)

    def _set(self, delta: BookDelta) -> None:
        if not self.has_depth:
            self.has_depth = True  # what quotes said is no part of it
            self._replace(BookSnapshot(instrument_id=delta.instrument_id, bids=(), asks=()))
        side, taken = delta.side, self._taken[delta.side]
        if taken or self.queue.watches(side):
            price = self._instrument.price(delta.price)
            size = 0.0 if delta.action is BookAction.DELETE else delta.size
            if price in taken and self._sizes(side).get(price) != size:
                del taken[price]
            self.queue.shrink(side, price, self._instrument.quantity(size))
        self.record.apply(delta)

    def _replace(self, snapshot: BookSnapshot) -> None:
        before = {side: self._sizes(side) for side in OrderSide if self._taken[side]}
        self.record.apply_snapshot(snapshot)
        for side in OrderSide:
            if not (self._taken[side] or self.queue.watches(side)):
                continue
            after = self._sizes(side)
            self._taken[side] = {
                price: units
                for price, units in self._taken[side].items()
                if before[side].get(price) == after.get(price)
            }
            for price in self.queue.prices(side):
                self.queue.shrink(side, price, self._instrument.quantity(after.get(price, 0.0)))

    def _sizes(self, side: OrderSide) -> _Sizes:
        return {self._instrument.price(price): size for price, size in self.record.levels(side)}


def is_sound(event: BookEvent | TradeTick) -> bool:
    """Return whether all prices are positive and all sizes are not negative. NaN is neither."""
    if type(event) is BookDelta or type(event) is TradeTick:
        return 0 < event.price < inf and 0 <= event.size < inf
    if type(event) is QuoteTick:
        pairs = [(event.bid_px, event.bid_size), (event.ask_px, event.ask_size)]
    else:
        assert type(event) is BookSnapshot
        pairs = [*event.bids, *event.asks]
    return all(0 < price < inf and 0 <= size < inf for price, size in pairs)


def _one_level(quote: QuoteTick) -> BookSnapshot:
    return BookSnapshot(
        instrument_id=quote.instrument_id,
        bids=((quote.bid_px, quote.bid_size),),
        asks=((quote.ask_px, quote.ask_size),),
    )
