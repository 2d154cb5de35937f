"""Order books as ccxt keeps them, told as changes. Pure, except that a book is read while it changes."""

from collections.abc import Iterable, Sequence
from itertools import islice

from trading.data import BookDelta, BookSnapshot
from trading.identifiers import InstrumentId
from trading.values import BookAction, OrderSide

Levels = dict[float, float]


class ToldBook:
    """What was told of one book; `changes` tells the difference.

    Levels that go are told before levels that come, so a book that is followed message by message is
    never crossed on the way.
    """

    def __init__(self, instrument_id: InstrumentId, depth: int) -> None:
        self._instrument_id = instrument_id
        self._depth = depth
        self._bids: Levels = {}
        self._asks: Levels = {}
        self._sequence = 0
        self._is_told = False

    def forget(self) -> None:
        """Begin again with a snapshot."""
        self._is_told = False

    def changes(
        self,
        bids: Iterable[Sequence[float]],
        asks: Iterable[Sequence[float]],
        ts_event: int,
        ts_init: int,
    ) -> list[BookSnapshot | BookDelta]:
        """Return what is to be told; levels are (price, size), best first."""
        new_bids, new_asks = self._top(bids), self._top(asks)
        if not self._is_told:
            self._is_told = True
            self._bids, self._asks = new_bids, new_asks
            return [self._snapshot(ts_event, ts_init)]
        gone = _gone(self._bids, new_bids, OrderSide.BUY) + _gone(
            self._asks, new_asks, OrderSide.SELL
        )
        come = _come(self._bids, new_bids, OrderSide.BUY) + _come(
            self._asks, new_asks, OrderSide.SELL
        )
        self._bids, self._asks = new_bids, new_asks
        return [self._delta(*each, ts_event, ts_init) for each in (*gone, *come)]

    def _top(self, levels: Iterable[Sequence[float]]) -> Levels:
        return {float(level[0]): float(level[1]) for level in islice(levels, self._depth)}

    def _snapshot(self, ts_event: int, ts_init: int) -> BookSnapshot:
        self._sequence += 1
        return BookSnapshot(
            ts_event=ts_event,
            ts_init=ts_init,
            sequence=self._sequence,
            instrument_id=self._instrument_id,
            bids=tuple(self._bids.items()),
            asks=tuple(self._asks.items()),
        )

    def _delta(
        self, side: OrderSide, price: float, size: float, ts_event: int, ts_init: int
    ) -> BookDelta:
        self._sequence += 1
        return BookDelta(
            ts_event=ts_event,
            ts_init=ts_init,
            sequence=self._sequence,
            instrument_id=self._instrument_id,
            side=side,
            action=BookAction.UPDATE if size else BookAction.DELETE,
            price=price,
            size=size,
        )


Change = tuple[OrderSide, float, float]


def _gone(old: Levels, new: Levels, side: OrderSide) -> list[Change]:
    return [(side, price, 0.0) for price in old if price not in new]


def _come(old: Levels, new: Levels, side: OrderSide) -> list[Change]:
    return [(side, price, size) for price, size in new.items() if old.get(price) != size]
