"""Sandboxes that are ready before somebody asks."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from sandboxes.errors import SandboxError
from sandboxes.limits import Limits
from sandboxes.pool.settings import Warm
from sandboxes.sandbox import Sandbox, SandboxBackend

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ready:
    sandbox: Sandbox
    template: str
    limits: Limits
    made_s: float


class Shelf:
    """Never are there more sandboxes, with those that are held, than there are places.

    Parameters
    ----------
    held : function
        Returns how many places are taken.
    clock : function
        Seconds, monotonic.
    """

    def __init__(
        self,
        warm: tuple[Warm, ...],
        places: int,
        held: Callable[[], int],
        clock: Callable[[], float],
    ) -> None:
        self._warm, self._places = warm, places
        self._held, self._clock = held, clock
        self._ready: list[Ready] = []
        self._making = asyncio.Lock()

    def __len__(self) -> int:
        return len(self._ready)

    async def take(self, backend: SandboxBackend, template: str, limits: Limits) -> Sandbox:
        """Return a sandbox: a ready one, or a new one. The place for it is taken already."""
        for each in self._ready:
            if each.template == template and _same(each.limits, limits) and lives(each.sandbox):
                self._ready.remove(each)
                return each.sandbox
        async with self._making:
            while self._ready and self._held() + len(self._ready) > self._places:
                await _end(self._ready.pop(0).sandbox)
        return await backend.create(template, limits)

    async def fill(self, backend: SandboxBackend) -> None:
        """Replace what is missing or worn, where there are places.

        Raises
        ------
        SandboxError
            If one cannot be made.
        """
        await self._clear(lambda each: not lives(each.sandbox) or self._is_worn(each))
        for wanted in self._warm:
            while self._count(wanted) < wanted.count:
                async with self._making:
                    if self._held() + len(self._ready) >= self._places:
                        return
                    sandbox = await backend.create(wanted.template, wanted.limits)
                    made = Ready(sandbox, wanted.template, wanted.limits, self._clock())
                    self._ready.append(made)

    async def empty(self) -> None:
        await self._clear(lambda _: True)

    async def _clear(self, is_unwanted: Callable[[Ready], bool]) -> None:
        gone = [each for each in self._ready if is_unwanted(each)]
        self._ready = [each for each in self._ready if each not in gone]
        for each in gone:
            await _end(each.sandbox)

    def _count(self, wanted: Warm) -> int:
        return sum(
            each.template == wanted.template and each.limits == wanted.limits
            for each in self._ready
        )

    def _is_worn(self, each: Ready) -> bool:
        return self._clock() - each.made_s > each.limits.total_timeout_s / 4


def _same(one: Limits, other: Limits) -> bool:
    """Return whether a sandbox of one may serve for the other; the deadline of a call goes with the call."""
    return replace(one, call_timeout_s=0) == replace(other, call_timeout_s=0)


def lives(sandbox: Sandbox) -> bool:
    """Return whether its process is there; of a sandbox elsewhere the first call will tell."""
    pid = getattr(sandbox, "pid", None)
    return pid is None or Path(f"/proc/{pid}").exists()


async def _end(sandbox: Sandbox) -> None:
    try:
        await sandbox.kill()
    except SandboxError as error:
        log.warning("sandbox %s could not be ended: %s", sandbox.id, error)
