"""The files of the page: our own, and plotly.js as the installed package has it."""

import gzip
from functools import cache
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import NamedTuple

TYPES = {
    "page.js": "text/javascript; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "plotly.min.js": "text/javascript; charset=utf-8",
}
"""All files there are, with their content types."""


class Asset(NamedTuple):
    """One file.

    Attributes
    ----------
    packed : bytes
        The same content as gzip.
    version : str
        Follows from the content: part of the address, so that browsers may keep the file for good.
    """

    content: bytes
    packed: bytes
    version: str


@cache
def asset(name: str) -> Asset:
    """Read a file of `TYPES`, once per process."""
    content = _place(name).read_bytes()
    return Asset(content, gzip.compress(content, 6, mtime=0), sha256(content).hexdigest()[:16])


def address(name: str) -> str:
    """Return where the page finds a file, as it is now."""
    return f"/web/{name}?v={asset(name).version}"


def _place(name: str) -> Traversable:
    if name == "plotly.min.js":
        return files("plotly") / "package_data" / name
    return files("serve.web") / "static" / name
