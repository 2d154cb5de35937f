"""The newest log lines of all processes of this machine."""

import json
from collections.abc import Iterator
from pathlib import Path

from cluster.logs import scrub
from serve.desk.answers import LogLine

TAIL_BYTES = 256 * 1024
"""Read from the end of each file."""
_OWN = ("ts", "level", "event")


def log_tail(folder: Path, lines: int) -> list[LogLine]:
    """Return the newest lines, oldest first; lines that are no record of ours are left out.

    Secrets are masked once more: what was written was masked by the process that wrote it.
    """
    found = [line for path in folder.glob("*.log") for line in _lines(path)]
    return sorted(found, key=lambda line: line.at)[-lines:] if lines > 0 else []


def _lines(path: Path) -> Iterator[LogLine]:
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL_BYTES))
            content = file.read()
    except FileNotFoundError:  # rotated away meanwhile
        return
    for raw in content.splitlines():
        line = _line(path.stem, raw)
        if line is not None:
            yield line


def _line(process: str, raw: bytes) -> LogLine | None:
    try:
        record = json.loads(raw)
    except ValueError:  # the first line is cut, the last may be half written
        return None
    if not isinstance(record, dict) or "ts" not in record:
        return None
    record = dict(scrub(None, "", record))
    rest = {key: value for key, value in record.items() if key not in _OWN}
    return LogLine(
        at=str(record["ts"]),
        process=process,
        level=str(record.get("level", "")),
        event=str(record.get("event", "")),
        text=" ".join(f"{key}={value}" for key, value in rest.items()),
    )
