"""The configured source of prices as a job may name it."""

import re
from typing import TYPE_CHECKING

from trading.errors import UsageError

if TYPE_CHECKING:
    from serve.desk.front_desk import FrontDesk

_NAMED = re.compile(r"sp500|catalogue:[A-Za-z0-9][A-Za-z0-9_.-]{0,63}(@[0-9]{1,4}[A-Za-z]{1,3})?")


def source_for_jobs(desk: "FrontDesk", given: str = "") -> str:
    """Return the data that a job shall use: what was given, or the desk's own source.

    Raises
    ------
    UsageError
        If it is no name: a job never takes a path from a caller.
    """
    found = given or desk.source
    if not _NAMED.fullmatch(found):
        raise UsageError(
            f"{found!r} is no name of data. Jobs use sp500 or catalogue:NAME; a file is imported first: "
            "trader data import FILE --name NAME."
        )
    return found
