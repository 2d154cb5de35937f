"""Reports of searches and sweeps: what they say against naive loops over the same trials."""

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.backtest.engine import Actions, run_backtest
from trading.backtest.settings import BacktestSettings, Costs
from trading.errors import UsageError
from trading.metrics.sharpe_inference import deflated_sharpe, sharpe_estimate
from trading.metrics.summary import metrics_of
from trading.strategies.mean_reversion import MeanReversion
from trading.strategies.search_space import Choice, Span
from trading.strategies.strategy import Bars
from tune.batch import SweepPlan
from tune.course import Course
from tune.findings import around, independent_trials, with_neighbours
from tune.ledger import read_ledger
from tune.outcome import outcome_of, tables_of
from tune.prices import Quoted
from tune.report import sweep_report
from tune.report.search_report import (
    SearchFindings,
    out_of_sample,
    results_of,
    search_findings,
    trial_rows,
    verdict,
    write_search_report,
)
from tune.report.sweep_report import surface, sweep_findings
from tune.search import SearchPlan
from tune.store import Store
from tune.sweep import sweep


@pytest.fixture
def found(
    plan: SearchPlan,
    bars: Bars,
    tmp_path: Path,
    open_course: Callable[..., Course],
    finish: Callable[[Course], int],
) -> SearchFindings:
    path = tmp_path / "ledger.msgpack"
    finish(open_course(path))
    trials, returns = tables_of(read_ledger(path), plan.objective, bars.ts)
    outcome = outcome_of(trials, returns, plan.objective)
    return search_findings("run<1>", "walk", ("A note.",), plan, outcome, bars)


def test_results_are_ranked_by_training_and_hold_means_over_folds(found: SearchFindings) -> None:
    results = results_of(found)
    assert len(results) == 16
    scores = [each["metrics"]["train.sharpe"] for each in results if each["metrics"]["folds"]]
    known = [score for score in scores if score is not None and np.isfinite(score)]
    assert known == sorted(known, reverse=True)
    best = results[0]
    rows = found.outcome.trials.filter(pl.col("trial") == best["metrics"]["trial"])
    assert best["metrics"]["test.sharpe"] == pytest.approx(np.mean(rows["test.sharpe"].to_list()))
    assert best["params"] == found.outcome.best_params
    assert trial_rows(found, 3)[0][:2] == ("1", str(best["metrics"]["trial"]))


def test_walking_forward_stands_beside_the_yardsticks_of_the_same_bars(
    found: SearchFindings, bars: Bars
) -> None:
    table = out_of_sample(found)
    assert list(table) == ["walk_forward", "buy_and_hold", "equal_weight"]
    growth = np.prod(1 + found.outcome.returns["walk_forward"].to_numpy()) - 1
    assert table["walk_forward"]["total_return"] == pytest.approx(growth)
    folds = found.plan.objective.folds
    held = bars.close[folds[-1].test_stop - 1] / bars.close[folds[0].test_start]
    assert table["buy_and_hold"]["total_return"] == pytest.approx(held.mean() - 1, abs=0.03)
    assert len(found.beside[0].result.ts) == found.outcome.returns.height


def test_search_report_and_the_files_beside_it_say_the_same(
    found: SearchFindings, tmp_path: Path
) -> None:
    path = write_search_report(found, tmp_path / "deep" / "report.html")
    html = path.read_text(encoding="utf-8")
    assert "run&lt;1&gt;" in html
    assert "A note." in html
    assert "src=" not in html.partition("<body>")[0]
    summary = json.loads(path.with_suffix(".json").read_bytes())
    assert summary["trials_measured"] == sum(r["metrics"]["folds"] > 0 for r in summary["results"])
    assert summary["deflated_sharpe"] == pytest.approx(found.outcome.deflated_sharpe)
    assert pl.read_parquet(path.with_suffix(".parquet")).equals(found.outcome.trials)
    told = " ".join(verdict(found))
    assert f"after {summary['trials_measured']} trials" in told
    assert f"{100 * found.outcome.overfitting:.1f} %" in told


