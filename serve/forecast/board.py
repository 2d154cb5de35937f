"""Where replicas say how they are, so that any of them can say how the service is."""

import asyncio
import time
from typing import Any

import ray
from ray import serve as ray_serve
from ray.exceptions import RayError
from ray.serve.exceptions import RayServeException

from serve.forecast.status import ReplicaStatus, ServiceStatus, summed

NAME = "board"
HEARD_WITHIN_S = 5.0
"""A replica that was not heard for longer is gone."""
_AWAY = (RayError, RayServeException, ValueError)
"""What Ray raises when an actor died, is not there yet, or has no name any more."""


class Board:
    """An actor that Serve keeps beside the replicas; it holds nothing that cannot be lost."""

    def __init__(self) -> None:
        self._heard: dict[str, tuple[float, ReplicaStatus]] = {}

    def post(self, status: ReplicaStatus) -> None:
        now = time.monotonic()
        self._heard[status.replica] = (now, status)
        gone = [name for name, (at, _) in self._heard.items() if now - at > HEARD_WITHIN_S]
        for name in gone:
            del self._heard[name]

    def read(self) -> tuple[ReplicaStatus, ...]:
        """Return the newest word of each replica that was heard lately."""
        now = time.monotonic()
        return tuple(status for at, status in self._heard.values() if now - at <= HEARD_WITHIN_S)


class BoardClient:
    """A replica's way to the board. When Serve replaces the board, the call after the failed one finds the new one."""

    def __init__(self) -> None:
        self._actor: Any = None

    async def post(self, status: ReplicaStatus) -> None:
        """Say how this replica is; a board that is away hears it the next time."""
        try:
            await (await self._board()).post.remote(status)
        except _AWAY:
            self._actor = None

    async def overview(self, own: ReplicaStatus) -> ServiceStatus:
        """Return the whole service: this replica as it is now, the others as they were heard."""
        try:
            heard: tuple[ReplicaStatus, ...] = await (await self._board()).read.remote()
        except _AWAY:
            self._actor, heard = None, ()
        others = sorted(
            (each for each in heard if each.replica != own.replica), key=lambda each: each.replica
        )
        total, free = await asyncio.to_thread(_resources)
        return summed(
            (own, *others),
            cpus=total.get("CPU", 0.0),
            gpus=total.get("GPU", 0.0),
            gpus_free=free.get("GPU", 0.0),
        )

    async def _board(self) -> Any:
        if self._actor is None:
            self._actor = await asyncio.to_thread(ray_serve.get_deployment_actor, NAME)
        return self._actor


def _resources() -> tuple[dict[str, float], dict[str, float]]:
    return ray.cluster_resources(), ray.available_resources()
