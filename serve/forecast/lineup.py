"""Who plays which part in a replica: follows the decisions of the registry, never into a model that does not work."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import msgspec

from actors.models.aliases import Aliases
from actors.models.registry import ModelRegistry
from serve.forecast.shelf import Shelf
from trading.errors import ForecastInvalid, ModelCorrupt, ModelError

log = logging.getLogger("ray.serve")

RETRY_S = 30.0
"""A refused version is tried again after that time: its file may have been restored."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """The last decision that was looked at."""

    sequence: int
    at_s: float
    is_complete: bool


class Lineup:
    """The parts in force, by model: those of the newest decision whose versions are all loaded and warm.

    Parameters
    ----------
    shadow : bool
        Load challengers too.

    Attributes
    ----------
    in_force : dict of name to Aliases
        Of the models that somebody has asked for. A challenger that cannot be loaded is left out.
    refused : dict of reference to reason
        Versions that the registry gives a part, and that cannot play it.
    problem : str
        Why the registry could not be read at the last look; "" when it could.
    """

    def __init__(
        self,
        registry: ModelRegistry,
        shelf: Shelf,
        *,
        shadow: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._shelf = shelf
        self._shadow = shadow
        self._clock = clock
        self._seen: dict[str, _Seen] = {}
        self._lock = asyncio.Lock()
        self.in_force: dict[str, Aliases] = {}
        self.refused: dict[str, str] = {}
        self.problem = ""

    async def join(self, name: str) -> Aliases:
        """Return the parts in force, and follow that model from now on.

        Raises
        ------
        ModelUnknown
            If there is no such model, or it has no champion.
        ModelCorrupt
            If neither its champion nor any before it can be loaded.
        """
        async with self._lock:
            if name not in self.in_force:
                await self._follow(name, await asyncio.to_thread(self._decided, name))
            return self.in_force[name]

    def _decided(self, name: str) -> Aliases:
        self._registry.resolve(name)  # says what there is, when this is not
        return self._registry.aliases(name)

    async def look(self) -> None:
        """Take over the newest decision on each model that is followed, where that is possible."""
        async with self._lock:
            for name in tuple(self.in_force):
                try:
                    decided = await asyncio.to_thread(self._registry.aliases, name)
                    self.problem = ""
                except (OSError, ModelError) as error:
                    self.problem = f"The registry cannot be read: {error}"
                    continue
                if self._is_news(name, decided):
                    await self._follow(name, decided)

    def _is_news(self, name: str, decided: Aliases) -> bool:
        seen = self._seen[name]
        is_due = not seen.is_complete and self._clock() - seen.at_s > RETRY_S
        return seen.sequence != decided.sequence or is_due

    async def _follow(self, name: str, decided: Aliases) -> None:
        """Load all that a decision needs, and only then let it rule."""
        answering = {decided.champion, *decided.weights}
        challenger = decided.challenger if self._shadow else None
        failures = await self._failures(name, {*answering, challenger})
        if challenger in failures:
            challenger = None
        if not answering & failures.keys():
            self.in_force[name] = msgspec.structs.replace(decided, challenger=challenger)
        elif name not in self.in_force:
            self.in_force[name] = await self._earlier(name, decided)
        self._remember(name, decided, failures)

    async def _failures(self, name: str, versions: Iterable[int | None]) -> dict[int, str]:
        """Load versions; return the reason of each that cannot be."""
        failures: dict[int, str] = {}
        for version in sorted(each for each in versions if each is not None):
            try:
                await self._shelf.get(f"{name}@{version}")
            except (OSError, ModelError, ForecastInvalid) as error:
                failures[version] = str(error)
        return failures

    async def _earlier(self, name: str, decided: Aliases) -> Aliases:
        """Return the champion alone, or the newest before it that works: a replica that starts has nothing else."""
        history = await asyncio.to_thread(self._registry.history, name)
        for past in reversed(history):
            if past.champion is not None and not await self._failures(name, [past.champion]):
                return msgspec.structs.replace(past, challenger=None, weights={})
        raise ModelCorrupt(
            f"No champion of {name} can be loaded, not {name}@{decided.champion} and none before it; "
            "restore the registry."
        )

    def _remember(self, name: str, decided: Aliases, failures: dict[int, str]) -> None:
        self._seen[name] = _Seen(decided.sequence, self._clock(), is_complete=not failures)
        for reference in [each for each in self.refused if each.partition("@")[0] == name]:
            del self.refused[reference]
        for version, reason in failures.items():
            self.refused[f"{name}@{version}"] = reason
            log.error("%s@%d is refused: %s", name, version, reason)
        rules = self.in_force[name]
        held = {rules.champion, rules.challenger, *rules.weights} - {None}
        self._shelf.hold(name, [f"{name}@{version}" for version in held])
        log.info("%s: champion %s, challenger %s", name, rules.champion, rules.challenger)
