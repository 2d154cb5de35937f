"""The models that the forecast sources of one host ask: asyncio in a thread of its own.

The loop of the host never waits for a model, nor for the registry. A question leaves with `ask`; its outcome comes
back through `on_command`, and so does the failure of a `report`.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from actors.blueprint import Blueprint, ForecastPlan
from actors.forecast_calls import ForecastPort, ForecastService, LocalModel, ask_model
from actors.loop_thread import LoopThread
from actors.models.forecaster import ModelAccess
from actors.models.in_service import put_down
from actors.models.opening import open_registry
from actors.runner import Command
from trading.effects import AskModel, ReportModel
from trading.errors import ModelUnknown
from trading.identifiers import MachineName, machine_name
from trading.outcomes import ModelReportFailed

log = logging.getLogger(__name__)

CLOSE_TIMEOUT_S = 1.0


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
        self._models = blueprint.models
        self._ports = ports or {
            machine: port_of(plans[machine], blueprint.models)
            for machine in machines
            if machine in plans
        }
        self._on_command: Callable[[Command], None] | None = None
        self._thread = LoopThread("models", CLOSE_TIMEOUT_S)
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reports")
        """One thread: a report never overtakes another."""

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
        self._thread.start()
        for port in self._ports.values():
            self._thread.spawn(_open(port))

    def ask(self, machine: MachineName, ask: AskModel) -> None:
        """Perform one `AskModel`; its outcome arrives as a message to `machine`."""
        self._thread.spawn(self._ask(machine, ask))

    def report(self, machine: MachineName, report: ReportModel) -> None:
        """Perform one `ReportModel`; only its failure arrives as a message to `machine`."""
        self._thread.spawn(self._report(machine, report), must_finish=True)

    def close(self) -> None:
        """Put down the reports that came, and let the models go."""
        self._thread.close({machine: port.close for machine, port in self._ports.items()})
        self._writer.shutdown(wait=False, cancel_futures=True)

    # -- in the models' thread

    async def _ask(self, machine: MachineName, ask: AskModel) -> None:
        outcome = await ask_model(self._ports[machine], ask, time.time_ns)
        assert self._on_command is not None
        self._on_command(Command(machine, outcome))

    async def _report(self, machine: MachineName, report: ReportModel) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._writer, _put_down, self._models, report)
        except Exception as error:  # a registry may be any store; trading does not depend on it
            log.warning("the report on %s was not put down: %s", report.reference, error)
            failure = ModelReportFailed(
                ts_init=time.time_ns(), reference=report.reference, reason=str(error)
            )
            assert self._on_command is not None
            self._on_command(Command(machine, failure))


async def _open(port: ForecastPort) -> None:
    try:
        await port.open()
    except Exception as error:  # not the end: every question tries again, and its outcome says why
        log.error("a model cannot be asked yet: %s", error)


def _put_down(models: ModelAccess, report: ReportModel) -> None:
    if not models.url:
        raise ModelUnknown("No registry was named, so nobody keeps the report.")
    put_down(open_registry(models.url), report.reference, report.report)


def port_of(plan: ForecastPlan, models: ModelAccess) -> ForecastPort:
    """Return who answers the questions of a source."""
    if plan.url:
        return ForecastService(plan.url, plan.model)
    return LocalModel(lambda: models.session(plan.model))
