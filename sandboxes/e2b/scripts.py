"""Modules of ours that run in the virtual machine."""

from pathlib import Path
from types import ModuleType


def script_of(module: ModuleType) -> bytes:
    """Return the text of a module that is a script of its own."""
    assert module.__file__ is not None
    return Path(module.__file__).read_bytes()
