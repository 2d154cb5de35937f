"""Sweeps in this process; those on Ray are in tests/ray."""

import sys
from collections.abc import Callable
from math import ceil
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
import pytest

from trading.backtest.engine import Actions, run_backtest
from trading.errors import DataError, UsageError
from trading.indicators.rolling import FloatArray
from trading.metrics.summary import metrics_of
from trading.strategies.mean_reversion import MeanReversion
from trading.strategies.strategy import Bars
from tune import sweep as sweeps
from tune.batch import SweepPlan, evaluate
from tune.prices import Quoted
from tune.store import Store
from tune.sweep import SweepProgress, batch_size, plan_of, sweep

PLAN = SweepPlan(
    strategy="mean_reversion",
    values={"window_bars": (10, 15, 20), "entry_z": (0.2, 1.0, 2.0), "allow_short": (False, True)},
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_every_row_is_the_backtest_of_its_parameters(bars: Bars, store: Store) -> None:
    found = sweep(PLAN, bars, store=store, name="all", source="walk")
    assert found["point"].to_list() == list(range(18))
    for row in found.iter_rows(named=True):
        params = {name: row[f"param.{name}"] for name in PLAN.values}
        assert params == PLAN.grid.point(row["point"])
        if params["entry_z"] == 0.2:  # below the exit
            assert row["ending"] == "skipped"
            assert "exit_z" in row["reason"]
            assert row["sharpe"] is None
            continue
        expected = metrics_of(run_backtest(bars, MeanReversion(**params).targets(bars)))
        for name in ("total_return", "annual_return", "volatility", "sharpe", "max_drawdown"):
            assert row[name] == pytest.approx(getattr(expected, name), rel=1e-9), name


@pytest.mark.parametrize("stop_after", [1, 2, 3])
def test_interrupted_sweep_goes_on_and_ends_the_same(
    bars: Bars, store: Store, stop_after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = sweep(PLAN, bars, store=store, name="whole", source="walk")
    monkeypatch.setattr(sweeps, "BATCH_MAX", 3)
    monkeypatch.setattr(sweeps, "PROBE_POINTS", 2)
    evaluated: list[int] = []

    def counted(plan: SweepPlan, bars: Bars, points: list[int], *rest: Any) -> pl.DataFrame:
        evaluated.extend(points)
        return evaluate(plan, bars, points, *rest)

    def interrupt(progress: SweepProgress) -> None:
        seen.append(progress.done)
        if len(seen) == stop_after:
            raise KeyboardInterrupt

    monkeypatch.setattr(sweeps, "evaluate", counted)
    seen: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        sweep(PLAN, bars, store=store, name="cut", source="walk", on_progress=interrupt)
    with pytest.raises(UsageError, match="has not ended"):
        store.trials("cut")
    assert sweep(PLAN, bars, store=store, name="cut", source="walk").equals(whole)
    assert sorted(evaluated) == list(range(18))  # each once
    assert sweep(PLAN, bars, store=store, name="cut", source="walk").equals(whole)
    assert len(evaluated) == 18  # an ended sweep is only read
    assert not (store.folder("cut") / "parts").exists()


def test_plan_from_the_manifest_gives_the_same_numbers(bars: Bars, store: Store) -> None:
    first = sweep(PLAN, bars, store=store, name="first", source="walk")
    again = plan_of(store.manifest("first"))
    assert again == PLAN
    assert sweep(again, bars, store=store, name="again", source="walk").equals(first)


@pytest.mark.parametrize(
    ("targets", "ending", "reason"),
    [
        (lambda bars: 1 / 0, "failed", "ZeroDivisionError: division by zero"),
        (lambda bars: bars.close[1:], "failed", "weights are of shape (399, 3)"),
        (lambda bars: bars.close * np.nan, "failed", "I0.paper at bar 1"),
        (lambda bars: int("long"), "skipped", "invalid literal"),
    ],
)
def test_point_whose_strategy_fails_says_why_and_the_sweep_goes_on(
    bars: Bars,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    targets: Callable[[Bars], FloatArray],
    ending: str,
    reason: str,
) -> None:
    class Frail:
        def __init__(self, is_broken: bool) -> None:
            self.lookback = 1
            self.targets = targets if is_broken else lambda bars: 0.1 + 0 * bars.close

    module = ModuleType("frail")
    module.Frail = Frail  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "frail", module)
    plan = SweepPlan(strategy="frail:Frail", values={"is_broken": (True, False)})
    broken, sound = sweep(plan, bars, store=store, name="frail", source="walk").iter_rows(
        named=True
    )
    assert broken["ending"] == ending
    assert reason in broken["reason"]
    assert (sound["ending"], sound["reason"]) == ("complete", "")


def test_quoted_prices_are_traded_and_part_of_the_run(bars: Bars, store: Store) -> None:
    """Dividends come on top of the same decisions."""
    paid = np.full_like(bars.close, 0.02)
    quoted = Quoted(bars, Actions(np.ones_like(paid), paid))
    found = sweep(PLAN, bars, quoted=quoted, store=store, name="paid", source="walk")
    for row in found.filter(pl.col("ending") == "complete").iter_rows(named=True):
        weights = MeanReversion(**PLAN.grid.point(row["point"])).targets(bars)  # type: ignore[arg-type]
        expected = metrics_of(run_backtest(bars, weights, PLAN.settings, quoted.actions))
        assert row["sharpe"] == pytest.approx(expected.sharpe)
    with pytest.raises(UsageError, match="made of something else: data was"):
        sweep(PLAN, bars, store=store, name="paid", source="walk")


def test_unusable_price_ends_the_sweep_by_name(bars: Bars, store: Store) -> None:
    close = bars.close.copy()
    close[7, 1] = -1.0
    broken = Bars.of_closes(bars.ts, bars.instrument_ids, close)
    with pytest.raises(DataError, match=r"I1\.paper at bar 8"):
        sweep(PLAN, broken, store=store, name="broken", source="walk")


@pytest.mark.parametrize(
    ("cost_s", "points", "cores", "expected"),
    [
        (0.001, 100_000, 4, 1000),  # a second
        (0.001, 1_000, 4, 125),  # two batches for every core
        (5.0, 10, 4, 1),  # never less than a point
        (0.0, 10**7, 1, 20_000),  # nor more than is saved at once
    ],
)
def test_batch_lasts_a_second_or_shares_the_work(
    cost_s: float, points: int, cores: int, expected: int
) -> None:
    size = batch_size(cost_s, points, cores)
    assert size == expected
    assert ceil(points / size) * size >= points


def test_sweep_without_points_is_refused(bars: Bars, store: Store) -> None:
    plan = SweepPlan(strategy="mean_reversion", values={})
    with pytest.raises(UsageError, match="no values"):
        sweep(plan, bars, store=store, name="none", source="walk")
    assert store.names() == ()
