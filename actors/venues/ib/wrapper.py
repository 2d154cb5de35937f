"""What the library calls with each message of TWS: functions by the names that it uses."""

from collections.abc import Callable, Mapping
from datetime import UTC
from typing import Any

ROWS = (
    "contractDetails",
    "historicalData",
    "securityDefinitionOptionParameter",
    "accountUpdateMulti",
    "positionMulti",
    "scannerData",
    "historicalNews",
)
ENDS = (
    "contractDetailsEnd",
    "historicalDataEnd",
    "securityDefinitionOptionParameterEnd",
    "accountUpdateMultiEnd",
    "positionMultiEnd",
    "execDetailsEnd",
    "scannerDataEnd",
    "historicalNewsEnd",
)
STREAMED = (
    "priceSizeTick",
    "tickSize",
    "tickByTickAllLast",
    "updateMktDepth",
    "updateMktDepthL2",
    "realtimeBar",
    "tickOptionComputation",
    "tickNews",
)


class Wrapper:
    """The library's other end: a name without a function is a message that nobody asked for."""

    defaultTimezone = UTC  # noqa: N815  # the library's name

    def __init__(self, handlers: Mapping[str, Callable[..., None]]) -> None:
        self._handlers = handlers

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name.startswith(("_", "tcpData")):
            raise AttributeError(name)
        return self._handlers.get(name, _ignore)


def named(name: str, handler: Callable[..., None]) -> Callable[..., None]:
    """Return a function that hands its name to `handler` first."""

    def told(*args: Any) -> None:
        handler(name, *args)

    return told


def _ignore(*_: Any) -> None:
    """Drop a message that nobody asked for."""
