"""The replay of a backtest: the host's clock is the market's, so each moment is handed out at its own time.

Nobody is waited for. Under a virtual clock whatever follows from a moment without delay is over before
the next one, and what has a delay is as late as it would have been.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from trading.codec import digest_of
from trading.commands import RequestBars, Watermark
from trading.data import BarsHistory, BarSlice, MarketEvents, MarketSlice
from trading.effects import Effect, Send, SetTimer
from trading.events import Event
from trading.identifiers import MachineName, StreamName
from trading.messages import Message
from trading.outcomes import Started, TimerFired

NEXT = "next"
Moment = MarketSlice | MarketEvents


class MarketSource(Protocol):
    """Where the moments come from."""

    def moments(self) -> Iterator[Moment]:
        """Yield everything once, from the beginning, `ts_event` never falling.

        Slices are numbered from 1 without holes, and so are the moments with events.
        """


class MarketReplay:
    """The machine `replay:<source>` of a backtest. Nothing in it is durable: a backtest is run again.

    Parameters
    ----------
    history : int
        Slices kept for those who ask for bars.
    settle_ns : int
        Time after the last moment in which what is under way comes to its end (ns).
    """

    def __init__(
        self,
        name: MachineName,
        source: MarketSource,
        *,
        exchange: MachineName,
        history: int,
        settle_ns: int,
    ) -> None:
        self.name = name
        self.stream: StreamName | None = None
        self.follows: tuple[StreamName, ...] = ()
        self.subscribes: tuple[str, ...] = ()
        self._source = source
        self._exchange = exchange
        self._settle_ns = settle_ns
        self._moments: Iterator[Moment] = iter(())
        self._next: Moment | None = None
        self._recent: deque[MarketSlice] = deque(maxlen=max(1, history))
        self.clock = 0
        """Market time of the last moment (ns UTC)."""
        self.sequence = 0
        """The last slice of bars."""
        self.settled = 0
        """The last slice whose orders have all reached the exchange."""
        self.moment_count = 0
        self.is_finished = False

    def handle(self, message: Message, now: int) -> list[Effect]:
        match message:
            case TimerFired(key=key) if key == NEXT:
                return self._hand_out()
            case Watermark():
                self.settled = max(self.settled, message.sequence)
                return []
            case RequestBars():
                return [Send(message.reply_to, self._history(message.count, now))]
            case Started():
                self._moments = self._source.moments()
                return self._arm(now)
            case _:
                return []

    def apply(self, event: Event) -> None:
        """Do nothing: there is no stream to fold."""

    def view(self) -> Mapping[str, Any]:
        return {
            "clock": self.clock,
            "sequence": self.sequence,
            "settled": self.settled,
            "moments": self.moment_count,
            "finished": self.is_finished,
        }

    def state_hash(self) -> str:
        return digest_of(None)

    def validate(self) -> None:
        assert self.settled <= self.sequence

    def _hand_out(self) -> list[Effect]:
        moment = self._next
        if moment is None:
            self.is_finished = True
            return []
        self.clock = moment.ts_event
        self.moment_count += 1
        if isinstance(moment, MarketSlice):
            self.sequence = moment.sequence
            self._recent.append(moment)
        return [Send(self._exchange, moment), *self._arm(self.clock)]

    def _arm(self, now: int) -> list[Effect]:
        self._next = following = next(self._moments, None)
        at = now + self._settle_ns if following is None else following.ts_event
        return [SetTimer(NEXT, at)]

    def _history(self, count: int, now: int) -> BarsHistory:
        """Return up to `count` slices that end with the current one."""
        newest = list(self._recent)[-count:] if count > 0 else []
        slices = tuple(
            BarSlice(ts_event=each.ts_event, ts_init=now, sequence=each.sequence, bars=each.bars)
            for each in newest
        )
        ts = slices[-1].ts_event if slices else 0
        return BarsHistory(ts_event=ts, ts_init=now, sequence=self.sequence, slices=slices)
