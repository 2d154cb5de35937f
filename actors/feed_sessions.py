"""The market data connections of one host: asyncio in a thread of its own, because venue libraries are.

The loop of the host never waits for a venue, and no venue fills its memory: what is streamed waits in a
`FeedBuffer` until the host takes it. A question leaves with `ask`; its outcome comes the same way.
"""

import logging
import sys
import time
from collections.abc import Callable, Mapping

from actors.blueprint import Blueprint
from actors.feed_buffer import FeedBuffer
from actors.feed_calls import ask_feed
from actors.loop_thread import LoopThread
from actors.runner import Command
from actors.venue_settings import open_market_data
from actors.venues.credentials import masked, without_credentials
from trading.data import MarketData
from trading.effects import AskFeed
from trading.identifiers import MachineName, machine_kind
from trading.messages import Message
from trading.outcomes import VenueDisconnected
from trading.ports import MarketDataPort

log = logging.getLogger(__name__)

CLOSE_TIMEOUT_S = 2.0
SWITCH_INTERVAL_S = 0.0005
"""How long a thread may hold the interpreter while another waits: with Python's 5 ms each tick waits for the other
thread's turn to end, and the slowest hundredth came ten times later."""


class FeedSessions:
    """One `MarketDataPort` for each market gateway in this host.

    Parameters
    ----------
    ports : mapping of machine to MarketDataPort, or None
        None opens them as the blueprint says.

    Raises
    ------
    TradingError
        If a connection cannot even be prepared: a missing library, a credential that is not set.
    """

    def __init__(
        self,
        blueprint: Blueprint,
        secret: bytes,
        machines: tuple[MachineName, ...],
        ports: Mapping[MachineName, MarketDataPort] | None = None,
    ) -> None:
        self._ports: Mapping[MachineName, MarketDataPort] = (
            {
                machine: open_market_data(blueprint.owner(machine), secret)
                for machine in machines
                if machine_kind(machine) == "market"
            }
            if ports is None
            else ports
        )
        self._buffers: dict[MachineName, FeedBuffer] = {}
        self._thread = LoopThread("feeds", CLOSE_TIMEOUT_S)
        self._switch_interval_s = 0.0

    def start(self, wake: Callable[[], None]) -> None:
        """Connect every port, if there is one here.

        Parameters
        ----------
        wake : function
            Called, from the feeds' thread, when there is something to `take`.
        """
        if not self._ports:
            return

        def wake_behind() -> None:
            """Wake the host once for all that one read of a socket brings."""
            self._thread.call_soon(wake)

        self._buffers = {machine: FeedBuffer(wake_behind, time.time_ns) for machine in self._ports}
        self._thread.start()
        self._switch_interval_s = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        for machine in self._ports:
            self._thread.spawn(self._connect(machine))

    @property
    def is_waiting(self) -> bool:
        """Whether there is something to `take`."""
        return any(buffer.is_waiting for buffer in self._buffers.values())

    def take(self) -> list[Command]:
        """Return all that arrived since the last time, each for its gateway."""
        return [
            Command(machine, message)
            for machine, buffer in self._buffers.items()
            if buffer.is_waiting
            for message in buffer.take()
        ]

    def ask(self, machine: MachineName, ask: AskFeed) -> None:
        """Perform one `AskFeed`; its outcome arrives as a message to `machine`."""
        self._thread.spawn(self._ask(machine, ask))

    def close(self) -> None:
        """Disconnect; a port that does not let go in time is left behind with the process."""
        if not self._thread.is_running:
            return
        sys.setswitchinterval(self._switch_interval_s)
        self._thread.close({machine: port.disconnect for machine, port in self._ports.items()})

    # -- in the feeds' thread

    async def _connect(self, machine: MachineName) -> None:
        put = self._buffers[machine].put

        def arrived(message: Message) -> None:
            put(message if isinstance(message, MarketData) else without_credentials(message))

        try:
            await self._ports[machine].connect(arrived)
        except Exception as error:
            # An adapter keeps trying by itself; one that raises has given up, and its gateway must know.
            reason = masked(f"the connection cannot be opened: {error}")
            log.error("%s: %s", machine, reason)
            self._tell(
                machine,
                VenueDisconnected(
                    ts_event=time.time_ns(), ts_init=time.time_ns(), reason=reason, is_final=True
                ),
            )

    async def _ask(self, machine: MachineName, ask: AskFeed) -> None:
        self._tell(machine, await ask_feed(self._ports[machine], ask, time.time_ns))

    def _tell(self, machine: MachineName, message: Message) -> None:
        self._buffers[machine].put(without_credentials(message))
