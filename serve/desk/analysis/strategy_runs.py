"""What a running strategy has made, from its journalled marks."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from serve.desk.accounts import AccountViews, accounts_of
from serve.desk.analysis.catalogue import canonical
from serve.desk.answers import StrategyPoint, StrategyStanding
from serve.desk.front_desk import FrontDesk
from serve.desk.portfolio import portfolio_of
from serve.desk.view import ClusterSnapshot
from trading.errors import NotFound
from trading.indicators.periods import IntArray
from trading.indicators.rolling import FloatArray
from trading.values import NANOS_PER_DAY

MARKS_MAX = 200_000


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """The equity of one strategy at the end of each day.

    Attributes
    ----------
    ts : (day,) int64
        The last mark of each day (ns UTC).
    equity : (day,)
        Capital plus profit.
    base : float
        Equity before the first of these days.
    """

    ts: IntArray
    equity: FloatArray
    base: float

    @property
    def returns(self) -> FloatArray:
        """Simple returns: (day,)."""
        before = np.concatenate([[self.base], self.equity[:-1]])
        changes: FloatArray = self.equity / before[: self.equity.size] - 1.0
        return changes

    def last_days(self, days: int) -> "Course":
        """Return the newest `days` calendar days."""
        if not self.ts.size:
            return self
        since = int(np.searchsorted(self.ts, self.ts[-1] - days * NANOS_PER_DAY, side="right"))
        base = float(self.equity[since - 1]) if since else self.base
        return Course(self.ts[since:], self.equity[since:], base)


def standing_of(snapshot: ClusterSnapshot, name: str) -> StrategyStanding:
    """Return how a strategy of the cluster stands, by its id or by a name that is installed.

    Raises
    ------
    NotFound
        If it does not run here.
    """
    rows = {row.strategy_id: row for row in portfolio_of(snapshot).strategies}
    if name in rows:
        return rows[name]
    try:
        own = canonical(name)
    except NotFound:
        own = ""
    if own in rows:
        return rows[own]
    runs = ", ".join(sorted(rows)) or "none"
    instead = f"; `trader backtest {own}` shows what it would have made" if own else ""
    raise NotFound(f"{name!r} does not run in this cluster (running: {runs}){instead}.")


def account_with(snapshot: ClusterSnapshot, strategy_id: str) -> AccountViews:
    """Return the account that a strategy trades for."""
    accounts = list(accounts_of(snapshot))
    own = (each for each in accounts if strategy_id in each.of("ledger").get("strategies", {}))
    return next(own, accounts[0])


def course_of(desk: FrontDesk, standing: StrategyStanding) -> Course:
    """Return the course of a strategy; without marks, or without a capital of its own, it is empty."""
    capital = float(standing.capital)
    nothing = Course(np.empty(0, np.int64), np.empty(0), capital)
    if capital <= 0:
        return nothing
    try:
        marks = desk.trading.strategy_course(standing.strategy_id, MARKS_MAX)
    except NotFound:
        return nothing  # it runs, and the market has not closed a bar since
    daily = list({_day(mark): mark for mark in marks}.values())
    ts = np.array([_ns(mark.at) for mark in daily], np.int64)
    equity = np.array([capital + float(mark.profit) for mark in daily])
    if len(marks) == MARKS_MAX:  # there are older ones: what was before them is not known
        return Course(ts[1:], equity[1:], float(equity[0]))
    return Course(ts, equity, capital)


def _day(mark: StrategyPoint) -> int:
    return _ns(mark.at) // NANOS_PER_DAY


def _ns(at: datetime) -> int:
    return int(at.astimezone(UTC).timestamp() * 1_000) * 1_000_000
