"""What the catalogue knows of a data set: where it came from, what is in it, which files hold it."""

from collections.abc import Mapping
from hashlib import blake2b

import msgspec
import polars as pl

from actors.storage.kinds import SCHEMA_VERSION, Kind, Table
from trading.errors import DataError


class StoredFile(msgspec.Struct, frozen=True, kw_only=True):
    """One Parquet file: rows of one symbol from `first` to `last` (ns UTC)."""

    path: str
    kind: Kind
    interval: str
    symbol: str
    rows: int
    first: int
    last: int


class StoredTable(msgspec.Struct, frozen=True, kw_only=True):
    """All rows of one kind and interval."""

    kind: Kind
    interval: str
    symbols: tuple[str, ...]
    rows: int
    first: int
    last: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """One data set. Replacing this file is what publishes a new version.

    Attributes
    ----------
    version : str
        Folder of the Parquet files.
    previous : str
        Folder of the version before, kept for those who still read it; empty for none.
    settings : mapping
        How it was imported.
    venue : str
        Second part of its instrument ids.
    imported_at : int
        UTC (ns).
    skipped : int
        Bad rows that were left out; the first are in `skipped_rows`.
    data_hash : str
        Of all values, whatever the files look like: equal data, equal hash.
    """

    name: str
    schema_version: int = SCHEMA_VERSION
    version: str
    previous: str = ""
    source: tuple[str, ...]
    settings: Mapping[str, str]
    venue: str
    imported_at: int
    rows: int
    first: int
    last: int
    skipped: int = 0
    skipped_rows: tuple[str, ...] = ()
    action_count: int = 0
    data_hash: str
    tables: tuple[StoredTable, ...]
    files: tuple[StoredFile, ...]

    def intervals(self) -> tuple[str, ...]:
        """Return the lengths of the bars that are stored."""
        return tuple(table.interval for table in self.tables if table.kind is Kind.BAR)

    def symbols(self) -> tuple[str, ...]:
        """Return all symbols, in the order of the alphabet."""
        return tuple(sorted({symbol for table in self.tables for symbol in table.symbols}))


def described(table: Table) -> StoredTable:
    """Return what a table holds."""
    frame = table.frame
    first, last = frame.select(pl.col("ts").min(), pl.col("ts").max().alias("last")).row(0)
    symbols = tuple(frame["symbol"].unique().sort())
    return StoredTable(
        kind=table.kind,
        interval=table.interval,
        symbols=symbols,
        rows=frame.height,
        first=first,
        last=last,
    )


def hash_of(tables: list[Table], actions: pl.DataFrame) -> str:
    """Return a hash of all values of sorted tables and of the corporate actions."""
    digest = blake2b(digest_size=16)
    for table in sorted(tables, key=lambda table: (table.kind, table.interval)):
        digest.update(f"{table.kind}/{table.interval}/{table.frame.height}".encode())
        _add(digest, table.frame)
    if actions.height:
        _add(digest, actions)
    return digest.hexdigest()


def decoded(name: str, content: bytes) -> Manifest:
    """Return a stored manifest.

    Raises
    ------
    DataError
        If it is damaged, or written by a newer version of this project.
    """
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except msgspec.DecodeError as error:
        raise DataError(f"the manifest of data set {name!r} is damaged: {error}.") from None
    if manifest.schema_version > SCHEMA_VERSION:
        raise DataError(
            f"data set {name!r} has schema version {manifest.schema_version}, newer than "
            f"{SCHEMA_VERSION}; update neural-trader."
        )
    return manifest


def _add(digest: "blake2b", frame: pl.DataFrame) -> None:
    for name, column in zip(frame.columns, frame.iter_columns(), strict=True):
        digest.update(name.encode())
        if column.dtype == pl.String:
            digest.update("\x1f".join(column.to_list()).encode())
        else:
            digest.update(column.to_physical().to_numpy().tobytes())