def test_neighbours_of_a_point_lie_a_tenth_of_each_span_away(bars: Bars) -> None:
    space = {"window_bars": Span(10, 30), "entry_z": Span(0.5, 2.5), "allow_short": Choice((True,))}
    params = {"window_bars": 11, "entry_z": 1.5, "allow_short": True}
    settings = SweepPlan(strategy="", values={}).settings
    near = around("mean_reversion", params, space, bars, settings)

    def sharpe(window_bars: int, entry_z: float) -> float:
        strategy = MeanReversion(window_bars=window_bars, entry_z=entry_z, allow_short=True)
        return metrics_of(run_backtest(bars, strategy.targets(bars), settings)).sharpe

    expected = [sharpe(13, 1.5), sharpe(11, 1.3), sharpe(11, 1.7)]  # 9 is outside
    assert near is not None
    assert near.neighbours == 3
    assert near.figure == pytest.approx(sharpe(11, 1.5))
    assert near.mean == pytest.approx(np.mean(expected))
    assert near.worst == pytest.approx(min(expected))


def test_when_quoted_prices_are_traded_all_that_stands_beside_is_of_them(
    found: SearchFindings, bars: Bars
) -> None:
    """Prices four times as high before a split by four: costs by the unit are a quarter until then."""
    split_at = 300
    times = np.where(np.arange(len(bars))[:, None] < split_at, 4.0, 1.0)
    splits = np.ones_like(bars.close)
    splits[split_at] = 4.0
    market = Bars.of_closes(bars.ts, bars.instrument_ids, bars.close * times)
    quoted = Quoted(market, Actions(splits, np.zeros_like(splits)))
    settings = BacktestSettings(costs=Costs(per_unit=0.2))
    objective = msgspec.structs.replace(found.plan.objective, settings=settings)
    plan = msgspec.structs.replace(found.plan, objective=objective)
    told = search_findings("a", "w", (), plan, found.outcome, bars, quoted)
    best = MeanReversion(**found.outcome.best_params)  # type: ignore[arg-type]
    result = run_backtest(market, best.targets(bars), settings, quoted.actions)
    assert told.around is not None
    assert told.around.figure == pytest.approx(metrics_of(result).sharpe)
    assert told.costs is not None
    (as_assumed,) = [row for row in told.costs.rows if row.multiple == 1]
    assert as_assumed.figure == pytest.approx(metrics_of(result).annual_return)
    folds = found.plan.objective.folds
    bought = market.close[folds[0].test_start]
    held = 4.0 * market.close[folds[-1].test_stop - 1] / bought
    assert told.beside[0].metrics.total_return == pytest.approx(held.mean() - 1, abs=0.01)


def test_space_of_choices_alone_has_no_neighbours(bars: Bars) -> None:
    settings = SweepPlan(strategy="", values={}).settings
    space = {"allow_short": Choice((True, False))}
    assert around("mean_reversion", {"allow_short": True}, space, bars, settings) is None


def grid_table(metric: str = "sharpe") -> pl.DataFrame:
    """Two windows by three levels by a choice; the point (1, x, false) has no result."""
    rows = [(w, z, short) for w in (5, 10) for z in (0.1, 0.2, 0.3) for short in (False, True)]
    figures = [None if i == 0 else 1.0 + i for i in range(len(rows))]
    return pl.DataFrame(
        {
            "point": range(len(rows)),
            metric: figures,
            "param.window": [row[0] for row in rows],
            "param.level": [row[1] for row in rows],
            "param.short": [row[2] for row in rows],
        },
        strict=False,
    )


def test_points_are_compared_within_one_choice() -> None:
    table = with_neighbours(grid_table(), "sharpe").sort("point")
    middle = table.row(3, named=True)  # (5, 0.2, True): beside 0.1, 0.3 and window 10
    assert middle["neighbours"] == 3
    assert middle["neighbour_mean"] == pytest.approx((2.0 + 6.0 + 10.0) / 3)
    assert middle["neighbour_worst"] == 2.0
    assert middle["robustness"] == pytest.approx(6.0 / 4.0)
    assert table.row(2, named=True)["neighbours"] == 2  # one of three has no result


def test_worst_neighbour_is_the_largest_where_less_is_better() -> None:
    table = with_neighbours(grid_table("max_drawdown"), "max_drawdown").sort("point")
    assert table.row(3, named=True)["neighbour_worst"] == 10.0


PLAN = SweepPlan(
    strategy="mean_reversion",
    values={"window_bars": (5, 10, 15), "entry_z": (0.8, 1.2), "hold_bars_max": (5, 20)},
)


