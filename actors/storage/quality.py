"""What looks wrong in stored data: gaps, repeats, impossible prices, jumps, stale runs."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from actors.storage.calendars import NO_CALENDAR, Sessions, sessions_between
from actors.storage.catalogue import Catalogue
from actors.storage.kinds import Kind, interval_ns
from actors.storage.manifest import hash_of
from trading.values import NANOS_PER_DAY

SERIOUS = "serious"
WARNING = "warning"
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Limits:
    """Where ordinary ends.

    Attributes
    ----------
    missing_share : float
        Of the bars that the calendar expects; more missing is serious, fewer are a warning.
    outlier_z : float
        Robust z-score of a log return: 0.6745 (r - median) / MAD.
    move_min : float
        Log return; a smaller one is never an outlier, however quiet the market.
    spike_z : float
        A jump beyond this robust z-score ...
    reverting_share : float
        ... of which the next row takes back all but this share is a bad tick. Real crashes that
        reverse on the next day (JPM on 2009-01-20: z about 15) stay below.
    jump_rows_min : int
        With fewer rows nobody knows what is ordinary.
    stale_bars : int
        Bars in a row with the same close.
    """

    missing_share: float = 0.01
    outlier_z: float = 12.0
    move_min: float = 0.005
    spike_z: float = 30.0
    reverting_share: float = 0.1
    jump_rows_min: int = 30
    stale_bars: int = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of trouble of one symbol.

    Attributes
    ----------
    severity : str
        `serious` or `warning`.
    count : int
        Rows, or missing bars.
    first : int
        Where it begins (ns UTC); 0 when it is nowhere in particular.
    """

    symbol: str
    check: str
    severity: str
    count: int
    first: int
    detail: str


def check_data_set(
    catalogue: Catalogue, name: str, calendar: str = NO_CALENDAR, limits: Limits | None = None
) -> list[Finding]:
    """Return all findings, the serious ones first.

    Parameters
    ----------
    calendar : str
        Code of the exchange, `24/7`, or `none`: then gaps are not looked for.

    Raises
    ------
    DataError
        If the data set is missing or damaged, or there is no such calendar.
    """
    limits = limits or Limits()
    manifest = catalogue.manifest(name)
    sessions = sessions_between(calendar, manifest.first, manifest.last)
    tables = catalogue.tables(name)
    findings = []
    if hash_of(tables, catalogue.actions(name)) != manifest.data_hash:
        detail = "the files do not hold what was imported; import the data set again"
        findings.append(Finding("*", "changed", SERIOUS, 1, 0, detail))
    for table in tables:
        for rows in table.frame.partition_by("symbol", maintain_order=True):
            if table.kind is Kind.BAR:
                findings += check_bars(rows, table.interval, sessions, limits)
            else:
                findings += check_events(rows, table.kind, limits)
    return sorted(findings, key=lambda f: (f.severity != SERIOUS, f.symbol, f.first))


def check_bars(
    bars: pl.DataFrame, interval: str, sessions: Sessions | None, limits: Limits
) -> list[Finding]:
    """Return the findings in the bars of one symbol."""
    symbol, ts = bars["symbol"][0], bars["ts"].to_numpy()
    close = bars["close"].to_numpy()
    prices = bars.select("open", "high", "low", "close").to_numpy()
    opens, high, low = prices[:, 0], prices[:, 1], prices[:, 2]
    body_high, body_low = np.maximum(opens, close), np.minimum(opens, close)
    report = _Reporter(symbol, ts)
    report.order(may_repeat=False)
    report.rows("price", SERIOUS, ~np.all(prices > 0, axis=1), "a price is not above 0")
    report.rows("range", SERIOUS, high < low, "the high is below the low")
    is_outside = (body_high > high) | (body_low < low)
    report.rows("range", WARNING, is_outside & (high >= low), "open or close outside low to high")
    report.jumps(close, limits)
    report.stale(close, limits)
    volume = bars["volume"].to_numpy()
    if volume.any():
        report.rows("volume", WARNING, volume == 0, "no volume")
    if sessions is not None:
        report.gaps(interval, sessions, limits)
    return report.findings


def check_events(events: pl.DataFrame, kind: Kind, limits: Limits) -> list[Finding]:
    """Return the findings in the quotes, trades or book deltas of one symbol."""
    report = _Reporter(events["symbol"][0], events["ts"].to_numpy())
    report.order(may_repeat=True)
    steps = np.diff(events["sequence"].to_numpy(), prepend=events["sequence"][0] - 1)
    report.rows("sequence", SERIOUS, steps != 1, "the sequence does not rise by one")
    if kind is Kind.QUOTE:
        bid, ask = events["bid_px"].to_numpy(), events["ask_px"].to_numpy()
        report.rows("crossed", SERIOUS, bid > ask, "the bid is above the ask")
        report.jumps((bid + ask) / 2, limits)
    elif kind is Kind.TRADE:
        report.rows("size", WARNING, events["size"].to_numpy() == 0, "no size")
        report.jumps(events["price"].to_numpy(), limits)
    return report.findings


