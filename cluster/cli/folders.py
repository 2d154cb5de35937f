"""Where a run keeps its things, and which journal tells the newest story."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from trading.errors import ConfigError

if TYPE_CHECKING:
    from cluster.config import Config

_RUNS = "runs"
_JOURNAL = "journal"


def stamp_of(now_ns: int) -> str:
    """Return the UTC time as a name that sorts by time."""
    return datetime.fromtimestamp(now_ns // 1_000_000_000, UTC).strftime("%Y%m%dT%H%M%SZ")


def with_fresh_folder(config: "Config", now_ns: int) -> "Config":
    """Return `config` with a state folder and a journal that nobody has used yet.

    The cluster secret and the models stay where they were.

    Raises
    ------
    ConfigError
        If the folder cannot be made.
    """
    runs = config.cluster.state_dir / _RUNS
    stamp = stamp_of(now_ns)
    folder = runs / stamp
    attempt = 1
    try:
        runs.mkdir(mode=0o700, parents=True, exist_ok=True)
        while folder.exists():
            attempt += 1
            folder = runs / f"{stamp}-{attempt}"
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise ConfigError(
            f"{folder} cannot be made ({error.strerror}); set cluster.state_dir to a folder that "
            "you may write to."
        ) from None
    return _in_folder(config, folder)


def config_of_newest_journal(config: "Config") -> "Config | None":
    """Return `config` with the journal that was written last: its own, or that of a `trader run`.

    None when there is none at all. A journal that is no folder is always the one.
    """
    folder = sqlite_folder(config.cluster.journal)
    if folder is None:
        return config
    runs = config.cluster.state_dir / _RUNS
    found = {run / _JOURNAL: _in_folder(config, run) for run in runs.glob("*")}
    found[folder] = config
    written = {path: _last_write(path) for path in found}
    newest = max(written, key=lambda path: written[path])
    return found[newest] if written[newest] else None


def sqlite_folder(journal: str) -> Path | None:
    """Return the folder of a journal on disk; None for a server."""
    parts = urlsplit(journal)
    return Path(unquote(parts.path)) if parts.scheme == "sqlite" else None


def _in_folder(config: "Config", folder: Path) -> "Config":
    from cluster.models import models_url

    journal = f"sqlite://{quote(str(folder / _JOURNAL))}"
    cluster = config.cluster.model_copy(update={"state_dir": folder, "journal": journal})
    models = config.models.model_copy(update={"folder": models_url(config)})
    return config.model_copy(update={"cluster": cluster, "models": models})


def _last_write(folder: Path) -> int:
    """Return when a file in `folder` was last written (ns); 0 when there is none."""
    try:
        return max((path.stat().st_mtime_ns for path in folder.iterdir()), default=0)
    except (FileNotFoundError, NotADirectoryError):
        return 0
