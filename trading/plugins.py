"""What installed packages announce: entry points, read once in the life of a process."""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType


@cache  # looking through all packages takes 5 to 10 ms, as long as ten backtests
def plugins(group: str) -> Mapping[str, EntryPoint]:
    """Return the entry points of a group by name; of two with one name, that of the package that is found first."""
    found = tuple(entry_points(group=group))
    return MappingProxyType({each.name: each for each in reversed(found)})
