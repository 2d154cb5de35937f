"""Named sets of models that answer together: what the tools call a neural cluster.

    <registry>/committees/<name>.json

They lie in the registry's folder, so that every replica knows them. There is nothing else to a cluster here: the models
are in the replicas of the forecasting service already, and one caller asks all members (a star).
"""

import re
import time
from typing import TYPE_CHECKING

import msgspec

from actors.storage.files import Folder
from serve.mcp.refusal import nearest
from trading.errors import Conflict, NotFound, UsageError

if TYPE_CHECKING:  # it brings numpy with it, which listing the tools needs not
    from actors.models.registry import ModelRegistry

MEMBERS_MAX = 16
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


class Committee(msgspec.Struct, frozen=True, kw_only=True):
    """One set.

    Attributes
    ----------
    members : tuple of str
        `nhits@3`, `nhits@champion`: who plays a part is looked up with each question.
    created_at : int
        ns UTC.
    """

    name: str
    members: tuple[str, ...]
    created_by: str
    created_at: int


class Committees:
    """All sets beside one registry."""

    def __init__(self, registry: "ModelRegistry") -> None:
        self._registry = registry
        self._folder = Folder(registry.url)

    def names(self) -> list[str]:
        """Return the names of all sets, sorted."""
        return [name.removesuffix(".json") for name in self._folder.files("committees")]

    def get(self, name: str) -> Committee:
        """Return one set. Raises `NotFound` naming the nearest."""
        try:
            return msgspec.json.decode(self._folder.read(self._path(name)), type=Committee)
        except FileNotFoundError:
            known = self.names()
            raise NotFound(f"There is no cluster {name!r}; {nearest(name, known)}") from None

    def create(self, name: str, members: list[str], by: str) -> Committee:
        """Store a new set.

        Raises
        ------
        UsageError
            If the name is none, or members are missing, too many or repeated.
        ModelUnknown
            If a member is not registered.
        Conflict
            If there is one of that name.
        """
        path = self._path(name)
        if not 1 <= len(members) <= MEMBERS_MAX or len(set(members)) < len(members):
            raise UsageError(f"Give 1 to {MEMBERS_MAX} different models, not {len(members)}.")
        for member in members:
            self._registry.resolve(member)
        made = Committee(
            name=name, members=tuple(members), created_by=by, created_at=time.time_ns()
        )
        if not self._folder.create(path, msgspec.json.encode(made)):
            raise Conflict(
                f"There is a cluster {name!r} already; neural_cluster_terminate ends it."
            )
        return made

    def remove(self, name: str) -> Committee:
        """Forget a set; its models stay. Raises `NotFound`."""
        gone = self.get(name)
        self._folder.remove(self._path(name))
        return gone

    def champions(self, kind: str = "") -> list[str]:
        """Return the models that have a champion, of one architecture or of all."""
        found = []
        for name in self._registry.names():
            if self._registry.aliases(name).champion is None:
                continue
            if not kind or self._registry.manifest(f"{name}@champion").kind == kind:
                found.append(f"{name}@champion")
        return found

    @staticmethod
    def _path(name: str) -> str:
        if not _NAME.fullmatch(name):
            raise UsageError(f"{name!r} is no name: small letters, digits, - and _, up to 63.")
        return f"committees/{name}.json"
