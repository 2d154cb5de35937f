"""How a source file is laid out: built-in layouts by name, others from a TOML file."""

import difflib
from datetime import time
from pathlib import Path
from typing import Literal
from zoneinfo import available_timezones

import msgspec

from actors.storage.kinds import VALUES, Kind
from trading.errors import DataError

TimeUnit = Literal["text", "ns", "us", "ms", "s", "ms of day"]

OPTIONAL = frozenset({"volume", "bid_size", "ask_size", "side"})
"""Columns that a source may lack: 0, or no side, stands for them."""
SIDES = tuple(f"{side}_{field}" for side in ("bid", "ask") for field in VALUES[Kind.BAR][:4])


class Layout(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How to read one kind of file.

    Attributes
    ----------
    kind : str
        bar, quote, trade or delta.
    columns : mapping
        Our column to the file's: `time`, `symbol` (where the file has it) and the columns of the kind.
        Bars may have `bid_open` to `ask_close` instead of prices: the mid of both is stored.
    header : tuple of str
        Names of the columns of a file without a header line.
    time_unit : str
        What a time is: text, a number of ns, us, ms or s since 1970, or `ms of day` (the day is in the
        name of the file).
    time_format : str
        How text is read (strftime); empty for ISO 8601.
    time_zone : str
        Where times without an offset were written down.
    session_close : str
        `HH:MM`, where the file has dates alone: the time of the close.
    label : str
        Whether the time of a bar is its start or its end.
    interval : str
        Length of the bars; the command line may say another.
    is_wide : bool
        One column of closes per symbol; all columns but `time` are symbols.
    """

    kind: Kind
    columns: dict[str, str]
    header: tuple[str, ...] = ()
    separator: str = ","
    time_unit: TimeUnit = "text"
    time_format: str = ""
    time_zone: str = "UTC"
    session_close: str = ""
    label: Literal["start", "end"] = "end"
    interval: str = ""
    is_wide: bool = False

    def __post_init__(self) -> None:
        known = {"time", "symbol", *VALUES[self.kind], *(SIDES if self.kind is Kind.BAR else ())}
        unknown = sorted(set(self.columns) - known)
        if unknown:
            raise ValueError(f"columns: {unknown[0]!r} is none of {', '.join(sorted(known))}")
        if "time" not in self.columns:
            raise ValueError("columns: `time` is missing")
        if self.session_close:
            time.fromisoformat(self.session_close)
        if self.time_zone not in available_timezones():
            raise ValueError(f"time_zone: there is no zone {self.time_zone!r}")

    @property
    def is_two_sided(self) -> bool:
        """Whether bars have bid and ask prices."""
        return any(name in self.columns for name in SIDES)


BINANCE_CAPTURE = "binance-capture"
LEAN = "lean"
_OHLCV = {name: name for name in VALUES[Kind.BAR]}
_NEW_YORK = "America/New_York"

LAYOUTS: dict[str, Layout] = {
    "wide": Layout(
        kind=Kind.BAR, columns={"time": "Date"}, interval="1d", is_wide=True, time_zone=_NEW_YORK, session_close="16:00"
    ),
    "long": Layout(
        kind=Kind.BAR,
        columns={"time": "Date", "symbol": "Ticker"}
        | {name: name.capitalize() for name in VALUES[Kind.BAR]},
        interval="1d",
        time_zone=_NEW_YORK, session_close="16:00",
    ),
    "ohlcv": Layout(kind=Kind.BAR, columns={"time": "timestamp"} | _OHLCV),
    "quotes": Layout(
        kind=Kind.QUOTE, columns={"time": "timestamp", "bid_px": "bid", "ask_px": "ask"}
    ),
    "histdata-ticks": Layout(
        kind=Kind.QUOTE,
        columns={"time": "timestamp", "bid_px": "bid", "ask_px": "ask"},
        header=("timestamp", "bid", "ask", "volume"),
        time_format="%Y%m%d %H%M%S%3f",
        time_zone="Etc/GMT+5",
    ),
    "binance-klines": Layout(
        kind=Kind.BAR,
        columns={"time": "open time"} | _OHLCV,
        header=(
            "open time", *_OHLCV, "close time", "quote volume", "trades", "taker base volume",
            "taker quote volume", "ignored",
        ),
        time_unit="ms",
        label="start",
    ),
}  # fmt: skip
"""By name. `lean` and `binance-capture` are no tables of columns, see their modules.

histdata.com writes Eastern Standard Time all year; Binance writes the open of a candle.
"""


def layout_named(name: str) -> Layout | str:
    """Return a built-in layout, the name of a special one, or the layout in a TOML file.

    Raises
    ------
    DataError
        If there is no such name or file, or the file says something that a layout cannot.
    """
    if name in (LEAN, BINANCE_CAPTURE):
        return name
    if name in LAYOUTS:
        return LAYOUTS[name]
    if name.endswith(".toml"):
        return _layout_of_file(Path(name).expanduser())
    known = sorted((*LAYOUTS, LEAN, BINANCE_CAPTURE))
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"it is one of {', '.join(known)},"
    raise DataError(f"there is no schema {name!r}; {hint} or the path of a TOML file.")


def _layout_of_file(path: Path) -> Layout:
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Layout)
    except OSError as error:
        raise DataError(f"the schema {path} cannot be read: {error.strerror}.") from None
    except msgspec.DecodeError as error:
        raise DataError(f"the schema {path} is wrong: {error}.") from None
