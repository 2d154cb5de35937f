"""Names of agents' strategies, as the file has them and as the ladder has them."""

import re

from trading.errors import UsageError

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")


def ladder_name(name: str) -> str:
    """Return the name on the ladder: `my_strategy.py` is called `my-strategy` there.

    Raises
    ------
    UsageError
        If it is no name.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name[:60]!r} is no name: small letters, digits, _ and -, a letter first."
        )
    return name.replace("_", "-")


def file_name(name: str) -> str:
    """Return the name of its file, without the ending."""
    return ladder_name(name).replace("-", "_")
