"""Files in the folders of QuantConnect Lean: symbol, resolution and day stand in the path.

`<market>/<resolution>/<symbol>/<YYYYMMDD>_<trade|quote>.zip` for tick, second and minute,
`<market>/<resolution>/<symbol>[_<trade|quote>].zip` for hour and daily. Times are the starts of bars, in the
market's data time zone. Two-sided bars become mid prices, as in Lean itself (`QuoteBar.Open`).
"""

import re
from dataclasses import dataclass
from datetime import date
from pathlib import PurePosixPath

from actors.storage.kinds import VALUES, Kind
from actors.storage.layouts import SIDES, Layout
from trading.errors import DataError

_INTERVALS = {"second": "1s", "minute": "1m", "hour": "1h", "daily": "1d"}
_TIME_ZONES = {"fxcm": "Etc/GMT+5"}
"""Data time zones that are not UTC (market-hours-database.json of Lean)."""
_TRADE = ("time", *VALUES[Kind.BAR])
_QUOTE = ("time", *SIDES[:4], "bid_size", *SIDES[4:], "ask_size")
_TICK = ("time", "bid_px", "ask_px")


@dataclass(frozen=True, slots=True)
class LeanFile:
    """What the path of a file says.

    Attributes
    ----------
    day : date or None
        The day that times of day belong to.
    """

    layout: Layout
    symbol: str
    day: date | None


def lean_file(path: str) -> LeanFile:
    """Return how to read a file of a Lean data folder.

    Raises
    ------
    DataError
        If the path is none of a Lean folder.
    """
    parts = PurePosixPath(path)
    match = re.fullmatch(r"(?:(\d{8})|(\w+?))(?:_(trade|quote))?\.(?:zip|csv)", parts.name)
    folders = parts.parts[:-1]
    depth = 2 if match and match[1] else 1
    if match is None or len(folders) < depth + 1:
        raise _no_lean_path(path)
    resolution, market = folders[-depth], folders[-depth - 1]
    if resolution not in (*_INTERVALS, "tick"):
        raise _no_lean_path(path)
    day = date.fromisoformat(match[1]) if match[1] else None
    names = _TICK if resolution == "tick" else _TRADE if match[3] == "trade" else _QUOTE
    if resolution == "tick" and match[3] == "trade":
        raise DataError(f"{path}: trade ticks of Lean are not supported; quote ticks are.")
    symbol = (folders[-1] if day else match[2]).upper()
    return LeanFile(_layout(names, resolution, market, has_day=day is not None), symbol, day)


def _layout(names: tuple[str, ...], resolution: str, market: str, *, has_day: bool) -> Layout:
    return Layout(
        kind=Kind.QUOTE if resolution == "tick" else Kind.BAR,
        columns={name: name for name in names if name not in ("bid_size", "ask_size")},
        header=names,
        time_unit="ms of day" if has_day else "text",
        time_format="" if has_day else "%Y%m%d %H:%M",
        time_zone=_TIME_ZONES.get(market, "UTC"),
        label="end" if resolution == "tick" else "start",
        interval=_INTERVALS.get(resolution, ""),
    )


def _no_lean_path(path: str) -> DataError:
    return DataError(
        f"{path} does not lie in a Lean folder: "
        "<market>/<minute|second|tick>/<symbol>/<YYYYMMDD>_<trade|quote>.zip or "
        "<market>/<daily|hour>/<symbol>[_<trade|quote>].zip."
    )
