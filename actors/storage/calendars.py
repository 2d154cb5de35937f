"""When a market is open: sessions of exchange_calendars (XNYS, CMES, 24/7 and some sixty more)."""

import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actors.storage.kinds import interval_ns
from trading.errors import DataError
from trading.values import NANOS_PER_DAY

NO_CALENDAR = "none"
ALWAYS_OPEN = "24/7"
_MARGIN = timedelta(days=15)
"""Longer than any closure in the covered years, so that there is a session on either side."""


@dataclass(frozen=True, slots=True, eq=False)
class Sessions:
    """The sessions of one market, in order.

    Attributes
    ----------
    days : (session,) datetime64[D]
        Name of each session: its date at the exchange.
    opens, closes : (session,) int64
        ns UTC.
    time_zone : str
        Of the exchange.
    """

    days: NDArray[np.datetime64]
    opens: NDArray[np.int64]
    closes: NDArray[np.int64]
    time_zone: str

    def closes_of_bars(self, interval: str, first: int, last: int) -> NDArray[np.int64]:
        """Return when every bar of the market closes, from `first` to `last` (ns UTC, both included).

        Bars of a day or longer close with their session; a session's last bar may be shorter.
        """
        step = interval_ns(interval)
        if step >= NANOS_PER_DAY:
            closes = self.closes
        else:
            grids = [
                np.append(np.arange(start + step, end, step), end)
                for start, end in zip(self.opens, self.closes, strict=True)
            ]
            closes = np.concatenate(grids) if grids else self.closes
        return closes[(closes >= first) & (closes <= last)]


def sessions_between(calendar: str, first: int, last: int) -> Sessions | None:
    """Return the sessions around the moments `first` to `last` (ns UTC); None for the calendar `none`.

    Raises
    ------
    DataError
        If there is no calendar of that name, or it does not reach that far.
    """
    if calendar == NO_CALENDAR:
        return None
    start, end = (datetime.fromtimestamp(ns // 1_000_000_000, UTC) for ns in (first, last))
    return _sessions(
        calendar, (start - _MARGIN).strftime("%Y-%m-%d"), (end + _MARGIN).strftime("%Y-%m-%d")
    )


@lru_cache(maxsize=16)
def _sessions(calendar: str, start: str, end: str) -> Sessions:
    import exchange_calendars

    try:
        with warnings.catch_warnings():  # it uses what pandas 4 will change
            warnings.simplefilter("ignore", DeprecationWarning)
            found = exchange_calendars.get_calendar(calendar, start=start, end=end)
    except exchange_calendars.errors.InvalidCalendarName:
        raise DataError(
            f"there is no calendar {calendar!r}; write an exchange's code (XNYS, XLON, CMES), "
            f"{ALWAYS_OPEN} or {NO_CALENDAR}."
        ) from None
    except ValueError as error:
        raise DataError(f"calendar {calendar}: {error}") from None
    return Sessions(
        days=found.sessions.to_numpy().astype("datetime64[D]"),
        opens=_nanoseconds(found.opens),
        closes=_nanoseconds(found.closes),
        time_zone=str(found.tz),
    )


def _nanoseconds(moments: Any) -> NDArray[np.int64]:
    naive = moments.dt.tz_convert("UTC").dt.tz_localize(None)
    ns: NDArray[np.int64] = naive.to_numpy().astype("datetime64[ns]").astype(np.int64)
    return ns
