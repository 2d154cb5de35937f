"""Features of many symbols at once: Ray Data reads bars of the catalogue, computes, writes Parquet.

Each symbol is one piece of work: its bars are read, computed and written by one task, so nothing is
shuffled and the result is bit for bit that of a single process. A symbol's file appears whole or not at
all; `features.json`, written last, says that all are there.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import msgspec
import numpy as np
import polars as pl

from actors.storage.catalogue import Catalogue
from actors.storage.files import Folder
from actors.storage.kinds import Kind
from trading.errors import DataError
from trading.indicators.returns import realised_volatility, simple_returns
from trading.indicators.rolling import FloatArray, rolling_mean, zscore

SUMMARY = "features.json"


@dataclass(frozen=True, slots=True)
class FeatureWindows:
    """How many bars each feature looks back (>= 2, RSI >= 1)."""

    momentum: int = 20
    volatility: int = 21
    zscore: int = 20
    rsi: int = 14
    volume: int = 20


def features_of(bars: pl.DataFrame, windows: FeatureWindows) -> pl.DataFrame:
    """Return the features of the bars of one symbol: `symbol`, `ts`, then one column per feature.

    Row t depends on bars up to t alone; NaN where the window is not full.

    Returns
    -------
    polars.DataFrame
        `return_1` and `momentum` (fractions), `volatility` (fraction per year of 252 bars), `zscore` of the close,
        `rsi` (0 to 100, means as Cutler's) and `volume_zscore`.
    """
    close, volume = (bars[name].to_numpy()[:, None] for name in ("close", "volume"))
    features = {
        "return_1": simple_returns(close),
        "momentum": _momentum(close, windows.momentum),
        "volatility": realised_volatility(close, windows.volatility),
        "zscore": zscore(close, windows.zscore),
        "rsi": cutler_rsi(close, windows.rsi),
        "volume_zscore": zscore(volume, windows.volume),
    }
    columns = {name: values[:, 0] for name, values in features.items()}
    return bars.select("symbol", "ts").with_columns(pl.Series(n, v) for n, v in columns.items())


def cutler_rsi(close: FloatArray, window: int) -> FloatArray:
    """Return 100 * mean gain / (mean gain + mean loss) of the last `window` changes; 50 without any.

    Cutler's variant of Wilder's index: plain means, so that a row depends on its window alone.

    Parameters
    ----------
    close : (time, instrument)

    Returns
    -------
    (time, instrument)
    """
    change = np.full_like(close, np.nan)
    change[1:] = close[1:] - close[:-1]
    gain = rolling_mean(np.maximum(change, 0.0), window)
    loss = rolling_mean(np.maximum(-change, 0.0), window)
    total = gain + loss
    safe = np.where(total == 0, 1.0, total)
    index: FloatArray = np.where(total == 0, 50.0, 100.0 * gain / safe)
    return index


def build_features(
    catalogue: str,
    name: str,
    target: str,
    *,
    interval: str = "1d",
    symbols: Sequence[str] = (),
    windows: FeatureWindows | None = None,
) -> dict[str, Any]:
    """Compute the features of a data set on the running Ray, below the folder `target`.

    A symbol's features are in `symbol=<symbol>/part-0.parquet`. On several machines both
    folders must be on storage that all of them share.

    Returns
    -------
    dict
        What `features.json` holds: the data set, its hash, windows, interval, and rows by symbol.

    Raises
    ------
    DataError
        If the data set has no bars of that interval, or lacks a symbol.
    """
    import ray.data as ray_data

    windows = windows or FeatureWindows()
    manifest = Catalogue(catalogue).manifest(name)
    known = {
        s for t in manifest.tables for s in t.symbols if (t.kind, t.interval) == _bars(interval)
    }
    wanted = tuple(dict.fromkeys(symbols)) or tuple(sorted(known))
    missing = [symbol for symbol in wanted if symbol not in known]
    if missing or not wanted:
        what = f"of {missing[0]}" if missing else "at all"
        raise DataError(f"data set {name!r} has no bars of {interval} {what}.")
    work = partial(
        _write_features, catalogue=catalogue, name=name, target=target, interval=interval,
        windows=windows,
    )  # fmt: skip
    pieces = ray_data.from_items([{"symbol": s} for s in wanted], override_num_blocks=len(wanted))
    done = pieces.map(work).take_all()
    summary = {
        "data_set": name,
        "data_hash": manifest.data_hash,
        "interval": interval,
        "windows": asdict(windows),
        "rows": {
            row["symbol"]: int(row["rows"]) for row in sorted(done, key=lambda r: r["symbol"])
        },
    }
    Folder(target).write(SUMMARY, msgspec.json.format(msgspec.json.encode(summary), indent=1))
    return summary


def _write_features(
    row: Mapping[str, str],
    *,
    catalogue: str,
    name: str,
    target: str,
    interval: str,
    windows: FeatureWindows,
) -> dict[str, Any]:
    """Run by Ray: one symbol from bars to a file."""
    symbol = row["symbol"]
    bars = Catalogue(catalogue).read(name, Kind.BAR, interval, (symbol,))
    buffer = io.BytesIO()
    features_of(bars, windows).write_parquet(buffer, compression="zstd")
    Folder(target).write(f"symbol={symbol}/part-0.parquet", buffer.getvalue())
    return {"symbol": symbol, "rows": bars.height}


def _momentum(close: FloatArray, window: int) -> FloatArray:
    momentum = np.full_like(close, np.nan)
    momentum[window:] = close[window:] / close[:-window] - 1.0
    return momentum


def _bars(interval: str) -> tuple[Kind, str]:
    return Kind.BAR, interval
