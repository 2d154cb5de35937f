"""The results store: a folder per named run, with its manifest and its tables.

    <root>/<name>/manifest.json   what the run was made of
    <root>/<name>/trials.parquet  one row per trial and fold, or per point
    <root>/<name>/lock            held by the process that writes the run

Every file is written beside its place and then moved there, so a reader, or a process that comes after a
crash, finds a whole file or none.
"""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import msgspec
import polars as pl

from trading.errors import DataError, UsageError
from tune.manifest import Manifest

MANIFEST = "manifest.json"
TRIALS = "trials.parquet"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Store:
    """All runs below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self) -> tuple[str, ...]:
        """Return the names of all runs, sorted."""
        return tuple(sorted(path.parent.name for path in self.root.glob(f"*/{MANIFEST}")))

    def manifest(self, name: str) -> Manifest:
        """Return what a run was made of.

        Raises
        ------
        UsageError
            If there is no run of that name.
        DataError
            If its manifest cannot be read.
        """
        path = self.folder(name) / MANIFEST
        if not path.exists():
            known = ", ".join(self.names()) or "none"
            raise UsageError(f"There is no run {name!r}; known are: {known}.")
        try:
            return msgspec.json.decode(path.read_bytes(), type=Manifest)
        except msgspec.DecodeError as error:
            raise DataError(f"{path} is damaged ({error}); remove the folder of the run.") from None

    def trials(self, name: str) -> pl.DataFrame:
        """Return the table of a run that has ended.

        Raises
        ------
        UsageError
            If there is no such run, or it has not ended.
        """
        self.manifest(name)
        path = self.folder(name) / TRIALS
        if not path.exists():
            raise UsageError(f"Run {name!r} has not ended; start it again to let it go on.")
        return pl.read_parquet(path)

    def open(self, manifest: Manifest) -> "Run":
        """Begin a run, or go on with the one that has this name and asks for the same.

        Raises
        ------
        UsageError
            If the name cannot be a folder, another process writes this run, or the run of that name was made of
            something else.
        """
        folder = self.folder(manifest.name)
        folder.mkdir(parents=True, exist_ok=True)
        lock = _locked(folder)
        try:
            if (folder / MANIFEST).exists():
                manifest = self._same(manifest)
            else:
                write_bytes(folder / MANIFEST, _encoded(manifest))
        except BaseException:
            lock.close()
            raise
        return Run(folder, manifest, lock)

    def folder(self, name: str) -> Path:
        """Return the folder of a run.

        Raises
        ------
        UsageError
            If the name cannot be a folder.
        """
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"A run cannot be called {name!r}: use letters, digits, dots, dashes and underscores."
            )
        return self.root / name

    def _same(self, asked: Manifest) -> Manifest:
        """Return the manifest of the run that is there, if it asks for the same."""
        found = self.manifest(asked.name)
        difference = found.difference(asked)
        if difference:
            raise UsageError(
                f"Run {asked.name!r} was made of something else: {difference}. "
                "Choose another name, or remove its folder."
            )
        return found


class Run:
    """One run, held by this process until it is closed."""

    def __init__(self, folder: Path, manifest: Manifest, lock: BinaryIO) -> None:
        self.folder = folder
        self.manifest = manifest
        self._lock = lock

    def __enter__(self) -> "Run":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.close()

    def write_table(self, name: str, table: pl.DataFrame) -> None:
        """Write a table into the folder of the run, as a whole."""
        write_table(self.folder / name, table)

    def finish(self, at: datetime) -> None:
        """Note that the run has ended, unless it had before."""
        if self.manifest.finished_at is None:
            self.manifest = msgspec.structs.replace(self.manifest, finished_at=at)
            write_bytes(self.folder / MANIFEST, _encoded(self.manifest))


def write_table(path: Path, table: pl.DataFrame) -> None:
    """Write a Parquet file as a whole or not at all."""
    with _replacing(path) as draft:
        table.write_parquet(draft)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file as a whole or not at all."""
    with _replacing(path) as draft:
        draft.write_bytes(content)


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        yield draft
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _encoded(manifest: Manifest) -> bytes:
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2)


def _locked(folder: Path) -> BinaryIO:
    """Return the open lock of a run; the system lets go of it when the process ends, however it ends."""
    lock = (folder / "lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise UsageError(
            f"Run {folder.name!r} is being written by another process; choose another name."
        ) from None
    return lock
