"""Where a backtest's signals come from: forecasts fitted on the past, files of tones and of disclosed holdings.

Nothing is invented silently: what stands in for a missing source says so in a note that ends up in the report.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from actors.storage.signal_rows import ns_of
from trading.errors import DataError, UsageError
from trading.forecasting.forecaster import with_forecast
from trading.forecasting.registry import DEFAULT
from trading.identifiers import symbol_of
from trading.indicators.returns import simple_returns
from trading.indicators.rolling import FloatArray, rolling_std
from trading.strategies.holdings import Holding, HoldingUnit, weights_of_holdings
from trading.strategies.registry import build_strategy
from trading.strategies.signals import (
    FORECAST_DEVIATION,
    FORECAST_RETURN,
    LEADER_WEIGHT,
    SENTIMENT,
)
from trading.strategies.strategy import Bars
from tune.forecasters import Forecasters

TONE_BARS = 63
DISCLOSURE_DAYS = 45
"""Between the end of a quarter and the disclosure of a Form 13F."""
_UNITS: tuple[HoldingUnit, ...] = ("value", "shares", "weight")


@dataclass(frozen=True, slots=True)
class SignalSources:
    """What was given to a run.

    Attributes
    ----------
    forecaster : str
        Name of an installed forecaster, or of a registered model.
    sentiment : str
        CSV or Parquet file `time,symbol,score`; empty for the tone of the prices themselves.
    holdings : str
        CSV or Parquet file `report_date,disclosed_date,symbol` and `value`, `shares` or `weight`; empty
        for the holdings of the momentum strategy, disclosed every quarter as a 13F filer would.
    forecasters : Forecasters
        What the name of a forecaster means.
    """

    forecaster: str = DEFAULT
    sentiment: str = ""
    holdings: str = ""
    forecasters: Forecasters = field(default_factory=Forecasters)


def with_signals(
    bars: Bars, names: Iterable[str], sources: SignalSources
) -> tuple[Bars, tuple[str, ...]]:
    """Return the bars with the signals `names`, and a sentence on where each comes from.

    Raises
    ------
    UsageError
        If nothing provides a signal, or there is no forecaster of that name.
    DataError
        If a file cannot be read or a row of it is wrong.
    """
    wanted = set(names) - set(bars.signals)
    notes = []
    if wanted & {FORECAST_RETURN, FORECAST_DEVIATION}:
        forecaster, note = sources.forecasters.build(sources.forecaster)
        bars = with_forecast(bars, forecaster)
        notes.append(note)
    if SENTIMENT in wanted:
        bars, note = _with_sentiment(bars, sources.sentiment)
        notes.append(note)
    if LEADER_WEIGHT in wanted:
        bars, note = _with_leader(bars, sources.holdings)
        notes.append(note)
    missing = wanted - set(bars.signals)
    if missing:
        raise UsageError(f"nothing provides the signal {min(missing)!r} in a backtest.")
    return bars, tuple(notes)


def price_tone(close: FloatArray) -> FloatArray:
    """Return a tone read from the prices alone, -1 to 1: tanh of the last return in deviations, halved.

    It stands in for text until there is some: reports follow what prices did, as in Tetlock (2007),
    "Giving Content to Investor Sentiment", Journal of Finance 62.

    Parameters
    ----------
    close : (time, instrument)
    """
    change = simple_returns(close)
    deviation = rolling_std(change, TONE_BARS)
    known = np.where(deviation > 0, deviation, np.nan)
    tone: FloatArray = np.tanh(change / known / 2.0)
    return tone


def _with_sentiment(bars: Bars, file: str) -> tuple[Bars, str]:
    if not file:
        tone = price_tone(bars.close)
        note = "Sentiment: a tone made of the prices themselves, as no file of scores was given."
    else:
        tone = _scores(file, bars)
        note = f"Sentiment: {file}."
    return replace(bars, signals={**bars.signals, SENTIMENT: tone}), note


def _with_leader(bars: Bars, file: str) -> tuple[Bars, str]:
    if not file:
        weights = weights_of_holdings(_disclosed(bars), bars.ts, bars.instrument_ids, unit="weight")
        note = (
            "Leader: the momentum strategy's holdings at each quarter's end, known "
            f"{DISCLOSURE_DAYS} days later, as no file of holdings was given."
        )
    else:
        holdings, unit = _holdings(file)
        weights = weights_of_holdings(holdings, bars.ts, bars.instrument_ids, unit, bars.close)
        note = f"Leader: {file}."
    return replace(bars, signals={**bars.signals, LEADER_WEIGHT: weights}), note


def _disclosed(bars: Bars) -> list[Holding]:
    """Return what a filer who follows momentum would have disclosed."""
    weights = build_strategy("momentum", {}).targets(bars)
    days = [datetime.fromtimestamp(ts / 1e9, UTC).date() for ts in bars.ts.tolist()]
    has_held = np.logical_or.accumulate(weights.any(axis=1))
    lines = []
    for row in range(len(days) - 1):
        if (days[row].month - 1) // 3 != (days[row + 1].month - 1) // 3 and has_held[row]:
            known = date.fromordinal(days[row].toordinal() + DISCLOSURE_DAYS)
            lines += [
                Holding(days[row], known, symbol_of(name), float(weights[row, column]))
                for column, name in enumerate(bars.instrument_ids)
            ]
    return lines


def _scores(file: str, bars: Bars) -> FloatArray:
    """Return the newest score of each instrument since the bar before: (time, instrument)."""
    frame = _read(file, ("time", "symbol", "score"))
    _require_numbers(file, frame, "score")
    tone = np.full(bars.close.shape, np.nan)
    columns = {symbol_of(name): i for i, name in enumerate(bars.instrument_ids)}
    for line, (moment, symbol, score) in enumerate(frame.sort("time").iter_rows(), 2):
        if not -1 <= score <= 1:
            raise DataError(f"{file}, {moment} {symbol}: the score {score} is not from -1 to 1.")
        row = int(np.searchsorted(bars.ts, _nanoseconds(file, line, moment)))
        if symbol in columns and row < len(bars):
            tone[row, columns[symbol]] = score
    return tone


def _holdings(file: str) -> tuple[list[Holding], HoldingUnit]:
    known = _read(file, ("report_date", "disclosed_date", "symbol"))
    units = [unit for unit in _UNITS if unit in known.columns]
    if len(units) != 1:
        raise DataError(f"{file}: there must be one column `value`, `shares` or `weight`.")
    unit = units[0]
    _require_numbers(file, known, unit)
    for name in ("report_date", "disclosed_date"):
        if known[name].dtype != pl.Date:
            raise DataError(f"{file}: column {name!r} holds {known[name][0]!r}; write YYYY-MM-DD.")
    rows = known.select("report_date", "disclosed_date", "symbol", unit).iter_rows()
    return [Holding(*row) for row in rows], unit


def _read(file: str, columns: tuple[str, ...]) -> pl.DataFrame:
    path = Path(file).expanduser()
    try:
        if path.suffix == ".parquet":
            frame = pl.read_parquet(path)
        else:
            frame = pl.read_csv(path, try_parse_dates=True, infer_schema_length=None)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = str(error).partition("\n")[0]
        raise DataError(f"{file} cannot be read: {reason}") from error
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise DataError(f"{file}: there is no column {missing[0]!r}.")
    bad = [name for name in frame.columns if frame[name].null_count()]
    if bad:
        raise DataError(f"{file}: column {bad[0]!r} has empty cells.")
    return frame if "score" not in columns else frame.select(columns)


def _require_numbers(file: str, frame: pl.DataFrame, column: str) -> None:
    if not frame[column].dtype.is_numeric():
        numbers = frame[column].cast(pl.String).cast(pl.Float64, strict=False)
        bad = int(numbers.is_null().arg_max() or 0)
        raise DataError(f"{file}: column {column!r} holds {frame[column][bad]!r}, not a number.")


def _nanoseconds(file: str, line: int, moment: Any) -> int:
    """A day counts from its end on: what was written on it is known then."""
    if isinstance(moment, date):
        return ns_of(moment)
    raise DataError(f"{file}, line {line}: {moment!r} is not a time.")
