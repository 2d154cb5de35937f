"""Logging, set up once per process: JSON lines for machines, coloured key=value on a terminal.

Every record has `ts` (UTC, ns), `level` and `event` (a stable snake_case name); the other fields
are those of `FIELDS` where they apply. Records of the standard library take the same road.
Values under a key that names a secret are replaced before anything is written.
"""

import logging
import re
import sys
import time
import traceback
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, Literal

import structlog

from actors.venues.credentials import HIDDEN, masked

FIELDS = (
    "ts", "level", "event", "actor", "node_id", "correlation_id", "causation_id", "strategy_id",
    "client_order_id", "venue", "symbol", "seq", "epoch", "latency_us", "reason_code",
)  # fmt: skip
"""The field set, in the order in which records show them."""

_SECRET_KEY = re.compile(
    r"secret|token|password|passwd|credential|api_?key|(^|_)key$", re.IGNORECASE
)
_URL_PASSWORD = re.compile(r"(?P<scheme>\b[a-z][a-z0-9+.-]*://[^\s:/@]*):[^\s/@]+@", re.IGNORECASE)
_FILE_BYTES_MAX = 10_000_000
_FILE_COUNT = 5

Format = Literal["auto", "json", "console"]
EventDict = MutableMapping[str, Any]


def set_up_logs(
    level: str = "INFO",
    form: Format = "auto",
    folder: Path | None = None,
    *,
    process: str = "trader",
    quiet: bool = False,
) -> None:
    """Send all logs of this process to stderr and, when `folder` is given, to a file in it.

    Parameters
    ----------
    folder : Path or None
        Where `<process>.log` (JSON lines, rotated) is written.
    process : str
        Name of this process; each writes a file of its own.
    quiet : bool
        Write to the file alone; stderr belongs to the live screen then.

    Raises
    ------
    OSError
        If the folder or file cannot be written.
    """
    handlers: list[logging.Handler] = []
    if folder is not None:
        handlers.append(_file_handler(folder / f"{process}.log"))
    if not quiet:
        handlers.append(_stderr_handler(form))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
        old.close()
    for handler in handlers or [logging.NullHandler()]:
        root.addHandler(handler)
    root.setLevel(level)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared_processors(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def scrub(_logger: Any, _method: str, record: EventDict) -> EventDict:
    """Hide values under secret-sounding keys, at any depth, passwords inside addresses, and credentials."""
    return {key: _clean(key, value) for key, value in record.items()}


def without_password(text: str) -> str:
    """Return `text` with the password of every address in it replaced."""
    return _URL_PASSWORD.sub(rf"\g<scheme>:{HIDDEN}@", text)


def without_secrets(text: str) -> str:
    """Return `text` without passwords in addresses and without the credentials that this process knows."""
    return masked(without_password(text))


def _clean(key: str, value: Any) -> Any:
    if _SECRET_KEY.search(key):
        return HIDDEN
    if isinstance(value, Mapping):
        return {str(inner): _clean(str(inner), item) for inner, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean("", item) for item in value]
    return without_secrets(value) if isinstance(value, str) else value


def _shared_processors() -> list[Any]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        _add_timestamp,
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        scrub,
        _order,
    ]


def _add_timestamp(_logger: Any, _method: str, record: EventDict) -> EventDict:
    record["ts"] = _timestamp()
    return record


def _timestamp() -> str:
    """Return the wall clock as ISO 8601 in UTC, to the nanosecond."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{moment}.{nanoseconds:09d}Z"


def _order(_logger: Any, _method: str, record: EventDict) -> EventDict:
    known = {field: record[field] for field in FIELDS if field in record}
    return known | {key: value for key, value in record.items() if key not in known}


def _formatter(renderer: Any) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_shared_processors(),
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )


def _file_handler(path: Path) -> logging.Handler:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handler = RotatingFileHandler(
        path, maxBytes=_FILE_BYTES_MAX, backupCount=_FILE_COUNT, encoding="utf-8"
    )
    handler.setFormatter(_formatter(structlog.processors.JSONRenderer()))
    return handler


def _stderr_handler(form: Format) -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    as_text = form == "console" or (form == "auto" and sys.stderr.isatty())
    renderer = (
        structlog.dev.ConsoleRenderer(timestamp_key="ts", colors=sys.stderr.isatty())
        if as_text
        else structlog.processors.JSONRenderer()
    )
    handler.setFormatter(_formatter(renderer))
    return handler


def record_crash(error: BaseException) -> Path:
    """Append the traceback of an unexpected error to the crash log and return its path.

    Raises
    ------
    OSError
        If the log cannot be written.
    """
    path = Path.home() / ".local" / "state" / "neural-trader" / "crash.log"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    story = without_secrets("".join(traceback.format_exception(error)))
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{_timestamp()}\n{story}\n")
    return path
