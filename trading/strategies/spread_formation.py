"""Which two instruments move together, and how far apart they are: what all spread strategies share.

Source: Gatev, Goetzmann and Rouwenhorst (2006), "Pairs Trading", Review of Financial Studies 19 (a formation
period, then a trading period); Vidyamurthy (2004), "Pairs Trading" (spreads of log prices, chosen by
cointegration).

A period begins flat at the first bar of a calendar period, with pairs formed on the bars up to and including
it, and ends before the next one: its memory is finite.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trading.identifiers import InstrumentId, symbol_of
from trading.indicators.cointegration import SIGNIFICANCE_LEVELS, critical_value, engle_granger
from trading.indicators.johansen import CRITICAL_TRACE, johansen
from trading.indicators.periods import BARS_PER_MONTH_MAX, period_starts
from trading.indicators.rolling import FloatArray
from trading.strategies.strategy import Bars, require_range

Indices = NDArray[np.intp]

TESTS = ("engle_granger", "johansen")

_COLUMNS_AT_ONCE = 96
"""Pairs whose samples stay in the processor's cache during a test (of a year of daily bars)."""

_FLAT = 1e-12
"""A spread of log prices with a smaller deviation does not move."""


@dataclass(frozen=True, slots=True, eq=False)
class Formation:
    """Pairs, the best first: spread = log y - alpha - beta log x, in units of `deviation`."""

    y: Indices
    x: Indices
    alpha: FloatArray
    beta: FloatArray
    deviation: FloatArray

    def at(self, pairs: Indices | slice) -> "Formation":
        """Return some of the pairs."""
        return Formation(
            self.y[pairs], self.x[pairs], self.alpha[pairs], self.beta[pairs], self.deviation[pairs]
        )

    def followed_by(self, other: "Formation") -> "Formation":
        """Return these pairs, then those of `other`."""
        return Formation(
            np.concatenate([self.y, other.y]),
            np.concatenate([self.x, other.x]),
            np.concatenate([self.alpha, other.alpha]),
            np.concatenate([self.beta, other.beta]),
            np.concatenate([self.deviation, other.deviation]),
        )

    def score(self, logs: FloatArray) -> FloatArray:
        """Z-score of each pair's spread: (time, pair)."""
        spread = logs[:, self.y] - self.alpha - self.beta * logs[:, self.x]
        return spread / self.deviation

    def weights(
        self, sides: FloatArray, beta: FloatArray, max_pairs: int, instruments: int
    ) -> FloatArray:
        """Return weights (time, instrument); an open pair has a gross weight of 1 / `max_pairs`.

        Parameters
        ----------
        sides : (time, pair)
            1: long y and short x; -1 the other way; 0 flat.
        beta : (time, pair) or (pair,)
            Value of x for each unit of y (> 0).
        """
        unit = sides / (1.0 + beta) / max_pairs
        weights = np.zeros((sides.shape[0], instruments))
        weights[:, self.y] = unit
        weights[:, self.x] = -unit * beta
        return weights


def require_spread_parameters(strategy: object) -> None:
    """Check the parameters that all spread strategies have.

    Raises
    ------
    ValueError
        Naming the strategy, the parameter, what it may be and the value.
    """
    require_range(strategy, "formation_bars", 30, 2520)
    require_range(strategy, "trading_months", 1, 12)
    require_range(strategy, "max_pairs", 1, 500)
    require_choice(strategy, "significance", SIGNIFICANCE_LEVELS)
    require_choice(strategy, "test", TESTS)
    for name in ("entry_z", "exit_z", "stop_z"):
        require_range(strategy, name, 0.0, 20.0)
    leave, entry, stop = (getattr(strategy, name) for name in ("exit_z", "entry_z", "stop_z"))
    if not leave < entry < stop:
        raise ValueError(
            f"{type(strategy).__name__}: must be exit_z < entry_z < stop_z, "
            f"got {leave}, {entry}, {stop}"
        )


def require_choice(strategy: object, name: str, choices: tuple[object, ...]) -> None:
    """Check that the parameter `name` is one of `choices`.

    Raises
    ------
    ValueError
        Naming the strategy, the parameter, the choices and the value.
    """
    value = getattr(strategy, name)
    if value not in choices:
        known = ", ".join(map(str, choices))
        raise ValueError(f"{type(strategy).__name__}: {name} must be one of {known}, got {value!r}")


def spread_lookback(formation_bars: int, months: int) -> int:
    """Return the bars of the formation, and the longest period that trades on it."""
    return formation_bars + BARS_PER_MONTH_MAX * months - 1


