"""From a URL to a journal."""

from urllib.parse import unquote, urlsplit

from actors.journal.journal import Journal
from actors.journal.sqlite import SqliteJournal
from trading.errors import ConfigError


def open_journal(url: str) -> Journal:
    """Return the journal that `url` names.

    Parameters
    ----------
    url : str
        `sqlite:///absolute/folder`, `sqlite:relative/folder`, `redis://host:port/db`,
        `rediss://host:port/db` or `unix:///path/to/socket`.

    Raises
    ------
    ConfigError
        If the URL is not one of these, or the store is not set up to keep records.
    JournalUnavailable
        If the server does not answer.
    """
    parts = urlsplit(url)
    match parts.scheme:
        case "sqlite" if parts.path and not parts.netloc:
            return SqliteJournal(unquote(parts.path))
        case "sqlite":
            raise ConfigError(
                f"journal URL {url!r} names no folder; "
                "write sqlite:///absolute/folder or sqlite:relative/folder"
            )
        case "redis" | "rediss" | "unix":
            from actors.journal.redis import RedisJournal

            return RedisJournal(url)
        case scheme:
            raise ConfigError(
                f"journal URL starts with {scheme!r}; known are sqlite, redis, rediss and unix"
            )
