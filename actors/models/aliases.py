"""Which version of a model plays which part: an append-only history of decisions."""

import msgspec


class Aliases(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of the versions of one model, and who gave them.

    Attributes
    ----------
    sequence : int
        1 for the first decision on this model.
    champion, challenger : int or None
        The version that answers, and the one that is tried beside it.
    archived : tuple of int
        Versions that shall not be used any more.
    weights : dict of version to share
        How the traffic is split; empty gives all of it to the champion.
    by, why : str
        Who decided, and the reason.
    at : int
        ns UTC.
    """

    sequence: int = 0
    champion: int | None = None
    challenger: int | None = None
    archived: tuple[int, ...] = ()
    weights: dict[int, float] = {}
    by: str = ""
    why: str = ""
    at: int = 0

    def part_of(self, version: int) -> str:
        """Return "champion", "challenger", "archived" or ""."""
        if version == self.champion:
            return "champion"
        if version == self.challenger:
            return "challenger"
        return "archived" if version in self.archived else ""
