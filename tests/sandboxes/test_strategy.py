"""A sandboxed strategy is a strategy like any other: backtest, look-ahead check, restarts."""

import asyncio
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sandboxes.attacks.hostile import HONEST
from sandboxes.attacks.run import source_of
from sandboxes.errors import (
    SandboxCrashed,
    SandboxError,
    SandboxGone,
    SandboxTimeout,
    StrategyFailed,
)
from sandboxes.limits import Limits
from sandboxes.sandbox import SandboxBackend
from sandboxes.strategy import SandboxedStrategy, lookback_of
from sandboxes.strategy import source_of as source_in
from tests.sandboxes.local.home import any_backend
from trading.backtest.settings import BacktestSettings
from trading.errors import ConfigError, UsageError
from trading.identifiers import InstrumentId
from trading.strategies.strategy import Bars
from tune.backtest import backtest
from tune.verdict.verdict import judge

DAY = 86_400_000_000_000
NAMES = (InstrumentId("AAPL.XNAS"), InstrumentId("KO.XNYS"))
LIMITS = Limits(call_timeout_s=60.0)
AHEAD = """
import numpy as np
LOOKBACK = 20
def targets(bars):
    ahead = np.vstack([bars.close[1:], bars.close[-1:]])
    weights = np.where(ahead > bars.close, 0.25, 0.0)
    weights[:19] = 0
    return weights
"""


def some_bars(count: int = 600) -> Bars:
    steps = np.random.default_rng(5).normal(0.0003, 0.01, (count, len(NAMES)))
    ts = np.arange(1, count + 1, dtype=np.int64) * DAY
    return Bars.of_closes(ts, NAMES, 100 * np.exp(steps.cumsum(axis=0)))


class Fresh:
    """Makes strategies and ends their sandboxes."""

    def __init__(self) -> None:
        self.made: list[SandboxedStrategy] = []

    def __call__(self, text: str, restarts: int = 3, **parameters: Any) -> SandboxedStrategy:
        source = source_of("own.py", text)
        made = SandboxedStrategy(source, parameters, any_backend, LIMITS, "base", restarts)
        self.made.append(made)
        return made


@pytest.fixture
def sandboxed() -> Iterator[Fresh]:
    fresh = Fresh()
    yield fresh
    for each in fresh.made:
        each.close()


def honest(bars: Bars, days: int = 20) -> Any:
    space: dict[str, Any] = {}
    exec(HONEST, space)
    return space["targets"](bars, days=days)


class InProcess:
    lookback = 20

    def targets(self, bars: Bars) -> Any:
        return honest(bars)


def test_weights_are_those_of_the_same_code_outside(sandboxed: Fresh) -> None:
    bars = some_bars()
    assert np.array_equal(sandboxed(HONEST, days=10).targets(bars), honest(bars, 10))


def test_backtest_is_that_of_the_same_code_outside(sandboxed: Fresh) -> None:
    bars, settings = some_bars(), BacktestSettings()
    inside = backtest("inside", sandboxed(HONEST), bars, settings)
    outside = backtest("outside", InProcess(), bars, settings)
    assert inside.metrics == outside.metrics


def test_check_passes_an_honest_strategy(sandboxed: Fresh) -> None:
    verdict = judge("honest", sandboxed(HONEST), some_bars(300))
    assert verdict.passed, [each for each in verdict.findings if not each.passed]


def test_check_catches_one_that_looks_ahead(sandboxed: Fresh) -> None:
    verdict = judge("ahead", sandboxed(AHEAD), some_bars(300))
    failed = {each.check for each in verdict.findings if not each.passed}
    assert "no look into the future" in failed


def test_sandbox_that_ended_is_replaced_up_to_a_limit(sandboxed: Fresh) -> None:
    strategy = sandboxed("LOOKBACK = 1\nimport os\ndef targets(bars):\n    os._exit(9)", restarts=2)
    bars = some_bars(5)
    for _ in range(3):
        with pytest.raises(SandboxCrashed, match="status 9"):
            strategy.targets(bars)
    with pytest.raises(SandboxError, match="gets no other"):
        strategy.targets(bars)


