"""A replica of the forecasting service on Ray Serve: ingress and model in one process, so that nothing is sent on.

Of Serve's own tools two are not used. `serve.multiplexed` is for requests that carry their model in a header, which a proxy
then routes by: ours is in the body, and HAProxy does not read it; what remains of it is an LRU, and `Shelf` is one that keeps
what is in service. `serve.batch` makes a task and a future for each request and works inside a replica only; `Batcher` joins what
arrives in one turn of the event loop, and is tested without Ray.
"""

import asyncio
import time

from ray import serve as ray_serve
from starlette.types import ASGIApp

from actors.heap import freeze_heap
from actors.models.opening import open_registry
from serve.auth.opening import open_gate
from serve.forecast.board import BoardClient
from serve.forecast.front import open_front
from serve.forecast.price_histories import PriceHistories
from serve.forecast.question import Question
from serve.forecast.scaling import BUSY, BusyMeter
from serve.forecast.service import Answers, ForecastService
from serve.forecast.settings import MakeDesk, ServiceSettings
from serve.forecast.status import ServiceStatus
from serve.http.app import build_app
from trading.forecasting.forecast import Forecast

SAY_EVERY_S = 1.0


@ray_serve.ingress()
class ModelReplica:
    """Ready when the champion is loaded and warm; unhealthy when it cannot forecast."""

    async def __init__(  # type: ignore[misc]  # Serve awaits it
        self, settings: ServiceSettings, make_desk: MakeDesk | None = None
    ) -> None:
        name = ray_serve.get_replica_context().replica_id.unique_id
        registry = await asyncio.to_thread(open_registry, settings.registry)
        histories = PriceHistories(settings.source)
        self._service = ForecastService(settings, registry, histories, name)
        await asyncio.gather(asyncio.to_thread(histories.load), self._service.start())
        self._desk = None
        if make_desk is not None:
            self._desk = await asyncio.to_thread(make_desk, self._service, histories)
        self._gate = await asyncio.to_thread(open_gate, settings.access)
        self._board = BoardClient()
        self._meter = BusyMeter()
        self._speaker = asyncio.get_running_loop().create_task(self._speak())

    def __serve_build_asgi_app__(self) -> ASGIApp:  # Serve's name for it
        entrance = build_app(
            self._service, desk=self._desk, guard=self._gate, overview=self.overview
        )
        open_front(entrance.endpoint)
        freeze_heap()
        return entrance

    async def forecast(self, question: Question) -> Forecast | Answers:
        """Answer a deployment handle; the deadline counts from here. See `ForecastService.forecast`."""
        return await self._service.forecast(question, time.perf_counter())

    async def overview(self) -> ServiceStatus:
        """Answer a deployment handle: what `/v1/cluster` shows."""
        return await self._board.overview(self._service.status())

    async def check_health(self) -> None:
        """Make a tiny forecast: a replica that cannot is replaced."""
        await self._service.check()

    def record_autoscaling_stats(self) -> dict[str, float]:
        return {BUSY: self._meter.read()}

    async def _speak(self) -> None:
        while True:
            await self._board.post(self._service.status())
            await asyncio.sleep(SAY_EVERY_S)
