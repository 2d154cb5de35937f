"""Recorded quotes, trades and books of the catalogue, as the event gear replays them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import polars as pl

from actors.storage.catalogue import Catalogue
from actors.storage.event_streams import EVENT_KINDS, MarketEvent, read_events
from actors.storage.kinds import VALUES, Kind, interval_ns
from actors.storage.manifest import Manifest, StoredFile
from trading.errors import DataError, UsageError
from trading.identifiers import instrument_id
from trading.indicators.rolling import FloatArray
from trading.instruments import Instrument
from tune.event_gear.bar_builder import BarPrice
from tune.prices import moment_of

INTERVAL = "1m"
"""Of the bars, when none is named."""
DIGITS_MAX = 10
_PRICES = frozenset({"bid_px", "ask_px", "price"})
_SIZES = frozenset({"bid_size", "ask_size", "size"})


@dataclass(frozen=True, slots=True)
class Recording:
    """What was recorded of a market in some time.

    Attributes
    ----------
    events : function that returns the events
        Each call begins anew.
    instruments : tuple of Instrument
        Their ticks and lots are the finest decimal steps in the record.
    interval_ns : int
        Length of the bars that strategies decide on (ns).
    price : BarPrice
        What those bars are made of: trades where there are any, otherwise the middle.
    """

    events: Callable[[], Iterator[MarketEvent]]
    instruments: tuple[Instrument, ...]
    interval_ns: int
    price: BarPrice


def is_recording(manifest: Manifest) -> bool:
    """Return whether a data set holds events and no bars."""
    return all(table.kind in EVENT_KINDS for table in manifest.tables)


def recording_of(
    catalogue: Catalogue,
    name: str,
    interval: str = "",
    symbols: Sequence[str] = (),
    start: str = "",
    end: str = "",
) -> Recording:
    """Return the record of a data set from `start` to `end` (`tune.prices.moment_of`); empty is no bound.

    Parameters
    ----------
    interval : str
        Of the bars, for example `30s`; empty is `INTERVAL`.
    symbols
        Empty for all that it has.

    Raises
    ------
    DataError
        If the data set, a symbol or the interval is missing or wrong, nothing lies in that time, or
        nothing could be filled because quotes have no sizes.
    UsageError
        If a date cannot be read, or `start` cuts the beginning of a book off.
    """
    manifest = catalogue.manifest(name)
    wanted = _known_symbols(manifest, symbols)
    first = moment_of(start) if start else None
    last = moment_of(end, is_end=True) if end else None
    files = [
        file
        for file in manifest.files
        if file.kind in EVENT_KINDS
        and file.symbol in wanted
        and (first is None or file.last >= first)
        and (last is None or file.first < last)
    ]
    if not files:
        raise DataError(f"data set {name!r} has no event in that time.")
    kinds = {file.kind for file in files}
    if Kind.DELTA in kinds and first is not None and first > manifest.first:
        raise UsageError(
            f"--from would cut off the beginning of the books of {name!r}, which are changes from there on; "
            "leave it out."
        )

    def events() -> Iterator[MarketEvent]:
        return read_events(catalogue, name, first, last, symbols=wanted)

    return Recording(
        events=events,
        instruments=tuple(_instrument(catalogue, manifest, symbol, files) for symbol in wanted),
        interval_ns=interval_ns(interval or INTERVAL),
        price=BarPrice.TRADE if Kind.TRADE in kinds else BarPrice.MIDDLE,
    )


def _known_symbols(manifest: Manifest, symbols: Sequence[str]) -> tuple[str, ...]:
    known = manifest.symbols()
    for symbol in symbols:
        if symbol not in known:
            raise DataError(
                f"data set {manifest.name!r} has no symbol {symbol!r}; it has {', '.join(known)}."
            )
    return tuple(dict.fromkeys(symbols)) or known


def _instrument(
    catalogue: Catalogue, manifest: Manifest, symbol: str, files: Sequence[StoredFile]
) -> Instrument:
    """Return an instrument on whose grid every recorded price and size lies."""
    ticks = lots = 0
    is_fillable = False
    for file in files:
        if file.symbol != symbol:
            continue
        frame = catalogue.read_file(manifest.name, file)
        where = f"data set {manifest.name!r}, {symbol}"
        ticks = max(ticks, *(_digits(each, where) for each in _columns(frame, file, _PRICES)))
        sizes = _columns(frame, file, _SIZES)
        lots = max(lots, *(_digits(each, where) for each in sizes))
        is_fillable |= file.kind is not Kind.TRADE and any((each > 0).any() for each in sizes)
    if not is_fillable:
        raise DataError(
            f"data set {manifest.name!r} shows no sizes to trade with for {symbol}: it needs quotes with "
            "sizes, or a book."
        )
    lot = Decimal(1).scaleb(-lots)
    return Instrument(
        instrument_id=instrument_id(symbol, manifest.venue),
        tick_size=Decimal(1).scaleb(-ticks),
        lot_size=lot,
        min_quantity=lot,
    )


def _columns(frame: pl.DataFrame, file: StoredFile, names: frozenset[str]) -> list[FloatArray]:
    return [frame[name].to_numpy() for name in VALUES[file.kind] if name in names]


def _digits(values: FloatArray, where: str) -> int:
    """Return how many digits behind the point the values have.

    Raises
    ------
    DataError
        If there are more than `DIGITS_MAX`.
    """
    for digits in range(DIGITS_MAX + 1):
        if (np.round(values, digits) == values).all():
            return digits
    raise DataError(f"{where}: a price or size has more than {DIGITS_MAX} digits behind the point.")
