"""Real prices: four of the stocks that ship with skfolio, 700 days up to the end of 2022."""

import numpy as np
import pytest
from skfolio.datasets import load_sp500_dataset

from trading.identifiers import InstrumentId
from trading.strategies.strategy import Bars

SYMBOLS = ("AAPL", "JNJ", "KO", "XOM")
CLOSE_UTC_NS = 21 * 3_600 * 10**9


@pytest.fixture(scope="session")
def bars() -> Bars:
    prices = load_sp500_dataset().iloc[-700:]
    ts = prices.index.to_numpy().astype("datetime64[ns]").astype(np.int64) + CLOSE_UTC_NS
    close = np.ascontiguousarray(prices[list(SYMBOLS)].to_numpy(), dtype=np.float64)
    return Bars.of_closes(ts, tuple(InstrumentId(f"{s}.XNAS") for s in SYMBOLS), close)
