"""Finished batches of a sweep as files: what is there need not be computed again."""

import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl

from trading.indicators.periods import IntArray
from tune.batch import SCHEMA
from tune.store import write_table


class Parts:
    """A folder of Parquet files, each with the rows of a few points."""

    def __init__(self, folder: Path, points: int) -> None:
        self._folder = folder
        self._is_done = np.zeros(points, dtype=np.bool_)
        folder.mkdir(exist_ok=True)
        for path in self._files():
            self._is_done[pl.read_parquet(path, columns=["point"])["point"].to_numpy()] = True

    @property
    def done(self) -> int:
        """How many points are finished."""
        return int(self._is_done.sum())

    def missing(self) -> IntArray:
        """Return the points that are not finished, rising."""
        return np.flatnonzero(~self._is_done)

    def add(self, rows: pl.DataFrame) -> None:
        """Save a finished batch; it is on the disk when this returns."""
        points = rows["point"].to_numpy()
        write_table(self._folder / f"{points[0]:09d}.parquet", rows)
        self._is_done[points] = True

    def collect(self) -> pl.DataFrame:
        """Return all rows, by point."""
        tables = [pl.read_parquet(path) for path in self._files()]
        return pl.concat([pl.DataFrame(schema=SCHEMA), *tables]).sort("point")

    def remove(self) -> None:
        shutil.rmtree(self._folder)

    def _files(self) -> Iterable[Path]:
        return sorted(self._folder.glob("[0-9]*.parquet"))
