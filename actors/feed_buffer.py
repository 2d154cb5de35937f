"""What a venue streams and the host has not taken yet: bounded, and the latest wins."""

import threading
from collections.abc import Callable

from trading.data import Bar, BookDelta, BookSnapshot, MarketData, QuoteTick, TradeTick
from trading.identifiers import InstrumentId
from trading.messages import Message
from trading.outcomes import FeedOverran, VenueDisconnected

QUOTES_AFTER = 1_000
"""While so many messages wait, only the newest quote of each instrument waits with them."""
WAITING_MAX = 10_000
"""While so many messages wait, trades, bars and changes of books are lost, and counted."""


class FeedBuffer:
    """Between the thread of a venue and the loop of the host, which takes all that waits at once.

    While the host keeps up, everything waits in order. When it does not, a quote waits as the only one of its
    instrument, behind all else; later trades and bars are lost, and a book that lost a change is named, so that
    somebody asks for it again. Outcomes and the states of the connection always wait: there is one for each
    question and each attempt.

    Parameters
    ----------
    wake : function
        Called, from the thread of the venue, when something waits where nothing did.
    now : function
        The host's clock (ns UTC).
    """

    def __init__(self, wake: Callable[[], None], now: Callable[[], int]) -> None:
        self._wake = wake
        self._now = now
        self._lock = threading.Lock()
        self._waiting: list[Message] = []
        self._latest: dict[InstrumentId, QuoteTick] = {}
        self._books: set[InstrumentId] = set()
        self._conflated = self._trades = self._bars = 0

    @property
    def is_waiting(self) -> bool:
        return bool(self._waiting)

    def put(self, message: Message) -> None:
        """Let a message wait; any thread may call it."""
        with self._lock:
            was_empty = not self._waiting
            waiting = len(self._waiting)
            if waiting < QUOTES_AFTER or not isinstance(message, MarketData):
                self._waiting.append(message)
            elif isinstance(message, QuoteTick):
                self._conflated += message.instrument_id in self._latest
                self._latest[message.instrument_id] = message
            elif waiting < WAITING_MAX:
                self._waiting.append(message)
            else:
                self._lose(message)
            if isinstance(message, VenueDisconnected):
                self._latest.clear()  # nothing may follow the loss of the connection
        if was_empty:
            self._wake()

    def take(self) -> list[Message]:
        """Return all that waits, in order, with what was lost at the end."""
        with self._lock:
            taken, self._waiting = self._waiting, []
            taken += self._latest.values()
            self._latest.clear()
            if self._conflated or self._trades or self._bars or self._books:
                taken.append(self._loss())
        return taken

    def _lose(self, message: MarketData) -> None:
        match message:
            case TradeTick():
                self._trades += 1
            case Bar():
                self._bars += 1
            case BookDelta(instrument_id=key) | BookSnapshot(instrument_id=key):
                self._books.add(key)
            case _:
                raise TypeError(f"a feed streams no {type(message).__name__}")

    def _loss(self) -> FeedOverran:
        now = self._now()
        loss = FeedOverran(
            ts_event=now,
            ts_init=now,
            conflated=self._conflated,
            trades=self._trades,
            bars=self._bars,
            books=tuple(sorted(self._books)),
        )
        self._conflated = self._trades = self._bars = 0
        self._books.clear()
        return loss
