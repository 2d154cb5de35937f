"""Times of a source as nanoseconds UTC."""

from datetime import date, time, timedelta

import polars as pl

from actors.storage.layouts import Layout

_FACTORS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
_MILLIS_PER_DAY = 86_400_000
_LATEST_NS = 7_258_118_400_000_000_000
"""The year 2200: a later time is a number in another unit."""
_EPOCH = date(1970, 1, 1)


def timestamps(cells: pl.Series, layout: Layout, day: date | None, interval: str) -> pl.Series:
    """Return when each row happened, or for bars ended (ns UTC, int64).

    Null where a cell is no time, lies outside 1970 to 2200, or names a local time that the change of
    the clocks skips or repeats.

    Parameters
    ----------
    day : date or None
        The day of times of day.
    interval : str
        Length of the bars; used where the label is their start. A day is one of the local calendar.
    """
    moments = _moments(cells, layout, day)
    if layout.label == "start" and interval:
        moments = moments.dt.convert_time_zone(layout.time_zone).dt.offset_by(interval)
    ns = moments.dt.epoch("ns")
    return ns.set(~_between(ns, _LATEST_NS), None)


def _moments(cells: pl.Series, layout: Layout, day: date | None) -> pl.Series:
    """Return moments with a time zone."""
    if cells.dtype.is_temporal():
        zone = getattr(cells.dtype, "time_zone", None)
        return _zoned(cells.cast(pl.Datetime("ns", zone)), layout)
    if layout.time_unit == "text":
        return _zoned(_parsed(cells.cast(pl.String), layout.time_format), layout)
    numbers = cells.cast(pl.Int64, strict=False)
    if layout.time_unit == "ms of day":
        millis = numbers.set(~_between(numbers, _MILLIS_PER_DAY - 1), None)
        midnight = ((day or _EPOCH) - _EPOCH).days * _MILLIS_PER_DAY
        return _zoned((millis + midnight).cast(pl.Datetime("ms")).cast(pl.Datetime("ns")), layout)
    factor = _FACTORS[layout.time_unit]
    ns = numbers.set(~_between(numbers, _LATEST_NS // factor), None) * factor
    return ns.cast(pl.Datetime("ns")).dt.replace_time_zone("UTC")


def _parsed(text: pl.Series, time_format: str) -> pl.Series:
    try:
        return text.str.to_datetime(time_format or None, time_unit="ns", strict=False)
    except pl.exceptions.ComputeError:  # no format could be inferred from the first cells
        return pl.Series([None] * text.len(), dtype=pl.Datetime("ns"))


def _zoned(moments: pl.Series, layout: Layout) -> pl.Series:
    if getattr(moments.dtype, "time_zone", None):
        return moments
    if layout.session_close:
        close = time.fromisoformat(layout.session_close)
        offset = timedelta(hours=close.hour, minutes=close.minute)
        is_date = moments.dt.time() == time(0)
        moments = (moments + offset).zip_with(is_date.fill_null(value=False), moments)
    return moments.dt.replace_time_zone(layout.time_zone, ambiguous="null", non_existent="null")


def _between(numbers: pl.Series, high: int) -> pl.Series:
    return numbers.is_between(0, high).fill_null(value=False)
