"""The runner when all machines share a process and nobody follows the run from outside."""

from collections.abc import Callable, Mapping

from actors.journal.journal import Journal
from actors.runner import Out, Outbound, Runner
from trading.data import BarSlice
from trading.effects import Publish
from trading.identifiers import MachineName
from trading.machine import Machine

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
        self.emit_to(self._keep)

    def _keep(self, item: Outbound) -> None:
        if not isinstance(item, Out):
            return
        effect = item.effect
        if not isinstance(effect, Publish) or effect.topic.startswith("exec."):
            self._collect(item)
        elif effect.topic == self._slice_topic:
            assert isinstance(effect.message, BarSlice)
            self._on_slice(effect.message)
