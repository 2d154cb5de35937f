"""Signals that somebody publishes: facts of a shared stream as rows beside the bars.

A fact counts from the moment that it became known (`ts_event`): row t of a signal is made of what was known when bar
t closed. One that arrives after the decision at that bar is counted as late and is there for the next decision.
A forecast is never traded on after its `expires_at`: one that expired on its way is discarded, one that expires while
it is the newest leaves its instrument without a forecast; both are counted as stale.
Whether the facts come from a live stream or from a file of the past, the rows are the same.
"""

from bisect import bisect_right, insort
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from trading.events import ForecastPublished, LeaderTraded, SentimentPublished, SignalPublished
from trading.identifiers import InstrumentId, StreamName
from trading.indicators.periods import IntArray
from trading.indicators.rolling import FloatArray
from trading.strategies.holdings import in_force
from trading.strategies.signals import (
    FORECAST_DEVIATION,
    FORECAST_RETURN,
    LEADER_WEIGHT,
    SENTIMENT,
)

SIGNALS_OF: Mapping[str, tuple[str, ...]] = {
    "forecast": (FORECAST_RETURN, FORECAST_DEVIATION),
    "leader": (LEADER_WEIGHT,),
    "sentiment": (SENTIMENT,),
}
"""The signals that the facts of each kind fill."""


def signal_stream(source: str) -> StreamName:
    """Return the shared stream that a source writes to."""
    return StreamName(f"signals:{source}")


def problem_of(fact: SignalPublished) -> str:
    """Return what is wrong with a fact, in words that finish "the score is 3, ...", or an empty string."""
    numbers = {
        name: value
        for name in ("score", "expected_return", "deviation", "quantity", "price", "capital")
        if (value := getattr(fact, name, None)) is not None
    }
    for name, value in numbers.items():
        if not value.is_finite():
            return f"the {name} is {value}, not a finite number"
        if name in ("deviation", "price", "capital") and value <= 0:
            return f"the {name} is {value}, must be above 0"
    match fact:
        case SentimentPublished() if abs(fact.score) > 1:
            return f"the score is {fact.score}, must be from -1 to 1"
        case ForecastPublished() if fact.horizon_bars < 1:
            return f"the horizon is {fact.horizon_bars} bars, must be at least 1"
        case ForecastPublished() if fact.expires_at <= fact.ts_event:
            return "the forecast expires before it is known"
        case LeaderTraded() if not fact.trade_id:
            return "the trade has no trade_id"
    return ""


class Rows(Protocol):
    """Facts of one kind, and the rows that they make.

    Attributes
    ----------
    stale : int
        Facts that had expired when the newest row wanted them, each counted once.
    """

    stale: int

    def add(self, fact: Any) -> None: ...

    def rows(self, ts: IntArray, before: int) -> Mapping[str, FloatArray]: ...


class Tones:
    """SENTIMENT: the newest score since the bar before; NaN when nothing was written."""

    def __init__(self, instrument_ids: Sequence[InstrumentId]) -> None:
        self.stale = 0
        self._column = {name: i for i, name in enumerate(instrument_ids)}
        self._facts: list[SentimentPublished] = []

    def add(self, fact: SentimentPublished) -> None:
        if fact.instrument_id in self._column:
            insort(self._facts, fact, key=_moment)

    def rows(self, ts: IntArray, before: int) -> Mapping[str, FloatArray]:
        """Return (time, instrument). Facts until `before`, the close of the bar before the first, are forgotten."""
        self._facts = self._facts[bisect_right(self._facts, before, key=_moment) :]
        tone = np.full((len(ts), len(self._column)), np.nan)
        at = np.searchsorted(ts, [fact.ts_event for fact in self._facts])
        for row, fact in zip(at.tolist(), self._facts, strict=True):
            if row < len(ts):
                tone[row, self._column[fact.instrument_id]] = float(fact.score)
        return {SENTIMENT: tone}


class Forecasts:
    """FORECAST_RETURN and FORECAST_DEVIATION: the newest forecast of an instrument until it expires."""

    def __init__(self, instrument_ids: Sequence[InstrumentId]) -> None:
        self.stale = 0
        self._facts: list[list[ForecastPublished]] = [[] for _ in instrument_ids]
        self._missed: dict[int, ForecastPublished] = {}
        """The stale forecast of an instrument that was counted last."""
        self._column = {name: i for i, name in enumerate(instrument_ids)}

    def add(self, fact: ForecastPublished) -> None:
        column = self._column.get(fact.instrument_id)
        if column is not None:
            insort(self._facts[column], fact, key=_moment)

    def rows(self, ts: IntArray, before: int) -> Mapping[str, FloatArray]:
        """Return two arrays (time, instrument); of the facts until `before` only the newest are kept."""
        shape = (len(ts), len(self._column))
        expected, deviation = np.full(shape, np.nan), np.full(shape, np.nan)
        for column, facts in enumerate(self._facts):
            del facts[: _newest_at(facts, before)]
            for fact in facts:
                known, expired = np.searchsorted(ts, [fact.ts_event, fact.expires_at + 1])
                for array, value in (
                    (expected, fact.expected_return),
                    (deviation, fact.deviation),
                ):
                    array[known:expired, column] = float(value)
                    array[expired:, column] = np.nan
            self._count_stale(column, int(ts[-1]))
        return {FORECAST_RETURN: expected, FORECAST_DEVIATION: deviation}

    def _count_stale(self, column: int, now: int) -> None:
        known = bisect_right(self._facts[column], now, key=_moment)
        newest = self._facts[column][known - 1] if known else None
        if newest and newest.expires_at < now and newest is not self._missed.get(column):
            self._missed[column] = newest
            self.stale += 1


