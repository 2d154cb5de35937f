"""A worker without a sandbox, for sources that these tests themselves hold. It exists in tests alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from sandboxes.errors import SandboxTimeout, StrategyFailed
from sandboxes.sandbox import Isolation
from trading.backtest.settings import BacktestSettings, Costs
from trading.identifiers import InstrumentId
from trading.indicators.rolling import FloatArray
from trading.ladder.rules import LadderRules
from trading.strategies.strategy import Bars
from tune.agents.candidate import Candidate, candidate_of
from tune.agents.examination import Bench
from tune.agents.worker import Worker
from tune.prices import Prices

DAY_NS = 86_400 * 10**9
NAMES = (InstrumentId("AAPL.XNAS"), InstrumentId("KO.XNYS"))
TREND = """
import numpy as np
LOOKBACK = 5
def targets(bars, *, days=5, size=0.4):
    weights = np.zeros(bars.close.shape)
    for t in range(days - 1, len(bars)):
        before = bars.close[t - days + 1]
        weights[t] = np.where(bars.close[t] > before, size, 0.0)
    return weights
"""
REMEMBERS = """
import numpy as np
LOOKBACK = 2
seen = {}
def targets(bars):
    for when, close in zip(bars.ts.tolist(), bars.close):
        seen[when] = close.copy()
    weights = np.zeros(bars.close.shape)
    for row, when in enumerate(bars.ts.tolist()):
        after = seen.get(when + 86_400 * 10**9)
        if row and after is not None:
            weights[row] = np.where(after > bars.close[row], 0.4, 0.0)
    return weights
"""
"""It keeps every close that it was ever shown, and trades on the next one if it knows it."""
RAISES = "LOOKBACK = 1\ndef targets(bars):\n    return 1 / 0\n"
SPINS = "LOOKBACK = 1\ndef targets(bars):\n    raise TimeoutError\n"
"""This worker is killed for a `TimeoutError`."""


class Inside:
    """Runs the source of a candidate in this process."""

    def __init__(self, candidate: Candidate) -> None:
        self.lookback = candidate.lookback
        self._parameters = candidate.parameters
        self._space: dict[str, Any] = {}
        exec(candidate.source.text, self._space)

    def targets(self, bars: Bars) -> FloatArray:
        try:
            return np.asarray(self._space["targets"](bars, **self._parameters), dtype=np.float64)
        except TimeoutError:
            raise SandboxTimeout("it was late and was killed.") from None
        except Exception as error:
            raise StrategyFailed(type(error).__name__, str(error)) from error


@contextmanager
def open_inside(candidate: Candidate) -> Iterator[Worker]:
    yield Worker(Inside(candidate), Isolation(backend="fake", rung="none"))


def prices(count: int = 900) -> Prices:
    """Return prices with a trend that a five-day rule earns on."""
    chance = np.random.default_rng(11)
    noise = chance.normal(0.0, 0.006, (count, len(NAMES)))
    slow = 0.012 * np.sin(np.arange(count) / 9.0)[:, None] * np.array([1.0, 0.8])
    close = 100.0 * np.exp((noise + slow).cumsum(axis=0))
    bars = Bars.of_closes(np.arange(1, count + 1, dtype=np.int64) * DAY_NS, NAMES, close)
    return Prices(bars, bars)


def bench(**changes: Any) -> Bench:
    fields: dict[str, Any] = {
        "open_worker": open_inside,
        "prices": prices(),
        "source": "made up",
        "settings": BacktestSettings(costs=Costs(per_unit=0.001)),
        "rules": LadderRules(),
        "plan": "12m/3m",
    }
    return Bench(**{**fields, **changes})


def candidate(text: str = TREND, name: str = "trend", **parameters: Any) -> Candidate:
    return candidate_of(text, name, parameters)
