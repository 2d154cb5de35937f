"""The models that the forecast sources of one host ask: asyncio in a thread of its own.

The loop of the host never waits for a model. A question leaves with `ask`; its outcome comes back through
`on_command`.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

from actors.blueprint import Blueprint, ForecastPlan
from actors.forecast_calls import ForecastPort, ForecastService, LocalModel, ask_model
from actors.models.forecaster import ModelAccess
from actors.runner import Command
from trading.effects import AskModel
from trading.identifiers import MachineName, machine_name

log = logging.getLogger(__name__)

CLOSE_TIMEOUT_S = 2.0


class ForecastSessions:
    """One port for each forecast source in this host.

    Parameters
    ----------
    ports : mapping of machine to ForecastPort, or None
        None makes them as the blueprint says.
    """

    def __init__(
        self,
        blueprint: Blueprint,
        machines: tuple[MachineName, ...],
        ports: dict[MachineName, ForecastPort] | None = None,
    ) -> None:
        plans = {machine_name("forecast", plan.name): plan for plan in blueprint.forecasts}
        self._ports = ports or {
            machine: port_of(plans[machine], blueprint.models)
            for machine in machines
            if machine in plans
        }
        self._on_command: Callable[[Command], None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._running: set[asyncio.Task[None]] = set()

    def start(self, on_command: Callable[[Command], None]) -> None:
        """Open every port, if there is one here; models load in the background.

        Parameters
        ----------
        on_command : function
            Called from the models' thread with each outcome.
        """
        self._on_command = on_command
        if not self._ports:
            return
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="models", daemon=True)
        self._thread.start()
        for port in self._ports.values():
            self._spawn(_open(port))

    def ask(self, machine: MachineName, ask: AskModel) -> None:
        """Perform one `AskModel`; its outcome arrives as a message to `machine`."""
        self._spawn(self._ask(machine, ask))

    def close(self) -> None:
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._close_all(), loop).result(CLOSE_TIMEOUT_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(CLOSE_TIMEOUT_S)
        loop.close()

    # -- in the models' thread

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        assert self._loop is not None, "models are asked after start"
        self._loop.call_soon_threadsafe(self._begin, work)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _ask(self, machine: MachineName, ask: AskModel) -> None:
        outcome = await ask_model(self._ports[machine], ask, time.time_ns)
        assert self._on_command is not None
        self._on_command(Command(machine, outcome))

    async def _close_all(self) -> None:
        for task in self._running - {asyncio.current_task()}:
            task.cancel()
        for port in self._ports.values():
            await port.close()


async def _open(port: ForecastPort) -> None:
    try:
        await port.open()
    except Exception as error:  # not the end: every question tries again, and its outcome says why
        log.error("a model cannot be asked yet: %s", error)


def port_of(plan: ForecastPlan, models: ModelAccess) -> ForecastPort:
    """Return who answers the questions of a source."""
    if plan.url:
        return ForecastService(plan.url, plan.model)
    return LocalModel(lambda: models.session(plan.model))