def test_map_shows_the_best_over_the_other_parameters(
    bars: Bars, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = sweep(PLAN, bars, store=Store(tmp_path), name="a", source="w")
    found = sweep_findings("a", "w", (), PLAN, table, bars)
    plane = surface(found)
    assert plane is not None
    assert (plane.across, plane.up) == ("window_bars", "entry_z")
    assert (plane.columns, plane.rows) == ((5, 10, 15), (0.8, 1.2))
    for column, window in enumerate(plane.columns):
        for row, level in enumerate(plane.rows):
            same = table.filter(
                pl.col("param.window_bars") == window, pl.col("param.entry_z") == level
            )
            assert plane.values[row, column] == same["sharpe"].max()
    monkeypatch.setattr(sweep_report, "CELLS_MAX", 2)
    coarse = surface(found)
    assert coarse is not None
    assert coarse.columns == (5, 15)
    assert coarse.values[0, 0] == plane.values[0, :2].max()


@pytest.mark.parametrize("sample", [64, 5])
def test_points_count_as_the_independent_trials_that_their_correlation_makes_them(
    bars: Bars, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sample: int
) -> None:
    monkeypatch.setattr(sweep_report, "SAMPLE", sample)
    table = sweep(PLAN, bars, store=Store(tmp_path), name="a", source="w")
    found = sweep_findings("a", "w", (), PLAN, table, bars)
    returns = []
    for point in range(12):
        strategy = MeanReversion(**PLAN.grid.point(point))  # type: ignore[arg-type]
        returns.append(run_backtest(bars, strategy.targets(bars), PLAN.settings).returns)
    pairs = np.corrcoef(returns)[np.triu_indices(12, 1)]
    expected = pairs.mean() + (1 - pairs.mean()) * 12
    assert found.independent == pytest.approx(expected, rel=1e-9 if sample > 12 else 0.5)
    assert 1 < found.independent < 12
    assert f"after 12 points that count as {found.independent:.1f} independent" in " ".join(
        sweep_report.verdict(found)
    )
    ratios = [np.mean(each) / np.std(each, ddof=1) for each in returns]
    best = sharpe_estimate(returns[int(np.argmax(ratios))])
    known = deflated_sharpe(best, round(found.independent), np.var(ratios, ddof=1))
    assert found.deflated_sharpe == pytest.approx(known)
    assert known > deflated_sharpe(best, 12, np.var(ratios, ddof=1))


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 10**6), trials=st.integers(2, 12), share=st.floats(-1, 1))
def test_trials_are_as_many_as_their_mean_correlation_says(
    seed: int, trials: int, share: float
) -> None:
    random = np.random.default_rng(seed)
    common = random.normal(size=(200, 1))
    returns = share * common + (1 - abs(share)) * random.normal(size=(200, trials))
    mean = np.corrcoef(returns.T)[np.triu_indices(trials, 1)].mean()
    expected = max(mean, 0) + (1 - max(mean, 0)) * 1_000
    assert independent_trials(returns, 1_000) == pytest.approx(expected, rel=1e-6)


def test_trials_that_do_not_move_say_nothing_about_the_others() -> None:
    moving = np.random.default_rng(2).normal(size=(50, 1))
    still = np.zeros((50, 3))
    assert independent_trials(np.hstack([moving, still]), 100) == 100.0
    twins = np.hstack([moving, still, 2 * moving])
    assert independent_trials(twins, 100) == pytest.approx(1.0)


def test_sweep_of_one_parameter_has_no_map(bars: Bars, tmp_path: Path) -> None:
    plan = msgspec.structs.replace(PLAN, values={"window_bars": (5, 10)})
    table = sweep(plan, bars, store=Store(tmp_path), name="a", source="w")
    found = sweep_findings("a", "w", (), plan, table, bars)
    assert surface(found) is None
    assert "sharpe over window_bars" in sweep_report.sweep_html(found)


def test_sweep_without_a_result_says_why(bars: Bars, tmp_path: Path) -> None:
    plan = msgspec.structs.replace(PLAN, values={"window_bars": (-1, -2)})
    table = sweep(plan, bars, store=Store(tmp_path), name="a", source="w")
    with pytest.raises(UsageError, match=r"None of 2 points .* window_bars"):
        sweep_findings("a", "w", (), plan, table, bars)
