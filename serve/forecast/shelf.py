"""The loaded versions of a replica: those in service, and the last used of the others."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator

from serve.forecast.loaded_model import LoadedModel

Load = Callable[[str], LoadedModel]
"""From `name@3` to the loaded version; blocks."""


class Shelf:
    """Loads each version once, however many ask for it, and forgets those that nobody asked for lately.

    Parameters
    ----------
    capacity : int
        Versions that are kept beside those held.
    """

    def __init__(self, load: Load, capacity: int) -> None:
        self._load = load
        self._capacity = capacity
        self._models: OrderedDict[str, LoadedModel] = OrderedDict()
        self._loading: dict[str, asyncio.Task[LoadedModel]] = {}
        self._held: dict[str, frozenset[str]] = {}

    def __iter__(self) -> Iterator[LoadedModel]:
        return iter(self._models.values())

    def peek(self, reference: str) -> LoadedModel | None:
        """Return a version that is loaded, without counting as its use."""
        return self._models.get(reference)

    def hold(self, name: str, references: Iterable[str]) -> None:
        """Keep these versions of a model, and let go of those held before."""
        self._held[name] = frozenset(references)
        self._forget()

    async def get(self, reference: str) -> LoadedModel:
        """Return a version, loaded and warm.

        Raises
        ------
        ModelUnknown, ModelCorrupt, ForecastInvalid
            As `load_model`.
        """
        found = self._models.get(reference)
        if found is not None:
            self._models.move_to_end(reference)
            return found
        loading = self._loading.get(reference)
        if loading is None:
            loading = asyncio.get_running_loop().create_task(self._fetch(reference))
            self._loading[reference] = loading
        return await asyncio.shield(
            loading
        )  # who asks may give up; who asked first must not stop it

    async def _fetch(self, reference: str) -> LoadedModel:
        try:
            model = await asyncio.to_thread(self._load, reference)
            self._models[reference] = model
            self._forget()
            return model
        finally:
            del self._loading[reference]

    def _forget(self) -> None:
        held = frozenset().union(*self._held.values())
        free = [reference for reference in self._models if reference not in held]
        for reference in free[: max(0, len(free) - self._capacity)]:
            del self._models[reference]
