"""Files on any file system that fsspec knows, replaced whole or not at all."""

import os
from pathlib import Path
from threading import get_ident
from typing import Any

from fsspec.core import url_to_fs


class Folder:
    """A folder on a file system: a path, or a URL such as `s3://bucket/folder` or `memory://folder`."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/") or "/"
        self._system: Any
        self._system, self._root = url_to_fs(self.url)
        self._is_local = "file" in _names(self._system)

    def write(self, path: str, content: bytes) -> None:
        """Replace a file as a whole: whoever reads meanwhile gets the old one or the new one.

        A local file is written under another name, synced and renamed. Object stores show an object when
        it is complete.
        """
        target = self._path(path)
        if not self._is_local:
            self._system.makedirs(target.rpartition("/")[0], exist_ok=True)
            self._system.pipe_file(target, content)
            return
        place = Path(target)
        place.parent.mkdir(parents=True, exist_ok=True)
        unfinished = place.with_name(f".{place.name}.{os.getpid()}.part")
        try:
            _write_synced(unfinished, content)
            unfinished.replace(place)
        finally:
            unfinished.unlink(missing_ok=True)

    def create(self, path: str, content: bytes) -> bool:
        """Write a file that is not there yet, whole or not at all; of several writers one succeeds.

        Returns
        -------
        bool
            False when the file exists, which then is not touched.
        """
        target = self._path(path)
        if not self._is_local:
            self._system.makedirs(target.rpartition("/")[0], exist_ok=True)
            try:
                self._system.pipe_file(target, content, mode="create")
            except FileExistsError:
                return False
            return True
        place = Path(target)
        place.parent.mkdir(parents=True, exist_ok=True)
        unfinished = place.with_name(f".{place.name}.{os.getpid()}.{get_ident()}.part")
        try:
            _write_synced(unfinished, content)
            os.link(unfinished, place)
        except FileExistsError:
            return False
        finally:
            unfinished.unlink(missing_ok=True)
        return True

    def read(self, path: str) -> bytes:
        """Return the content of a file.

        Raises
        ------
        FileNotFoundError
            If there is none.
        """
        content: bytes = self._system.cat_file(self._path(path))
        return content

    def folders(self, path: str = "") -> list[str]:
        """Return the names of the folders in this one, or in one of it, sorted; none when it does not exist."""
        try:
            entries = self._system.ls(self._path(path).rstrip("/"), detail=True)
        except FileNotFoundError:
            return []
        names = [
            e["name"].rstrip("/").rpartition("/")[2] for e in entries if e["type"] == "directory"
        ]
        return sorted(names)

    def files(self, path: str) -> list[str]:
        """Return the names of the finished files of a folder, sorted; none when it does not exist."""
        try:
            entries = self._system.ls(self._path(path), detail=True)
        except FileNotFoundError:
            return []
        names = [e["name"].rpartition("/")[2] for e in entries if e["type"] == "file"]
        return sorted(name for name in names if not name.startswith("."))

    def exists(self, path: str) -> bool:
        return bool(self._system.exists(self._path(path)))

    def remove(self, path: str) -> None:
        """Remove a file or a folder with all that is in it, if it is there."""
        if self.exists(path):
            self._system.rm(self._path(path), recursive=True)

    def _path(self, path: str) -> str:
        return f"{self._root}/{path}"


def _names(system: Any) -> tuple[str, ...]:
    protocol = system.protocol
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
