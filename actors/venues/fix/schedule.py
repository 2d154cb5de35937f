"""When a venue's daily session is open. Pure: who asks says what time it is."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from trading.errors import ConfigError

_DAY = timedelta(days=1)


class Schedule:
    """A session that opens and closes every day at the same local times; it may run over midnight.

    Parameters
    ----------
    start, end : str
        `HH:MM:SS`.
    time_zone : str
        IANA name.

    Raises
    ------
    ConfigError
        If one of them cannot be read, or both times are the same.
    """

    def __init__(self, start: str, end: str, time_zone: str) -> None:
        try:
            self._start, self._end = time.fromisoformat(start), time.fromisoformat(end)
            self._zone = ZoneInfo(time_zone)
        except (ValueError, ZoneInfoNotFoundError):
            raise ConfigError(
                f"start_time {start!r}, end_time {end!r} and time_zone {time_zone!r} must be two "
                "times like 09:30:00 and a zone like America/New_York."
            ) from None
        if self._start == self._end:
            raise ConfigError("start_time and end_time are the same; leave both out for no end.")

    def opens_in_s(self, now_ns: int) -> float:
        """Return how long it is until the session is open (s); 0 while it is."""
        now = datetime.fromtimestamp(now_ns / 1e9, self._zone)
        starts = [self._at(now + offset, self._start) for offset in (-_DAY, timedelta(), _DAY)]
        if any(start <= now < self._end_of(start) for start in starts):
            return 0.0
        return min((start - now).total_seconds() for start in starts if start > now)

    def utc_times(self, now_ns: int) -> tuple[str, str]:
        """Return start and end as UTC times of the day of `now_ns`: daylight saving moves them."""
        now = datetime.fromtimestamp(now_ns / 1e9, self._zone)
        start, end = (self._at(now, each).strftime("%H:%M:%S") for each in (self._start, self._end))
        return start, end

    def _at(self, day: datetime, clock: time) -> datetime:
        """Return a local time of a day, in UTC: in its own zone Python would not count lost hours."""
        return datetime.combine(day.date(), clock, self._zone).astimezone(UTC)

    def _end_of(self, start: datetime) -> datetime:
        day = start.astimezone(self._zone)
        end = self._at(day, self._end)
        return end if end > start else self._at(day + _DAY, self._end)
