"""The challenger beside the champion: asked after the answer was given, compared, and never heard by anybody."""

import asyncio
from collections import deque

import msgspec

from serve.forecast.loaded_model import LoadedModel
from trading.errors import ForecastError
from trading.forecasting.forecast import Forecast
from trading.forecasting.history import History

QUEUE_MAX = 256
"""Answers that wait for the challenger; what comes on top is not compared."""


class ShadowReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a replica has seen of a challenger.

    Attributes
    ----------
    compared, failed, dropped : int
        Answers beside which the challenger answered, failed, or was not asked because it could not keep up.
    mean_difference, mean_absolute_difference : float
        Of the expected return, challenger minus champion (fractions); 0 before the first comparison.
    """

    compared: int = 0
    failed: int = 0
    dropped: int = 0
    mean_difference: float = 0.0
    mean_absolute_difference: float = 0.0


class Shadow:
    """Compares one by one, in a thread, so that no answer waits for it."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[LoadedModel, History, Forecast]] = deque()
        self._work: asyncio.Task[None] | None = None
        self.reports: dict[str, ShadowReport] = {}

    def compare(self, challenger: LoadedModel, history: History, answer: Forecast) -> None:
        """Ask the challenger the same, some time."""
        if len(self._waiting) >= QUEUE_MAX:
            self._count(challenger, dropped=1)
            return
        self._waiting.append((challenger, history, answer))
        if self._work is None or self._work.done():
            self._work = asyncio.get_running_loop().create_task(self._run())

    async def settle(self) -> None:
        """Wait until nothing is left to compare."""
        if self._work is not None:
            await self._work

    async def _run(self) -> None:
        while self._waiting:
            challenger, history, answer = self._waiting.popleft()
            try:
                (other,) = await asyncio.to_thread(
                    challenger.predict, [history], (answer.horizon, ())
                )
            except ForecastError:
                self._count(challenger, failed=1)
            else:
                self._compared(challenger, other.expected_return - answer.expected_return)

    def _count(self, challenger: LoadedModel, *, failed: int = 0, dropped: int = 0) -> None:
        old = self.reports.get(challenger.reference, ShadowReport())
        self.reports[challenger.reference] = msgspec.structs.replace(
            old, failed=old.failed + failed, dropped=old.dropped + dropped
        )

    def _compared(self, challenger: LoadedModel, difference: float) -> None:
        old = self.reports.get(challenger.reference, ShadowReport())
        count = old.compared + 1
        mean, absolute = old.mean_difference, old.mean_absolute_difference
        self.reports[challenger.reference] = msgspec.structs.replace(
            old,
            compared=count,
            mean_difference=mean + (difference - mean) / count,
            mean_absolute_difference=absolute + (abs(difference) - absolute) / count,
        )
