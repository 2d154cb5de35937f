"""Machine code for loops over time: numba's `njit`, with its types kept and its results cached on disk.

Numba's own cache knows only the file of a function. A function of another file that was compiled into it
could change without being noticed; here machine code is as old as all the sources that it may hold.
"""

from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba import config
from numba.core.caching import (
    InTreeCacheLocator,
    UserProvidedCacheLocator,
    UserWideCacheLocator,
)

Function = TypeVar("Function", bound=Callable[..., Any])
ROOM = Path(__file__).parent
FOLDERS = ("backtest", "indicators", "validation")
"""Where compiled functions are."""


@lru_cache(maxsize=1)
def source_stamp() -> str:
    """Return a digest of all sources that may be compiled into one another, and of how they are compiled."""
    digest = blake2b(digest_size=16)
    folders = (ROOM / folder for folder in FOLDERS)
    for path in (Path(__file__), *sorted(path for each in folders for path in each.glob("*.py"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()


class _OfThisRoom:
    """Serves the functions of this package alone, under `source_stamp`."""

    def get_source_stamp(self) -> str:
        return source_stamp()

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> Any:
        is_ours = Path(py_file).is_relative_to(ROOM)
        return super().from_function(py_func, py_file) if is_ours else None  # type: ignore[misc]


class WhereTold(_OfThisRoom, UserProvidedCacheLocator):  # type: ignore[misc]
    """In `NUMBA_CACHE_DIR`, if that is set."""


class BesideTheSource(_OfThisRoom, InTreeCacheLocator):  # type: ignore[misc]
    """In `__pycache__`, where that can be written."""


class InTheHome(_OfThisRoom, UserWideCacheLocator):  # type: ignore[misc]
    """In the user's cache folder otherwise."""


LOCATORS = (WhereTold, BesideTheSource, InTheHome)


def compiled(function: Function) -> Function:
    """Compile `function` at its first call; it holds no lock of the interpreter while it runs."""
    others = config.CACHE_LOCATOR_CLASSES
    config.CACHE_LOCATOR_CLASSES = ",".join(f"{__name__}.{each.__name__}" for each in LOCATORS)
    try:
        machine_code: Function = numba.njit(cache=True, nogil=True)(function)
    finally:
        config.CACHE_LOCATOR_CLASSES = others
    return machine_code
