"""The stages of a strategy, in their order, up to the first that fails."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from sandboxes.errors import SandboxBusy, SandboxError
from sandboxes.sandbox import Isolation
from tests.tune.agents.in_process import (
    RAISES,
    REMEMBERS,
    SPINS,
    TREND,
    Inside,
    bench,
    candidate,
    open_inside,
    prices,
)
from trading.errors import UsageError
from trading.indicators.rolling import FloatArray
from trading.ladder.rules import LadderRules
from trading.ladder.standing import Stage
from trading.ladder.trials import SHARPE
from trading.strategies.strategy import Bars
from tune.agents.candidate import Candidate
from tune.agents.causal_weights import causal_weights
from tune.agents.examination import Examined, examine
from tune.agents.worker import Worker
from tune.verdict.verdict import judge

LATER_ROW = TREND.replace(
    "bars.close[t] > before", "bars.close[min(t + 1, len(bars) - 1)] > before"
)
FORGETS = TREND.replace("LOOKBACK = 5", "LOOKBACK = 3")
COUNTS_CALLS = TREND.replace("LOOKBACK", "calls = []\nLOOKBACK").replace(
    "    return weights", "    calls.append(1)\n    return weights * (1 + 1e-12 * len(calls))"
)


def stages_of(found: Examined) -> dict[str, bool]:
    return {each.stage: each.passed for each in found.results}


def last_reason(found: Examined) -> str:
    assert not found.results[-1].passed
    return found.results[-1].reason


def test_honest_strategy_passes_every_stage_and_walks_forward() -> None:
    told: list[Stage] = []

    found = examine(candidate(), bench(), lambda result: told.append(result.stage))

    assert all(stages_of(found).values()), found.results[-1].reason
    assert told == list(Stage)[:-1]
    assert found.walked is not None
    assert found.kill is None
    assert found.sharpe is not None
    assert found.sharpe > 0


def test_every_verdict_holds_all_that_it_depends_on() -> None:
    results = examine(candidate(size=0.3), bench()).results

    for each in results[1:]:
        told = each.inputs
        assert told["parameters"] == '{"days":5,"size":0.3}'
        assert (told["template"], told["rung"], told["backend"]) == ("polars", "none", "fake")
        assert len(told["data_digest"]) == 64
        assert len(told["settings_sha256"]) == 64
    assert len(results[3].inputs["weights_sha256"]) == 64
    assert dict(results[4].decimals).keys() >= {SHARPE, "sharpe", "max_drawdown"}


def test_lint_stops_before_anything_is_run() -> None:
    found = examine(candidate("import os\n" + RAISES), bench(open_worker=None))

    assert stages_of(found) == {Stage.LINT: False}
    assert "Line 1: os is not among" in last_reason(found)


def test_strategy_that_raises_fails_the_smoke_and_is_not_killed() -> None:
    found = examine(candidate(RAISES), bench())

    assert list(stages_of(found).values()) == [True, False]
    assert "ZeroDivisionError" in last_reason(found)
    assert found.kill is None


def test_strategy_that_must_be_killed_fails_and_the_kill_is_told() -> None:
    found = examine(candidate(SPINS), bench())

    assert found.results[-1].stage is Stage.SMOKE
    assert found.kill == ("SANDBOX_TIMEOUT", "it was late and was killed.")


@pytest.mark.parametrize("text", [LATER_ROW, FORGETS, REMEMBERS])
def test_strategy_that_knows_more_than_its_window_is_caught(text: str) -> None:
    found = examine(candidate(text), bench())

    assert found.results[-1].stage is Stage.LOOK_AHEAD
    assert "looks ahead, or needs more bars" in last_reason(found)
    assert found.walked is None


def test_memory_of_the_future_deceives_the_plain_checks_but_not_a_new_worker() -> None:
    """Why weights are decided by a worker that was never shown a later bar."""
    bars = prices().bars
    strategy = Inside(candidate(REMEMBERS))
    batch = strategy.targets(bars)
    verdict = judge("cheat", strategy, bars)
    told = {each.check: each.passed for each in verdict.findings}

    assert told["batch equals live"]
    assert not np.array_equal(causal_weights(Inside(candidate(REMEMBERS)), bars), batch)


def test_state_between_calls_is_caught() -> None:
    found = examine(candidate(COUNTS_CALLS), bench())

    assert found.results[-1].stage is Stage.LOOK_AHEAD
    assert "asked twice, it answered differently" in last_reason(found)


def test_two_workers_that_differ_in_the_last_digit_are_caught() -> None:
    opened: list[int] = []

    class Own(Inside):
        number = 0

        def targets(self, bars: Bars) -> FloatArray:
            return super().targets(bars) * (1 + 1e-14 * self.number)

    @contextmanager
    def open_own(each: Candidate) -> Iterator[Worker]:
        opened.append(1)
        own = Own(each)
        own.number = len(opened)
        yield Worker(own, Isolation(backend="fake", rung="none"))

    found = examine(candidate(), bench(open_worker=open_own))

    assert found.results[-1].stage is Stage.DETERMINISM
    assert "different weights" in last_reason(found)


def test_weights_of_a_bar_are_those_of_the_window_that_ends_with_it() -> None:
    bars = prices().bars
    weights = causal_weights(Inside(candidate()), bars)

    assert not weights[:4].any()
    for row in (4, 5, 400, len(bars) - 1):
        window = bars.rows(row - 4, row + 1)
        assert np.array_equal(weights[row], Inside(candidate()).targets(window)[-1])


def test_too_few_trades_or_too_deep_a_fall_fail_the_backtest() -> None:
    found = examine(candidate(), bench(rules=LadderRules(trades_min=10_000, drawdown_max=0)))

    assert found.results[-1].stage is Stage.BACKTEST
    assert "round trips prove nothing, 10000" in last_reason(found)
    assert "are allowed" in last_reason(found)
    assert found.walked is None
    assert found.sharpe is not None, "it was tried, so it counts"


def test_trouble_of_ours_is_no_verdict() -> None:
    class Busy(Inside):
        def targets(self, bars: Bars) -> FloatArray:
            if len(bars) > 100:
                raise SandboxBusy("no place")
            return super().targets(bars)

    @contextmanager
    def open_busy(each: Candidate) -> Iterator[Worker]:
        yield Worker(Busy(each), Isolation(backend="fake", rung="none"))

    with pytest.raises(SandboxError, match="no place"):
        examine(candidate(), bench(open_worker=open_busy))


def test_every_stage_of_a_worker_gets_new_ones() -> None:
    opened: list[int] = []

    @contextmanager
    def counting(each: Candidate) -> Iterator[Worker]:
        opened.append(1)
        with open_inside(each) as worker:
            yield worker

    examine(candidate(), bench(open_worker=counting))

    assert len(opened) == 4


def test_plan_that_the_bars_cannot_fill_is_refused() -> None:
    with pytest.raises(UsageError, match="too few"):
        examine(candidate(), bench(plan="10y/1y"))
