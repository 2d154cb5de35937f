"""What every subject of the backtest bench is given: the same prices, pairs, fee and warm-up, as files.

Prices are a seeded random walk in steps of a minute, rounded to four decimals, because some peers count
in ticks. The open is near the last close, not on it, so that filling at the wrong one shows.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Pair = tuple[int, int]

SEED = 7
FEE = 1e-4
CASH = 1e10
"""So much that whole units are no coarser than the tolerance."""
MINUTE_NS = 60_000_000_000
FIRST_NS = 1_704_067_200_000_000_000


@dataclass(frozen=True, slots=True)
class Prices:
    """(time,) int64 and (time, instrument) float64 arrays."""

    ts: NDArray[np.int64]
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray


@dataclass(frozen=True, slots=True)
class Work:
    """What one repetition does.

    Attributes
    ----------
    pairs : sequence of (fast, slow)
        Spans of the averages (bars).
    warm_up : mapping of slow to int
        First row that may decide; before it, averages still depend on how they began.
    lead : float
        The fast average leads when it is above the slow one by more than this fraction.
    stake : float
        Value of a new position at the close of its decision (account currency).
    budget_s : float
        No further repetition after so many seconds.
    """

    pairs: Sequence[Pair]
    warm_up: dict[int, int]
    lead: float
    stake: float
    fee: float = FEE
    cash: float = CASH
    repeats: int = 7
    budget_s: float = 15.0


def random_walk(bars: int, symbols: int) -> Prices:
    source = np.random.default_rng(SEED)
    shape = (bars, symbols)
    close = 100.0 * np.exp(np.cumsum(source.normal(0.0, 5e-4, shape), axis=0))
    before = np.vstack([np.full((1, symbols), 100.0), close[:-1]])
    first = before * np.exp(source.normal(0.0, 5e-5, shape))
    high = np.maximum(first, close) * (1.0 + np.abs(source.normal(0.0, 2e-4, shape)))
    low = np.minimum(first, close) * (1.0 - np.abs(source.normal(0.0, 2e-4, shape)))
    ts = FIRST_NS + MINUTE_NS * np.arange(1, bars + 1, dtype=np.int64)
    return Prices(ts, *(np.round(prices, 4) for prices in (first, high, low, close)))


def write(folder: Path, prices: Prices, work: Work, **more: object) -> None:
    """Write what a peer reads: one `.npy` per array, and `work.json`; `more` is for that peer alone."""
    for name in ("ts", "open", "high", "low", "close"):
        np.save(folder / f"{name}.npy", getattr(prices, name))
    (folder / "work.json").write_text(json.dumps(asdict(work) | more), encoding="utf-8")


def pair_grid(fasts: range, slows: range) -> list[Pair]:
    """Return all pairs, shuffled: who does only the first ones gets a fair sample of the trading."""
    pairs = [(fast, slow) for fast in fasts for slow in slows]
    return [pairs[place] for place in np.random.default_rng(SEED).permutation(len(pairs)).tolist()]