class Leader:
    """LEADER_WEIGHT of an account that is flat before its first trade.

    A position is valued at the price of its own last trade, over the capital of the newest trade of all: weights
    change when the leader trades, not when prices move. Trades count in the order in which they arrive.
    """

    def __init__(self, instrument_ids: Sequence[InstrumentId]) -> None:
        self.stale = 0
        self._column = {name: i for i, name in enumerate(instrument_ids)}
        self._trades: set[str] = set()
        self._quantity, self._price = np.zeros((2, len(self._column)))
        self._known_from: list[int] = []
        self._portfolios: list[FloatArray] = []

    def add(self, fact: LeaderTraded) -> None:
        if fact.trade_id in self._trades:
            return
        self._trades.add(fact.trade_id)
        column = self._column.get(fact.instrument_id)
        if column is not None:
            self._quantity[column] += float(fact.quantity)
            self._price[column] = float(fact.price)
        self._known_from.append(max([fact.ts_event, *self._known_from[-1:]]))
        self._portfolios.append(self._quantity * self._price / float(fact.capital))

    def rows(self, ts: IntArray, before: int) -> Mapping[str, FloatArray]:
        """Return (time, instrument), NaN before the first trade; of those until `before` only the newest is kept."""
        first = max(bisect_right(self._known_from, before) - 1, 0)
        del self._known_from[:first], self._portfolios[:first]
        return {LEADER_WEIGHT: in_force(self._known_from, self._portfolios, ts, len(self._column))}


_ROWS: Mapping[str, Callable[[Sequence[InstrumentId]], Rows]] = {
    "forecast": Forecasts,
    "leader": Leader,
    "sentiment": Tones,
}
_KIND: Mapping[type[SignalPublished], str] = {
    ForecastPublished: "forecast",
    LeaderTraded: "leader",
    SentimentPublished: "sentiment",
}


class PublishedSignals:
    """What one strategy reads of what is published.

    Parameters
    ----------
    sources : mapping of kind to source
        A kind is a key of `SIGNALS_OF`.
    """

    def __init__(self, sources: Mapping[str, str], instrument_ids: Sequence[InstrumentId]) -> None:
        self._sources = dict(sources)
        self._rows = {kind: _ROWS[kind](instrument_ids) for kind in sources}
        self._counts = {"heard": 0, "late": 0, "invalid": 0, "stale": 0}

    @property
    def streams(self) -> tuple[StreamName, ...]:
        return tuple(signal_stream(source) for source in sorted(set(self._sources.values())))

    def apply(self, fact: SignalPublished, decided_at: int) -> None:
        """Take a fact; one that is wrong, or a forecast that has expired, is counted and has no effect.

        Parameters
        ----------
        decided_at : int
            Close of the newest bar that was decided on (ns UTC).
        """
        kind = _KIND[type(fact)]
        if self._sources.get(kind) != fact.source:
            return
        self._counts["heard"] += 1
        if problem_of(fact):
            self._counts["invalid"] += 1
            return
        if isinstance(fact, ForecastPublished) and fact.expires_at <= decided_at:
            self._counts["stale"] += 1
            return
        self._counts["late"] += fact.ts_event <= decided_at
        self._rows[kind].add(fact)

    def signals(self, ts: IntArray, before: int = 0) -> dict[str, FloatArray]:
        """Return each signal as (time, instrument).

        Parameters
        ----------
        ts : (time,)
            Close of each bar (ns UTC), rising; never older than in the call before.
        before : int
            Close of the bar before the first; 0 when there is none.
        """
        found: dict[str, FloatArray] = {}
        for rows in self._rows.values():
            found.update(rows.rows(ts, before))
        return found

    def view(self) -> Mapping[str, int]:
        """Return how many facts were heard, and of them how many were late, wrong or stale."""
        stale = self._counts["stale"] + sum(rows.stale for rows in self._rows.values())
        return {**self._counts, "stale": stale}


def _moment(fact: SignalPublished) -> int:
    return fact.ts_event


def _newest_at(facts: Sequence[SignalPublished], moment: int) -> int:
    """Return the place of the newest fact known at `moment`; 0 when there is none."""
    return max(bisect_right(facts, moment, key=_moment) - 1, 0)
