"""The runner when all machines share a process and nobody follows the run from outside."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from actors.journal.journal import Journal
from actors.runner import Inbound, Out, Outbound, Runner
from trading.data import BarSlice
from trading.effects import Effect, Publish, Send
from trading.identifiers import MachineName
from trading.machine import Machine
from trading.messages import Message

NEVER = 2**63 - 1


class FusedRunner(Runner):
    """Lets out what goes over the venue's wire, and nothing else.

    No fact can get lost on its way within one process, so the journal is not polled.

    Parameters
    ----------
    slice_topic : str
        Of the bar slices as strategies get them.
    on_slice : function
        Sees each of them.
    """

    def __init__(
        self,
        factories: Mapping[MachineName, Callable[[], Machine]],
        journal: Journal,
        slice_topic: str,
        on_slice: Callable[[BarSlice], None],
    ) -> None:
        super().__init__(factories, journal, holder="event gear")
        self._next_follow_poll = NEVER
        self._slice_topic = slice_topic
        self._on_slice = on_slice
        self._wire: list[Outbound] = []
        self._listeners: dict[str, tuple[Any, ...]] = {}
        self.emit_to(self._keep)

    def start(self, now: int) -> list[Outbound]:
        super().start(now)
        return self._drain()

    def deliver(self, inbound: Iterable[Inbound], now: int) -> list[Outbound]:
        super().deliver(inbound, now)
        return self._drain()

    def tick(self, now: int) -> list[Outbound]:
        super().tick(now)
        return self._drain()

    # -- the hot path: what `Runner` does, without asking each machine about each topic

    def _sort(self, cell: Any, effects: Sequence[Effect]) -> None:
        for effect in effects:
            kind = type(effect)
            if cell.appends or (kind is not Send and kind is not Publish):
                super()._sort(cell, (effect,))
            elif isinstance(effect, Send):
                local = self._cells.get(effect.to)
                if local is None:
                    self._release(cell, effect)
                else:
                    self._queue.append((local, effect.message))
            else:
                assert isinstance(effect, Publish)
                self._fan_out(effect.topic, effect.message)
                self._tell(cell.name, effect)

    def _fan_out(self, topic: str, message: Message) -> None:
        listeners = self._listeners.get(topic)
        if listeners is None:
            cells = self._cells.values()
            listeners = tuple(each for each in cells if topic.startswith(each.subscribes))
            self._listeners[topic] = listeners
        for each in listeners:
            self._queue.append((each, message))

    # -- what leaves

    def _keep(self, item: Outbound) -> None:
        if not isinstance(item, Out):
            return
        if isinstance(item.effect, Publish):
            self._tell(item.machine, item.effect)
        else:
            self._wire.append(item)

    def _tell(self, machine: MachineName, effect: Publish) -> None:
        topic = effect.topic
        if topic == self._slice_topic:
            assert isinstance(effect.message, BarSlice)
            self._on_slice(effect.message)
        elif topic.startswith("exec."):
            self._wire.append(Out(machine, effect))

    def _drain(self) -> list[Outbound]:
        wire, self._wire = self._wire, []
        return wire