def test_sandbox_that_was_taken_away_does_not_count(sandboxed: Fresh) -> None:
    strategy = sandboxed("LOOKBACK = 1\ndef targets(bars):\n    return bars.close * 0", restarts=0)
    bars = some_bars(5)
    assert strategy.isolation is None
    for _ in range(3):
        assert strategy.targets(bars).shape == (5, 2)
        sandbox = strategy._sandbox
        assert sandbox is not None
        asyncio.run(sandbox.kill())
        with pytest.raises(SandboxGone):
            strategy.targets(bars)
    assert strategy.isolation is not None
    assert strategy.isolation.details["template"] == "base"


def test_next_call_works_after_a_crash(sandboxed: Fresh) -> None:
    text = "LOOKBACK = 1\nimport os\ndef targets(bars):\n    len(bars) == 4 and os._exit(9)\n    return bars.close * 0"
    strategy = sandboxed(text)
    with pytest.raises(SandboxCrashed):
        strategy.targets(some_bars(4))
    assert strategy.targets(some_bars(5)).shape == (5, 2)


def test_worn_sandbox_is_replaced_between_questions() -> None:
    text = "LOOKBACK = 1\ncalls = 0\ndef targets(bars):\n    global calls\n    calls += 1\n    return bars.close * 0 + calls"
    limits = Limits(call_timeout_s=60.0, total_timeout_s=3600.0)
    strategy = SandboxedStrategy(source_of("own.py", text), {}, any_backend, limits, "base")
    bars = some_bars(3)
    try:
        assert [strategy.targets(bars)[0, 0] for _ in range(2)] == [1, 2]
        strategy._started -= 1801
        assert strategy.targets(bars)[0, 0] == 1
        strategy._worked_s += limits.cpu_s
        assert strategy.targets(bars)[0, 0] == 1
        assert strategy.targets(bars)[0, 0] == 2
    finally:
        strategy.close()


def test_code_that_raises_costs_no_sandbox(sandboxed: Fresh) -> None:
    strategy = sandboxed("LOOKBACK = 1\ndef targets(bars):\n    return 1 / 0", restarts=0)
    for _ in range(3):
        with pytest.raises(StrategyFailed, match="ZeroDivisionError"):
            strategy.targets(some_bars(5))


def test_strategy_travels_without_its_sandbox(sandboxed: Fresh) -> None:
    strategy = sandboxed(HONEST, days=5)
    strategy.targets(some_bars(50))
    other = pickle.loads(pickle.dumps(strategy))
    try:
        assert np.array_equal(other.targets(some_bars(50)), strategy.targets(some_bars(50)))
        assert other.parameters == {"days": 5}
        assert other.sha256 == strategy.sha256
    finally:
        other.close()


def test_nothing_is_started_before_it_is_asked() -> None:
    def never() -> SandboxBackend:
        raise AssertionError

    strategy = SandboxedStrategy(source_of("own.py", HONEST), {}, never)
    assert strategy.lookback == 20
    strategy.close()


def test_call_has_the_deadline_of_a_decision(sandboxed: Fresh) -> None:
    source = source_of("own.py", "LOOKBACK = 1\ndef targets(bars):\n    while True: pass")
    strategy = SandboxedStrategy(source, {}, any_backend, Limits(call_timeout_s=0.2), "base")
    with pytest.raises(SandboxTimeout, match=r"0\.2 s"):
        strategy.targets(some_bars(10))


@pytest.mark.parametrize(
    "text", ["", "LOOKBACK = 0", "LOOKBACK = days", "  LOOKBACK = 3", "LOOKBACK = 1\nLOOKBACK = 2"]
)
def test_lookback_must_be_said_in_one_plain_line(text: str) -> None:
    with pytest.raises(ConfigError, match="LOOKBACK = 200"):
        lookback_of(source_of("own.py", text))


def test_lookback_may_have_a_comment() -> None:
    assert lookback_of(source_of("own.py", "x = 1\nLOOKBACK=250  # a year\n")) == 250


def test_file_is_read_and_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(HONEST)
    assert source_in(path) == source_of("mine.py", HONEST)
    with pytest.raises(UsageError, match="cannot be read"):
        source_in(tmp_path / "missing.py")
