"""The catalogue: data sets by name, each a folder of Parquet files and a manifest that names them.

    <catalogue>/<name>/manifest.json
    <catalogue>/<name>/<version>/kind=bar/interval=1d/symbol=AAPL/year=2020/part-0.parquet
    <catalogue>/<name>/<version>/kind=quote/symbol=EURUSD/year=2020/date=2020-01-31/part-0.parquet

An import writes a new version beside the old one and then replaces the manifest, in one step. Who
reads sees the old version or the new one; a process that dies in between changes nothing.
"""

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import polars as pl

from actors.storage.corporate_actions import ACTIONS_SCHEMA, no_actions
from actors.storage.files import Folder
from actors.storage.kinds import Kind, Table, schema_of
from actors.storage.manifest import Manifest, StoredFile, decoded, described, hash_of
from actors.storage.rows import BadRows
from trading.errors import DataError, UsageError

_MANIFEST = "manifest.json"
_ACTIONS = "actions.parquet"
_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]*"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the rows of a data set come from.

    Attributes
    ----------
    imported_at : int
        UTC (ns).
    """

    source: tuple[str, ...]
    venue: str
    imported_at: int
    settings: Mapping[str, str] = field(default_factory=dict)
    skipped: BadRows = field(default_factory=BadRows)


class Catalogue:
    """The data sets in one folder.

    Parameters
    ----------
    url : str
        A path, or any URL that fsspec knows.
    """

    def __init__(self, url: str) -> None:
        self._folder = Folder(url)

    @property
    def url(self) -> str:
        return self._folder.url

    def names(self) -> list[str]:
        """Return the names of all data sets, sorted."""
        return [name for name in self._folder.folders() if self.holds(name)]

    def holds(self, name: str) -> bool:
        """Return whether there is a data set of that name."""
        return self._folder.exists(f"{name}/{_MANIFEST}")

    def manifest(self, name: str) -> Manifest:
        """Return what is known of a data set.

        Raises
        ------
        DataError
            If there is none of that name, or its manifest is unusable.
        """
        try:
            content = self._folder.read(f"{name}/{_MANIFEST}")
        except FileNotFoundError:
            known = ", ".join(self.names()) or "nothing"
            raise DataError(
                f"the catalogue {self.url} has no data set {name!r}; it has {known}."
            ) from None
        return decoded(name, content)

    def write(
        self,
        name: str,
        tables: Sequence[Table],
        origin: Origin,
        actions: pl.DataFrame | None = None,
    ) -> Manifest:
        """Store a data set as a whole; one of the same name is replaced.

        The version before stays on disk until the next import, for those who are reading it.

        Raises
        ------
        UsageError
            If the name cannot be that of a folder.
        DataError
            If there are no rows.
        """
        if not re.fullmatch(_NAME, name):
            raise UsageError(f"{name!r} is no name; letters, digits and . _ - are allowed.")
        actions = no_actions() if actions is None else actions
        kept = [table for table in tables if table.frame.height]
        if not kept:
            raise DataError(f"there are no rows to store as {name!r}.")
        data_hash = hash_of(kept, actions)
        version = f"{origin.imported_at}-{data_hash[:8]}"
        before = self.manifest(name) if self.holds(name) else None
        if before is not None and before.version == version:
            return before
        try:
            manifest = self._write_version(name, version, kept, origin, actions)
        except BaseException:
            self._folder.remove(f"{name}/{version}")
            raise
        if before is not None:
            manifest = msgspec.structs.replace(manifest, previous=before.version)
        encoded = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
        self._folder.write(f"{name}/{_MANIFEST}", encoded)
        if before is not None and before.previous:
            self._folder.remove(f"{name}/{before.previous}")
        return manifest

    def remove(self, name: str) -> None:
        """Remove a data set: first its manifest, so that nobody begins to read it.

        Raises
        ------
        DataError
            If there is none of that name.
        """
        self.manifest(name)
        self._folder.remove(f"{name}/{_MANIFEST}")
        self._folder.remove(name)

    def read(
        self,
        name: str,
        kind: Kind,
        interval: str = "",
        symbols: Sequence[str] = (),
        start: int | None = None,
        end: int | None = None,
    ) -> pl.DataFrame:
        """Return rows sorted by symbol and time, `start` <= ts < `end` (ns UTC).

        Parameters
        ----------
        symbols
            Empty for all; those that are not there have no rows.

        Raises
        ------
        DataError
            If the data set or one of its files is missing or damaged.
        """
        wanted = set(symbols)
        files = [
            file
            for file in self.manifest(name).files
            if (file.kind, file.interval) == (kind, interval)
            and (not wanted or file.symbol in wanted)
            and (end is None or file.first < end)
            and (start is None or file.last >= start)
        ]
        frames = [self.read_file(name, file) for file in files]
        frame = pl.concat(frames) if frames else pl.DataFrame(schema=schema_of(kind))
        if start is not None:
            frame = frame.filter(pl.col("ts") >= start)
        return frame if end is None else frame.filter(pl.col("ts") < end)

    def read_file(self, name: str, file: StoredFile) -> pl.DataFrame:
        """Return the rows of one file of a data set, with all columns of its kind.

        Raises
        ------
        DataError
            If it is missing or damaged.
        """
        frame = self._read_parquet(name, file.path)
        return frame.with_columns(symbol=pl.lit(file.symbol)).select(*schema_of(file.kind))

    def tables(self, name: str) -> list[Table]:
        """Return everything that a data set holds."""
        return [
            Table(table.kind, table.interval, self.read(name, table.kind, table.interval))
            for table in self.manifest(name).tables
        ]

    def actions(self, name: str) -> pl.DataFrame:
        """Return the corporate actions of a data set, see `corporate_actions`."""
        manifest = self.manifest(name)
        if not manifest.action_count:
            return no_actions()
        frame = self._read_parquet(name, f"{manifest.version}/{_ACTIONS}")
        return frame.select(*ACTIONS_SCHEMA)

    def _read_parquet(self, name: str, path: str) -> pl.DataFrame:
        try:
            content = self._folder.read(f"{name}/{path}")
            return pl.read_parquet(io.BytesIO(content), hive_partitioning=False)
        except (OSError, pl.exceptions.PolarsError) as error:
            reason = str(error).partition("\n")[0]
            raise DataError(
                f"data set {name!r}: {path} is missing or damaged ({reason}); import it again."
            ) from None

    def _write_version(
        self, name: str, version: str, tables: list[Table], origin: Origin, actions: pl.DataFrame
    ) -> Manifest:
        files = []
        for table in tables:
            for file, frame in _partitions(version, table):
                self._folder.write(f"{name}/{file.path}", _parquet(frame))
                files.append(file)
        if actions.height:
            self._folder.write(f"{name}/{version}/{_ACTIONS}", _parquet(actions))
        stored = tuple(described(table) for table in tables)
        return Manifest(
            name=name,
            version=version,
            source=origin.source,
            settings=origin.settings,
            venue=origin.venue,
            imported_at=origin.imported_at,
            rows=sum(table.rows for table in stored),
            first=min(table.first for table in stored),
            last=max(table.last for table in stored),
            skipped=origin.skipped.count,
            skipped_rows=tuple(str(row) for row in origin.skipped.named),
            action_count=actions.height,
            data_hash=hash_of(tables, actions),
            tables=stored,
            files=tuple(files),
        )


def _partitions(version: str, table: Table) -> Iterator[tuple[StoredFile, pl.DataFrame]]:
    """Bars by symbol and year, events by symbol and day."""
    moment = pl.from_epoch("ts", "ns").dt
    pattern = "year=%Y" if table.kind is Kind.BAR else "year=%Y/date=%Y-%m-%d"
    marked = table.frame.with_columns(_part=moment.strftime(pattern))
    kind = f"kind={table.kind}" + (f"/interval={table.interval}" if table.interval else "")
    for rows in marked.partition_by("symbol", "_part", maintain_order=True):
        symbol, part = rows["symbol"][0], rows["_part"][0]
        file = StoredFile(
            path=f"{version}/{kind}/symbol={symbol}/{part}/part-0.parquet",
            kind=table.kind,
            interval=table.interval,
            symbol=symbol,
            rows=rows.height,
            first=rows["ts"][0],
            last=rows["ts"][-1],
        )
        yield file, rows.drop("symbol", "_part")


def _parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    return buffer.getvalue()