def trade_periods(
    bars: Bars, formation_bars: int, months: int, trade: Callable[[int, int], FloatArray]
) -> FloatArray:
    """Return the weights (time, instrument) of all periods that have their formation.

    Parameters
    ----------
    trade : callable
        Weights of one period: (start row, stop row) -> (stop - start, instrument).
    """
    weights = np.zeros(bars.close.shape)
    lookback = spread_lookback(formation_bars, months)
    starts = np.flatnonzero(period_starts(bars.ts, months))
    for start, end in itertools.pairwise([*starts.tolist(), len(bars)]):
        stop = min(end, start + BARS_PER_MONTH_MAX * months)
        if start >= formation_bars - 1 and stop > lookback - 1:
            weights[start:stop] = trade(start, stop)
    weights[: lookback - 1] = 0.0
    return weights


def log_closes(bars: Bars) -> FloatArray:
    """Return log closing prices (time, instrument), computed once per `bars`."""
    return bars.derived("log_close", lambda: np.log(bars.close))


def cointegrated_pairs(
    sample: FloatArray, test: str, significance: float, columns: Indices | None = None
) -> Formation:
    """Return the pairs that pass `test`, the strongest first, each instrument once.

    A hedge must be on the other side (beta > 0), and a spread must move. The first n pairs are those that a search for n would find.

    Parameters
    ----------
    sample : (time, instrument)
        Log prices of the formation; an instrument with a NaN is left out.
    test : str
        One of `TESTS`.
    significance : float
        One of `SIGNIFICANCE_LEVELS`.
    columns : (column,) or None
        The instruments that may be paired (all).
    """
    known = np.flatnonzero(np.isfinite(sample).all(axis=0))
    if columns is not None:
        known = np.intersect1d(known, columns)
    run = _by_engle_granger if test == "engle_granger" else _by_johansen
    pairs, statistic, is_linked = run(sample, known, significance)
    order = np.argsort(statistic, stable=True)
    is_usable = is_linked & (pairs.beta > 0) & (pairs.deviation > _FLAT)
    ranked = pairs.at(order[is_usable[order]])
    return ranked.at(_disjoint(ranked))


def same_symbol_pairs(sample: FloatArray, instruments: tuple[InstrumentId, ...]) -> Formation:
    """Return the pairs that are one symbol on two venues (beta 1), in the order of the columns, each once.

    Parameters
    ----------
    sample : (time, instrument)
        Log prices of the formation; an instrument with a NaN is left out.
    """
    known = np.flatnonzero(np.isfinite(sample).all(axis=0)).tolist()
    found = [
        (y, x)
        for y, x in itertools.combinations(known, 2)
        if symbol_of(instruments[y]) == symbol_of(instruments[x])
    ]
    y, x = np.array(found, dtype=np.intp).reshape(-1, 2).T
    spread = sample[:, y] - sample[:, x]
    alpha, deviation = spread.mean(axis=0), spread.std(axis=0)
    moving = np.flatnonzero(deviation > _FLAT)
    pairs = Formation(y, x, alpha, np.ones(y.shape), deviation).at(moving)
    return pairs.at(_disjoint(pairs))


def until_stopped(sides: FloatArray, score: FloatArray, stop_z: float) -> FloatArray:
    """Return `sides` (time, pair) until a score reaches `stop_z` or is NaN; 0 from then on."""
    return np.where(np.logical_and.accumulate(np.abs(score) < stop_z, axis=0), sides, 0.0)


def _by_engle_granger(
    sample: FloatArray, known: Indices, significance: float
) -> tuple[Formation, FloatArray, NDArray[np.bool_]]:
    """Every ordered pair, its statistic (low is strong), and whether it passes."""
    y, x = known[np.argwhere(~np.eye(known.size, dtype=np.bool_))].reshape(-1, 2).T
    parts = range(0, y.size, _COLUMNS_AT_ONCE)
    tests = [
        engle_granger(sample[:, y[part]], sample[:, x[part]])
        for part in np.array_split(np.arange(y.size), max(len(parts), 1))
    ]
    alpha, beta, deviation, statistic = (
        np.concatenate([getattr(test, name) for test in tests])
        for name in ("alpha", "beta", "deviation", "statistic")
    )
    is_linked = statistic < critical_value(significance, sample.shape[0])
    return Formation(y, x, alpha, beta, deviation), statistic, is_linked


def _by_johansen(
    sample: FloatArray, known: Indices, significance: float
) -> tuple[Formation, FloatArray, NDArray[np.bool_]]:
    """Every pair (the test does not tell y from x), its trace (negative), and whether it passes."""
    y, x = np.triu_indices(known.size, 1)
    test = johansen(sample[:, known], y, x)
    pairs = Formation(known[y], known[x], test.alpha, test.beta, test.deviation)
    return pairs, -test.trace, test.trace > CRITICAL_TRACE[significance]


def _disjoint(pairs: Formation) -> Indices:
    """The pairs that share no instrument with an earlier one that was kept."""
    kept: list[int] = []
    taken: set[int] = set()
    for pair, legs in enumerate(zip(pairs.y.tolist(), pairs.x.tolist(), strict=True)):
        if taken.isdisjoint(legs):
            kept.append(pair)
            taken.update(legs)
    return np.array(kept, dtype=np.intp)
