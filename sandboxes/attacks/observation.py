"""What was seen of an attack: by its payload inside, and by the host outside."""

import signal
from collections.abc import Mapping

import msgspec

from sandboxes.sandbox import RunResult

RESULT = "RESULT "


class Report(msgspec.Struct, frozen=True):
    """A payload's own word.

    Attributes
    ----------
    through : tuple of str
        The attempts that the system did not refuse.
    seen : mapping of answer to (count, name, name, ...)
        How it answered the others, with the first few of them.
    """

    through: tuple[str, ...]
    seen: Mapping[str, tuple[int | str, ...]] = {}

    def __str__(self) -> str:
        return "; ".join(_told(how, *found) for how, found in self.seen.items()) or "nothing found"


def reports_in(result: RunResult) -> list[Report]:
    """Return the reports of the payloads in one script, in order."""
    lines = [line for line in result.stdout.splitlines() if line.startswith(RESULT)]
    return [msgspec.json.decode(line.removeprefix(RESULT), type=Report) for line in lines]


def how_it_ended(result: RunResult) -> str:
    """Return what stopped an attack, as it was observed."""
    if result.error:
        return f"killed from outside after {result.seconds:.2f} s: {result.error}"
    if reports := reports_in(result):
        return "; ".join(map(str, reports))
    code = result.exit_code
    if code is not None and code < 0:
        return f"ended by {signal.Signals(-code).name}"
    return f"ended by itself with status {code}"


def _told(how: str, count: int | str, *names: int | str) -> str:
    rest = ", ..." if isinstance(count, int) and count > len(names) else ""
    return f"{count} x {how}: {', '.join(map(str, names))}{rest}"