class _Reporter:
    """Collects the findings of one symbol."""

    def __init__(self, symbol: str, ts: NDArray[np.int64]) -> None:
        self.findings: list[Finding] = []
        self._symbol = symbol
        self._ts = ts

    def rows(self, check: str, severity: str, is_bad: BoolArray, detail: str) -> None:
        if is_bad.any():
            self._add(check, severity, int(is_bad.sum()), int(self._ts[is_bad.argmax()]), detail)

    def order(self, *, may_repeat: bool) -> None:
        steps = np.diff(self._ts, prepend=self._ts[0] - 1)
        self.rows("order", SERIOUS, steps < 0, "a row is older than the one before it")
        if not may_repeat:
            self.rows("duplicate", SERIOUS, steps == 0, "a time is there twice")

    def jumps(self, price: FloatArray, limits: Limits) -> None:
        """Tell bad ticks, which the next row takes back, from jumps that last."""
        if price.size < limits.jump_rows_min:
            return
        score, returns = robust_scores(price)
        size = np.abs(score)
        is_jump = (size > limits.outlier_z) & (np.abs(returns) >= limits.move_min)
        after = np.append(returns[1:], 0.0)
        is_taken_back = np.abs(returns + after) < limits.reverting_share * np.abs(returns)
        is_spike = is_jump & is_taken_back & (size > limits.spike_z)
        detail = f"beyond {limits.spike_z:g} robust deviations that the next row takes back"
        self.rows("spike", SERIOUS, is_spike, f"a jump {detail}")
        is_return = np.append(False, is_spike[:-1])
        lasting = is_jump & ~is_spike & ~is_return
        self.rows(
            "jump", WARNING, lasting, f"a return beyond {limits.outlier_z:g} robust deviations"
        )

    def stale(self, close: FloatArray, limits: Limits) -> None:
        starts = np.flatnonzero(np.append(True, np.diff(close) != 0))
        lengths = np.diff(np.append(starts, close.size))
        is_long = lengths >= limits.stale_bars
        if is_long.any():
            first = int(self._ts[starts[is_long.argmax()]])
            longest = int(lengths.max())
            detail = f"the close stands still, for {longest} bars at most"
            self._add("stale", WARNING, int(lengths[is_long].sum()), first, detail)

    def gaps(self, interval: str, sessions: Sessions, limits: Limits) -> None:
        """Compare with the bars that the calendar expects between the first and the last one."""
        expected, there = self._expected(interval, sessions)
        is_missing = ~np.isin(expected, there)
        missing = int(is_missing.sum())
        if missing:
            runs = int((np.diff(is_missing.astype(np.int8), prepend=0) == 1).sum())
            share = missing / expected.size
            severity = SERIOUS if share > limits.missing_share else WARNING
            first = int(expected[is_missing.argmax()])
            detail = f"{share:.2%} of {expected.size:,} bars are missing, in {runs:,} gaps"
            self._add("gap", severity, missing, first, detail)
        surplus = ~np.isin(there, expected)
        self.rows("closed", WARNING, surplus, "a bar while the calendar says closed")

    def _expected(
        self, interval: str, sessions: Sessions
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return what should be and what is there; days are compared as days of the exchange."""
        if interval_ns(interval) < NANOS_PER_DAY:
            first, last = int(self._ts[0]), int(self._ts[-1])
            return sessions.closes_of_bars(interval, first, last), self._ts
        moments = pl.Series(self._ts - 1).cast(pl.Datetime("ns")).dt.replace_time_zone("UTC")
        days = moments.dt.convert_time_zone(sessions.time_zone).dt.date().to_numpy()
        there = days.astype("datetime64[ns]").astype(np.int64)
        expected = sessions.days.astype("datetime64[ns]").astype(np.int64)
        return expected[(expected >= there[0]) & (expected <= there[-1])], there

    def _add(self, check: str, severity: str, count: int, first: int, detail: str) -> None:
        self.findings.append(Finding(self._symbol, check, severity, count, first, detail))


def robust_scores(price: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the robust z-score of each log return, and the log returns; 0 at the first row.

    The median and the median absolute deviation (MAD) are of the returns that are not 0, so that a
    market that rarely trades has a scale too (Iglewicz and Hoaglin, 1993: z = 0.6745 (r - median) / MAD).
    """
    safe = np.where(price > 0, price, np.nan)
    returns = np.nan_to_num(np.diff(np.log(safe), prepend=np.log(safe[:1])))
    moved = returns[returns != 0]
    if moved.size == 0:
        return np.zeros_like(returns), returns
    median = np.median(moved)
    deviation = np.median(np.abs(moved - median))
    if deviation == 0:
        return np.zeros_like(returns), returns
    return 0.6745 * (returns - median) / deviation, returns
