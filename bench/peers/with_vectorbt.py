"""EMA cross in vectorbt, as its documentation writes it: `MA.run`, `Portfolio.from_signals`.

    python with_vectorbt.py FOLDER    ->  one JSON line; see bench/environments.py for both

Signals are shifted by a bar and filled at the open. Each average is computed once. Pairs run in blocks of
ten, the fastest of those tried (5 to 100); a thousand at once would not fit into memory. The clock covers
indicators, signals, simulation, and the equity curve of a single pair or the final equity of many.
"""

import json
import sys
from pathlib import Path
from time import perf_counter

import numpy as np
import vectorbt as vbt

FOLDER = Path(sys.argv[1])
WORK = json.loads((FOLDER / "work.json").read_text(encoding="utf-8"))
OPEN, CLOSE = np.load(FOLDER / "open.npy"), np.load(FOLDER / "close.npy")
PAIRS_PER_BLOCK = 10
LEADS = 1.0 + WORK["lead"]


def averages() -> dict[int, np.ndarray]:
    """Each window once: (time, symbol)."""
    windows = sorted({window for pair in WORK["pairs"] for window in pair})
    found = vbt.MA.run(CLOSE, window=windows, ewm=True).ma.to_numpy()
    return dict(zip(windows, np.hsplit(found, len(windows)), strict=True))


def signals(pairs: list[list[int]], average: dict[int, np.ndarray]) -> list[np.ndarray]:
    """Entries and exits, a bar after the decision, one block of columns per pair."""
    is_above = np.hstack([average[fast] > average[slow] * LEADS for fast, slow in pairs])
    symbols = CLOSE.shape[1]
    for index, (_, slow) in enumerate(pairs):
        is_above[: WORK["warm_up"][str(slow)], index * symbols : (index + 1) * symbols] = False
    entries, exits = np.zeros_like(is_above), np.zeros_like(is_above)
    entries[1:] = is_above[:-1]
    entries[2:] &= ~is_above[:-2]
    exits[2:] = is_above[:-2] & ~is_above[1:-1]
    return [entries, exits]


def units() -> np.ndarray:
    """What a position at each open is: sized on the close of its decision, as in the other engines."""
    return WORK["stake"] / np.vstack([CLOSE[:1], CLOSE[:-1]])


def simulate(pairs: list[list[int]], average: dict[int, np.ndarray]) -> list[float]:
    is_shared = CLOSE.shape[1] > 1
    portfolio = vbt.Portfolio.from_signals(
        CLOSE,
        *signals(pairs, average),
        price=OPEN,
        size=units(),
        fees=WORK["fee"],
        init_cash=WORK["cash"],
        cash_sharing=is_shared,
        group_by=True if is_shared else None,
    )
    ends = portfolio.value().to_numpy()[-1] if len(pairs) == 1 else portfolio.final_value()
    return np.ravel(ends).tolist()


def run() -> list[float]:
    pairs, average, found = WORK["pairs"], averages(), []
    for start in range(0, len(pairs), PAIRS_PER_BLOCK):
        found += simulate(pairs[start : start + PAIRS_PER_BLOCK], average)
    return found


vbt.settings["engine"] = WORK["engine"]
simulate(WORK["pairs"][:2], averages())
simulate(WORK["pairs"][:1], averages())
seconds: list[float] = []
while len(seconds) < WORK["repeats"] and sum(seconds) < WORK["budget_s"]:
    begin = perf_counter()
    equity = run()
    seconds.append(perf_counter() - begin)
subject = f"vectorbt {vbt.__version__}, {WORK['engine']}"
print(json.dumps({"subject": subject, "seconds": seconds, "equity": equity, "note": ""}))
