"""EMA cross in backtesting.py, with the exponential average of pandas.

    python with_backtesting.py FOLDER    ->  one JSON line; see bench/environments.py for both

Orders are filled at the next open, in whole units. It knows one symbol per run, so several are several runs.
The clock covers `Backtest` and its `run`: indicators, loop and statistics. No warning is of interest: they
say that a trade was still open at the end.
"""

import json
import sys
import warnings
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
from backtesting import Backtest, Strategy

FOLDER = Path(sys.argv[1])
WORK = json.loads((FOLDER / "work.json").read_text(encoding="utf-8"))
COLUMNS = {
    name: np.load(FOLDER / f"{name.lower()}.npy") for name in ("Open", "High", "Low", "Close")
}
SYMBOLS = COLUMNS["Close"].shape[1]
INDEX = pd.to_datetime(np.load(FOLDER / "ts.npy"))


def average(close: np.ndarray, span: int) -> pd.Series:
    return pd.Series(close).ewm(span=span, adjust=False).mean()


class EmaCross(Strategy):
    fast, slow, warm_up = 10, 30, 0

    def init(self) -> None:
        self.quick = self.I(average, self.data.Close, self.fast)
        self.calm = self.I(average, self.data.Close, self.slow)

    def next(self) -> None:
        if len(self.data) <= self.warm_up:
            return
        if self.quick[-1] > self.calm[-1] * (1.0 + WORK["lead"]):
            if not self.position:
                self.buy(size=int(WORK["stake"] / self.data.Close[-1]))
        elif self.position:
            self.position.close()


def simulate(symbol: int, fast: int, slow: int) -> float:
    frame = pd.DataFrame({name: prices[:, symbol] for name, prices in COLUMNS.items()}, index=INDEX)
    test = Backtest(frame, EmaCross, cash=WORK["cash"], commission=WORK["fee"])
    found = test.run(fast=fast, slow=slow, warm_up=WORK["warm_up"][str(slow)])
    return float(found["Equity Final [$]"])


def total(fast: int, slow: int) -> float:
    """The cash, and what each symbol gained."""
    gains = [simulate(symbol, fast, slow) - WORK["cash"] for symbol in range(SYMBOLS)]
    return float(WORK["cash"] + sum(gains))


warnings.simplefilter("ignore")
seconds: list[float] = []
while len(seconds) < WORK["repeats"] and sum(seconds) < WORK["budget_s"]:
    begin = perf_counter()
    equity = [total(*pair) for pair in WORK["pairs"]]
    seconds.append(perf_counter() - begin)
subject = f"backtesting.py {version('backtesting')}"
note = "one run per symbol" if SYMBOLS > 1 else ""
print(json.dumps({"subject": subject, "seconds": seconds, "equity": equity, "note": note}))
