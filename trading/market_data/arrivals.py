"""Whether a message of a stream comes in its turn."""

from collections import Counter
from enum import Enum, auto

from trading.data import BookDelta, BookSnapshot, QuoteTick, TradeTick
from trading.identifiers import InstrumentId
from trading.values import NANOS_PER_SECOND

AHEAD_NS_MAX = 60 * NANOS_PER_SECOND
"""What claims to be further in the future changes nothing here; the guard refuses it by name."""

Mark = tuple[int, int]
"""Sequence and `ts_event` of a message."""


class Turn(Enum):
    """How a change of a book follows on the one before it."""

    NEXT = auto()
    REPEATED = auto()
    BEYOND_GAP = auto()


class Arrivals:
    """Remembers what came last of each instrument, as far as one connection reaches.

    A message whose sequence is not above the last one is a repeat, or late, unless it is younger: then the
    source counts anew. Without sequences (0) only quotes can be told apart: one that is older than the last is
    of no use. Trades may be reported late, and a book is held together by its sequence.

    Attributes
    ----------
    refused : Counter of str
        Messages that did not come in their turn, by reason.
    """

    def __init__(self) -> None:
        self.refused: Counter[str] = Counter()
        self._quotes: dict[InstrumentId, Mark] = {}
        self._trades: dict[InstrumentId, Mark] = {}
        self._books: dict[InstrumentId, Mark] = {}

    def restart(self) -> None:
        """A new connection: nothing came before."""
        self._quotes.clear()
        self._trades.clear()
        self._books.clear()

    def accept_quote(self, quote: QuoteTick, now: int) -> bool:
        """Return whether the quote is newer than the last one."""
        sequence, ts_event = quote.sequence, quote.ts_event
        if ts_event > now + AHEAD_NS_MAX:
            return True
        last = self._quotes.get(quote.instrument_id)
        if last is not None and (
            ts_event < last[1] or (sequence and sequence <= last[0] and ts_event == last[1])
        ):
            self._refuse(sequence, last)
            return False
        self._quotes[quote.instrument_id] = (sequence, ts_event)
        return True

    def accept_trade(self, trade: TradeTick, now: int) -> bool:
        """Return whether the trade was not reported before."""
        mark = trade.sequence, trade.ts_event
        if not mark[0] or mark[1] > now + AHEAD_NS_MAX:
            return True
        last = self._trades.get(trade.instrument_id)
        if last is not None and _is_old(mark, last):
            self._refuse(mark[0], last)
            return False
        self._trades[trade.instrument_id] = mark
        return True

    def turn_of(self, delta: BookDelta, now: int) -> Turn:
        """Return how a change follows on what came before; without a sequence it is always the next."""
        mark = delta.sequence, delta.ts_event
        if not mark[0] or mark[1] > now + AHEAD_NS_MAX:
            return Turn.NEXT
        last = self._books.get(delta.instrument_id)
        if last is not None and _is_old(mark, last):
            self._refuse(mark[0], last)
            return Turn.REPEATED
        self._books[delta.instrument_id] = mark
        is_next = last is None or not last[0] or mark[0] == last[0] + 1
        return Turn.NEXT if is_next else Turn.BEYOND_GAP

    def book_begins(self, snapshot: BookSnapshot) -> None:
        """Count the changes of a book from this snapshot on."""
        self._books[snapshot.instrument_id] = (snapshot.sequence, snapshot.ts_event)

    def _refuse(self, sequence: int, last: Mark) -> None:
        is_repeat = sequence and sequence == last[0]
        self.refused["duplicate" if is_repeat else "out_of_order"] += 1


def _is_old(mark: Mark, last: Mark) -> bool:
    return mark[0] <= last[0] and mark[1] <= last[1]
