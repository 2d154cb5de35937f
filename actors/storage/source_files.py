"""Source files as frames of unparsed cells, each with the number of its line."""

import gzip
import io
import zipfile
import zlib
from pathlib import PurePosixPath

import polars as pl
from fsspec.core import url_to_fs

from actors.storage.layouts import OPTIONAL, Layout
from trading.errors import DataError

LINE = "_line"


def read_bytes(file: str) -> bytes:
    """Return the content of a file on any file system, unpacked if it ends with .gz or .zip.

    Raises
    ------
    DataError
        If it is missing, damaged, or a .zip that does not hold exactly one file.
    """
    try:
        system, path = url_to_fs(file)
        packed: bytes = system.cat_file(path)
    except (OSError, ValueError, ImportError) as error:
        raise DataError(f"{file} cannot be read: {_reason(error)}.") from None
    try:
        return _unpacked(file, packed)
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise DataError(f"{file} is damaged: {_reason(error)}.") from None


def read_cells(file: str, layout: Layout) -> pl.DataFrame:
    """Return the rows of a CSV or Parquet file; CSV cells stay text.

    Raises
    ------
    DataError
        If the file cannot be read, is empty, or has not the columns of the layout.
    """
    content = read_bytes(file)
    is_parquet = PurePosixPath(file).suffix == ".parquet"
    first_line = 1 if is_parquet or layout.header else 2
    try:
        frame = pl.read_parquet(io.BytesIO(content)) if is_parquet else _read_csv(content, layout)
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{file} cannot be read: {_reason(error)}.") from None
    if frame.is_empty():
        raise DataError(f"{file} holds no rows.")
    if layout.header and not is_parquet:
        frame = _named(file, frame, layout.header)
    _require_columns(file, frame, layout)
    return frame.with_row_index(LINE, offset=first_line)


def _unpacked(file: str, packed: bytes) -> bytes:
    suffix = PurePosixPath(file).suffix
    if suffix == ".gz":
        return gzip.decompress(packed)
    if suffix != ".zip":
        return packed
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        if len(names) != 1:
            raise DataError(f"{file} must hold one file, it holds {len(names)}; unpack it first.")
        return archive.read(names[0])


def _read_csv(content: bytes, layout: Layout) -> pl.DataFrame:
    return pl.read_csv(
        content,
        has_header=not layout.header,
        separator=layout.separator,
        infer_schema=False,
        raise_if_empty=False,
    )


def _named(file: str, frame: pl.DataFrame, names: tuple[str, ...]) -> pl.DataFrame:
    if frame.width != len(names):
        raise DataError(
            f"{file} has {frame.width} columns, its schema has {len(names)}: {', '.join(names)}."
        )
    return frame.rename(dict(zip(frame.columns, names, strict=True)))


def _require_columns(file: str, frame: pl.DataFrame, layout: Layout) -> None:
    needed = {theirs for ours, theirs in layout.columns.items() if ours not in OPTIONAL}
    missing = sorted(needed - set(frame.columns))
    if missing:
        raise DataError(
            f"{file} has no column {missing[0]!r}; it has {', '.join(frame.columns[:20])}."
        )


def _reason(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
