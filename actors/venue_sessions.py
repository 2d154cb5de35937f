"""The venue connections of one host: asyncio in a thread of its own, because venue libraries are.

The loop of the host never waits for a venue. A call leaves with `call`; its outcome, and whatever the
venue says of its own accord, comes back through `on_command`.
"""

import logging
import time
from collections.abc import Callable, Mapping

from actors.blueprint import Blueprint
from actors.bus.wire import HostAddress
from actors.loop_thread import LoopThread
from actors.runner import Command
from actors.venue_calls import call_venue
from actors.venue_settings import open_execution
from actors.venues.credentials import without_credentials
from trading.commands import VenueCall
from trading.identifiers import MachineName, machine_kind
from trading.messages import Message
from trading.outcomes import VenueDisconnected
from trading.ports import VenuePort

log = logging.getLogger(__name__)

CLOSE_TIMEOUT_S = 5.0


class VenueSessions:
    """One `VenuePort` per broker in this host."""

    def __init__(
        self, blueprint: Blueprint, secret: bytes, machines: tuple[MachineName, ...]
    ) -> None:
        self._on_command: Callable[[Command], None] | None = None
        self._ports: dict[MachineName, VenuePort] = {
            machine: open_execution(blueprint.owner(machine), secret)
            for machine in machines
            if machine_kind(machine) == "broker"
        }
        self._thread = LoopThread("venues", CLOSE_TIMEOUT_S)
        self._routes: Mapping[MachineName, HostAddress] = {}

    def set_routes(self, routes: Mapping[MachineName, HostAddress]) -> None:
        """Tell venues that live inside the cluster (the paper venue) where they are now."""
        self._routes = routes
        if self._thread.is_running:
            self._thread.call_soon(self._apply_routes)

    def start(self, on_command: Callable[[Command], None]) -> None:
        """Connect every venue, if there is one here.

        Parameters
        ----------
        on_command : function
            Called from the venues' thread with each message for a broker.
        """
        self._on_command = on_command
        if not self._ports:
            return
        self._thread.start()
        self._thread.call_soon(self._apply_routes)
        for machine in self._ports:
            self._thread.spawn(self._connect(machine))

    def call(self, machine: MachineName, body: VenueCall, timeout_ns: int) -> None:
        """Perform one `CallVenue`; its outcome arrives as a message to `machine`."""
        self._thread.spawn(self._call(machine, body, timeout_ns / 1e9))

    def close(self) -> None:
        """Disconnect; a venue that does not let go in time is left behind with the process."""
        self._thread.close({machine: port.disconnect for machine, port in self._ports.items()})

    # -- in the venues' thread

    def _apply_routes(self) -> None:
        for port in self._ports.values():
            follow = getattr(port, "set_routes", None)
            if follow is not None:
                follow(self._routes)

    async def _connect(self, machine: MachineName) -> None:
        def arrived(message: Message) -> None:
            self._tell(machine, message)

        try:
            await self._ports[machine].connect(arrived)
        except Exception as error:
            # An adapter keeps trying by itself; one that raises has given up, and its broker must know.
            log.exception("%s: the connection to the venue cannot be opened", machine)
            now = time.time_ns()
            reason = f"the connection cannot be opened: {error}"
            arrived(VenueDisconnected(ts_event=now, ts_init=now, reason=reason, is_final=True))

    async def _call(self, machine: MachineName, body: VenueCall, timeout_s: float) -> None:
        outcome = await call_venue(self._ports[machine], body, timeout_s, time.time_ns)
        self._tell(machine, outcome)

    def _tell(self, machine: MachineName, message: Message) -> None:
        assert self._on_command is not None
        self._on_command(Command(machine, without_credentials(message)))
