"""The replay: hands past prices to the simulated exchange, one moment at a time.

It goes on when the pace allows and everybody is done with the last moment (its `Watermark` came
back), or when the settle time-out is over: a market waits for nobody.
"""

from collections.abc import Mapping
from typing import Any

from actors.feeds.sources import PriceTable
from trading.codec import digest_of
from trading.commands import RequestBars, Watermark
from trading.data import BarsHistory, BarSlice, MarketSlice
from trading.effects import Append, CancelTimer, Effect, Send, SetTimer
from trading.events import Event, ReplayAdvanced
from trading.identifiers import MachineName, StreamName
from trading.messages import Message
from trading.outcomes import JournalUnavailable, Started, TimerFired

PACE, SETTLE = "pace", "settle"


class Replay:
    """The machine `replay:<source>`. A slice's sequence is its row in the table, counted from 1.

    Parameters
    ----------
    first, last : int
        Sequences of the first and the last slice that are traded; what is before is history.
    pace_ns : int
        Least time between two slices (ns of host time); 0 is no pause.
    settle_timeout_ns : int
        Longest wait for a watermark (ns of host time).
    """

    def __init__(
        self,
        name: MachineName,
        table: PriceTable,
        *,
        first: int,
        last: int,
        pace_ns: int,
        settle_timeout_ns: int,
        exchange: MachineName,
    ) -> None:
        if not 1 <= first <= last <= len(table):
            raise ValueError(f"slices {first} to {last} are not within 1 to {len(table)}")
        self.name = name
        self.stream: StreamName | None = StreamName(name)
        self.follows: tuple[StreamName, ...] = ()
        self.subscribes: tuple[str, ...] = ()
        self._table = table
        self._first, self._last = first, last
        self._pace_ns = pace_ns
        self._settle_timeout_ns = settle_timeout_ns
        self._exchange = exchange
        self._sequence = first - 1
        self._settled = first - 1
        self._is_paced = True
        self._waited = 0

    def handle(self, message: Message, now: int) -> list[Effect]:
        match message:
            case Started():
                return self._resume(now)
            case Watermark():
                self._settled = max(self._settled, message.sequence)
                return self._go_on(now)
            case TimerFired(key=key) if key == PACE:
                self._is_paced = True
                return self._go_on(now)
            case TimerFired(key=key) if key == SETTLE:
                self._waited += self._settled < self._sequence
                self._settled = self._sequence
                return self._go_on(now)
            case RequestBars():
                return [Send(message.reply_to, self._history(message.count, now))]
            case JournalUnavailable():
                return []  # `Started` follows when the journal is back
            case _:
                return []

    def apply(self, event: Event) -> None:
        if isinstance(event, ReplayAdvanced):
            self._sequence = event.sequence

    def view(self) -> Mapping[str, Any]:
        return {
            "clock": int(self._table.ts[self._sequence - 1]) if self._sequence else 0,
            "sequence": self._sequence,
            "first": self._first,
            "last": self._last,
            "finished": self._is_finished,
            "waited": self._waited,
        }

    def state_hash(self) -> str:
        return digest_of(self._sequence)

    def validate(self) -> None:
        assert self._first - 1 <= self._sequence <= self._last

    @property
    def _is_finished(self) -> bool:
        return self._sequence == self._last and self._settled >= self._last

    def _resume(self, now: int) -> list[Effect]:
        """Hand the current slice out again; the exchange knows what it has.

        Before the very first one everybody gets one settle time-out to connect and reconcile.
        """
        if self._sequence < self._first:
            return [SetTimer(SETTLE, now + self._settle_timeout_ns)]
        self._settled = self._sequence - 1
        return self._hand_out(now)

    def _go_on(self, now: int) -> list[Effect]:
        if self._settled < self._sequence or self._sequence == self._last:
            return [CancelTimer(SETTLE)] if self._is_finished else []
        if not self._is_paced:
            return []
        advanced = ReplayAdvanced(
            ts_event=int(self._table.ts[self._sequence]), ts_init=now, sequence=self._sequence + 1
        )
        self.apply(advanced)
        return [Append(advanced), *self._hand_out(now)]

    def _hand_out(self, now: int) -> list[Effect]:
        index = self._sequence - 1
        slice_ = MarketSlice(
            ts_event=int(self._table.ts[index]),
            ts_init=now,
            correlation_id=f"{self.name}/{self._sequence}",
            sequence=self._sequence,
            bars=self._table.bars_at(index),
        )
        effects: list[Effect] = [
            Send(self._exchange, slice_),
            SetTimer(SETTLE, now + self._settle_timeout_ns),
        ]
        self._is_paced = self._pace_ns == 0
        if not self._is_paced:
            effects.append(SetTimer(PACE, now + self._pace_ns))
        return effects

    def _history(self, count: int, now: int) -> BarsHistory:
        """Return up to `count` slices that end with the current one."""
        start = max(0, self._sequence - count)
        slices = tuple(
            BarSlice(
                ts_event=int(self._table.ts[index]),
                ts_init=now,
                sequence=index + 1,
                bars=self._table.bars_at(index),
            )
            for index in range(start, self._sequence)
        )
        ts = slices[-1].ts_event if slices else 0
        return BarsHistory(ts_event=ts, ts_init=now, sequence=self._sequence, slices=slices)
