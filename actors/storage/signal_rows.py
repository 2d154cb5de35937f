"""Rows of a file or a pipe as published facts: tones, forecasts, a leader's trades.

Each row is an object of JSON or a line of CSV with a header. Numbers stay decimal.
"""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from itertools import chain
from typing import Any

from trading.errors import DataError
from trading.events import ForecastPublished, LeaderTraded, SentimentPublished, SignalPublished
from trading.identifiers import InstrumentId, TradeId
from trading.strategies.holdings import end_of_day
from trading.strategies.published import problem_of

Row = Mapping[str, Any]

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "sentiment": ("score",),
    "forecast": ("expected_return", "deviation", "horizon_bars", "expires"),
    "leader": ("trade_id", "quantity", "price", "capital"),
}
"""What a row of each kind must have besides `symbol` (or `instrument_id`)."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_rows(lines: Iterable[str]) -> Iterator[Row]:
    """Yield the rows of CSV with a header, or of JSON lines, as they come.

    Raises
    ------
    DataError
        If a line is neither; names the line.
    """
    numbered = iter(enumerate(lines, 1))
    for number, line in numbered:
        if not line.strip():
            continue
        if line.lstrip().startswith("{"):
            yield from _json_rows(chain([(number, line)], numbered))
        else:
            yield from _csv_rows(line, numbered)


def fact_of(
    row: Row,
    kind: str,
    source: str,
    instrument_of: Callable[[str], InstrumentId],
    market_time: Callable[[], int],
) -> SignalPublished:
    """Return the fact that a row states.

    Parameters
    ----------
    kind : {"forecast", "leader", "sentiment"}
    instrument_of : function from symbol to instrument_id
        For rows that have a `symbol` and no `instrument_id`.
    market_time : function
        Returns when a row without a `time` became known (ns UTC); 0: each row needs one.

    Raises
    ------
    DataError
        If something is missing or wrong; the sentence begins with what.
    """
    missing = [name for name in COLUMNS[kind] if _is_empty(row, name)]
    if missing:
        raise DataError(f"there is no {missing[0]!r}")
    common: dict[str, Any] = {
        "ts_event": _known_at(row, market_time),
        "source": source,
        "instrument_id": _instrument(row, instrument_of),
    }
    fact: SignalPublished
    match kind:
        case "sentiment":
            fact = SentimentPublished(**common, score=_decimal(row, "score"))
        case "forecast":
            fact = ForecastPublished(
                **common,
                expected_return=_decimal(row, "expected_return"),
                deviation=_decimal(row, "deviation"),
                horizon_bars=int(_decimal(row, "horizon_bars")),
                expires_at=moment_ns(row["expires"]),
                model=str(row.get("model", "")),
            )
        case _:
            fact = LeaderTraded(
                **common,
                trade_id=TradeId(str(row["trade_id"])),
                quantity=_signed_quantity(row),
                price=_decimal(row, "price"),
                capital=_decimal(row, "capital"),
            )
    if problem := problem_of(fact):
        raise DataError(problem)
    return fact


def moment_ns(value: object) -> int:
    """Return a time as ns UTC: ISO 8601 (UTC unless it says otherwise), or ns as a number.

    A day counts from its end on: what was written on it is known then.

    Raises
    ------
    DataError
        If it is no time.
    """
    text = str(value).strip()
    if text.isdigit() and len(text) > 8:
        return int(text)
    try:
        if len(text) == len("2024-01-31"):
            return ns_of(date.fromisoformat(text))
        return ns_of(datetime.fromisoformat(text))
    except ValueError:
        raise DataError(f"{value!r} is no time; write 2024-01-31T16:00:00Z") from None


def ns_of(moment: date) -> int:
    """Return a moment, UTC unless it says otherwise, or the end of a day, as ns UTC."""
    if not isinstance(moment, datetime):
        return end_of_day(moment)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1) * 1_000


def _json_rows(numbered: Iterable[tuple[int, str]]) -> Iterator[Row]:
    for number, line in numbered:
        if not line.strip():
            continue
        try:
            row = json.loads(line, parse_float=Decimal)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise DataError(f"line {number} is no JSON object: {line.strip()[:60]!r}")
        yield row


def _csv_rows(header: str, numbered: Iterable[tuple[int, str]]) -> Iterator[Row]:
    names = [name.strip() for name in next(csv.reader([header]))]
    for number, line in numbered:
        if not line.strip():
            continue
        cells = next(csv.reader([line]))
        if len(cells) != len(names):
            raise DataError(f"line {number} has {len(cells)} cells, the header has {len(names)}")
        yield dict(zip(names, cells, strict=True))


def _is_empty(row: Row, name: str) -> bool:
    return row.get(name) is None or str(row[name]).strip() == ""


def _known_at(row: Row, market_time: Callable[[], int]) -> int:
    name = "ts_event" if "ts_event" in row else "time"
    if not _is_empty(row, name):
        return moment_ns(row[name])
    now = market_time()
    if not now:
        raise DataError("there is no 'time', and no running cluster says what time it is")
    return now


def _instrument(row: Row, instrument_of: Callable[[str], InstrumentId]) -> InstrumentId:
    if not _is_empty(row, "instrument_id"):
        return InstrumentId(str(row["instrument_id"]))
    if _is_empty(row, "symbol"):
        raise DataError("there is no 'symbol'")
    return instrument_of(str(row["symbol"]).strip())


def _decimal(row: Row, name: str) -> Decimal:
    try:
        return Decimal(str(row[name]).strip())
    except InvalidOperation:
        raise DataError(f"the {name} is {row[name]!r}, not a number") from None


def _signed_quantity(row: Row) -> Decimal:
    """A row with a side has its quantity without a sign."""
    quantity = _decimal(row, "quantity")
    side = str(row.get("side", "")).upper()
    if side not in ("", "BUY", "SELL"):
        raise DataError(f"the side is {row['side']!r}; write BUY or SELL")
    return -abs(quantity) if side == "SELL" else abs(quantity) if side else quantity
