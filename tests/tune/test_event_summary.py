"""One strategy through the order path: the figures are those of its course, and the books agree."""

import itertools
import json
import math
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np
import pytest

from trading.errors import UsageError
from trading.identifiers import InstrumentId
from trading.indicators.rolling import FloatArray
from trading.strategies.mean_reversion import MeanReversion
from trading.strategies.mirror import Mirror
from trading.strategies.neural_trend import NeuralTrend
from trading.strategies.strategy import Bars
from tune.event_gear.settings import EventSettings
from tune.report.event_summary import EventRun, event_figures, run_events
from tune.signal_sources import SignalSources, with_signals

DAY_NS = 86_400 * 10**9
ROWS = 120
CASH = 50_000.0
SETTINGS = EventSettings(initial_cash=Decimal(50_000), decides_ahead=True)


def walk() -> Bars:
    steps = np.random.default_rng(4).normal(0.0, 0.02, (ROWS, 2))
    ts = 1_577_912_400 * 10**9 + DAY_NS * np.arange(ROWS, dtype=np.int64)
    ids = (InstrumentId("AAA.X"), InstrumentId("BBB.X"))
    close = np.round(100.0 * np.exp(np.cumsum(steps, axis=0)), 2)
    return Bars.of_closes(ts, ids, close)


@pytest.fixture(scope="module")
def run() -> EventRun:
    strategy = MeanReversion(window_bars=10)
    return run_events("mean_reversion", strategy, walk(), SETTINGS, SignalSources())


def test_when_a_run_ends_its_figures_are_those_of_its_equity(run: EventRun) -> None:
    found = event_figures(run)["metrics"]
    equity = [CASH, *run.result.equity.tolist()]
    returns = [after / before - 1.0 for before, after in itertools.pairwise(equity)]
    mean = sum(returns) / len(returns)
    deviation = math.sqrt(sum((r - mean) ** 2 for r in returns) / (len(returns) - 1))
    best, deepest = CASH, 0.0
    for value in equity:
        best = max(best, value)
        deepest = max(deepest, 1.0 - value / best)
    total = equity[-1] / CASH - 1.0
    assert found["bars"] == ROWS
    assert found["total_return"] == pytest.approx(total, rel=1e-9)
    assert found["max_drawdown"] == pytest.approx(deepest, rel=1e-9)
    # A bar a day, seven days a week, is 365 or 365.25 bars a year.
    per_year = [(found["sharpe"] * deviation / mean) ** 2]
    per_year += [ROWS * math.log1p(found["annual_return"]) / math.log1p(total)]
    for each in per_year:
        assert 364.9 < each < 365.3


def test_when_a_run_ends_books_agree_and_fills_are_counted(run: EventRun) -> None:
    found = event_figures(run)
    assert found["metrics"]["books_agree"] is True
    assert found["metrics"]["fills"] == len(run.result.fills) > 0
    assert found["metrics"]["refused"] == 0
    assert found["params"]["window_bars"] == 10
    assert found["strategy"] == "mean_reversion"


def test_when_the_fills_are_added_up_they_are_what_is_held(run: EventRun) -> None:
    held = {str(name): Decimal(0) for name in run.result.instrument_ids}
    for fill in run.result.fills:
        sign = 1 if fill.side.name == "BUY" else -1
        held[fill.instrument_id] += sign * fill.last_qty
    np.testing.assert_allclose([float(each) for each in held.values()], run.result.units[-1])
    close = walk().close[-1]
    worth = run.result.cash[-1] + float(run.result.units[-1] @ close)
    assert run.result.equity[-1] == pytest.approx(worth, abs=0.05)


def test_when_it_is_run_again_the_figures_are_the_same(run: EventRun) -> None:
    strategy = MeanReversion(window_bars=10)
    again = run_events("mean_reversion", strategy, walk(), SETTINGS, SignalSources())
    assert event_figures(again) == event_figures(run)


def test_when_books_do_not_agree_the_figures_say_so(run: EventRun) -> None:
    broken = replace(run.result.comparison, lost=1)
    told = event_figures(
        msgspec.structs.replace(run, result=replace(run.result, comparison=broken))
    )
    assert told["metrics"]["books_agree"] is False


def test_when_nothing_is_traded_the_cash_is_as_it_was() -> None:
    class Idle:
        lookback = 1

        def targets(self, bars: Bars) -> FloatArray:
            return np.zeros(bars.close.shape)

    run = run_events("idle", Idle(), walk(), SETTINGS, SignalSources())
    found = event_figures(run)
    assert (run.result.equity == CASH).all()
    assert found["params"] == {}
    assert found["metrics"]["fills"] == 0
    assert found["metrics"]["total_return"] == 0.0
    assert found["metrics"]["max_drawdown"] == 0.0
    assert json.loads(msgspec.json.encode(found))["metrics"]["sharpe"] is None


def test_when_a_leader_is_mirrored_the_order_path_holds_what_the_vector_gear_wants(
    tmp_path: Path,
) -> None:
    file = tmp_path / "holdings.csv"
    file.write_text(
        "report_date,disclosed_date,symbol,value\n"
        "2020-01-10,2020-01-20,AAA,60\n2020-01-10,2020-01-20,BBB,40\n"
    )
    mirror = Mirror(max_age_bars=30, weight_cap=0.5)
    sources = SignalSources(holdings=str(file))
    ahead = run_events("mirror", mirror, walk(), SETTINGS, sources)
    each_bar = run_events(
        "mirror", mirror, walk(), msgspec.structs.replace(SETTINGS, decides_ahead=False), sources
    )

    assert ahead.notes == (f"Leader: {file}.",)
    np.testing.assert_array_equal(ahead.result.units, each_bar.result.units)
    told, _ = with_signals(walk(), mirror.NEEDS, sources)
    wanted = mirror.targets(told) * CASH / walk().close
    np.testing.assert_array_equal(ahead.result.units.any(axis=1), wanted.any(axis=1))
    entered = int(np.argmax(wanted.any(axis=1)))
    np.testing.assert_allclose(ahead.result.units[entered], wanted[entered], atol=1.0)


def test_when_a_forecaster_is_unknown_the_sentence_names_it() -> None:
    with pytest.raises(UsageError, match="no forecaster 'oracle'"):
        run_events("neural_trend", NeuralTrend(), walk(), SETTINGS, SignalSources("oracle"))
