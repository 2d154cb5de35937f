"""Strategies compared, recommended and chosen, all from backtests."""

from pathlib import Path

import numpy as np
import pytest

from serve.desk.analysis.benchmark import run_benchmark
from serve.desk.analysis.laboratory import SETTINGS, market_of, tried
from serve.desk.analysis.market_regime import regimes_of
from serve.desk.analysis.prices import prices_of
from serve.desk.analysis.selection import (
    adaptive_selection,
    compare_strategies,
    recommend_strategy,
)
from serve.desk.front_desk import FrontDesk
from tests.serve.analysis.desks import on_prices, walk, without_cluster
from trading.errors import DataError, NotFound, UsageError
from trading.strategies.momentum import Momentum
from trading.validation.splits import parse_walk_forward, walk_forward_by_calendar
from tune.backtest import backtest

QUICK = ["momentum", "mean_reversion"]


@pytest.fixture
def desk(tmp_path: Path) -> FrontDesk:
    """Six stocks of the shipped data alone, so that every strategy is quick."""
    stored = prices_of(without_cluster(tmp_path))
    names = ["AAPL", "BAC", "JNJ", "KO", "MSFT", "XOM"]
    close = stored.table.close[-1_260:, stored.columns(names)]
    return on_prices(tmp_path, {name: close[:, i] for i, name in enumerate(names)})


def test_figures_are_those_of_a_backtest(desk: FrontDesk) -> None:
    found = compare_strategies(desk, ["momentum_trader", "mean_reversion"])
    stored = prices_of(desk)
    market = market_of(stored, tuple(range(6)))
    run = backtest("momentum", Momentum(), market, SETTINGS)
    row = found.comparison["momentum"]
    assert row["sharpe_ratio"] == pytest.approx(run.metrics.sharpe)
    assert row["total_return"] == pytest.approx(run.metrics.total_return)
    ratio = run.metrics.total_return / run.metrics.max_drawdown
    assert row["risk_adjusted_return"] == pytest.approx(ratio)
    assert set(found.yardsticks) == {"buy_and_hold", "equal_weight"}


def test_the_best_is_the_best_in_its_own_direction(desk: FrontDesk) -> None:
    found = compare_strategies(desk, QUICK, ["max_drawdown", "total_return"])
    for metric, sign in (("max_drawdown", -1.0), ("total_return", 1.0)):
        values = {name: sign * (row[metric] or 0.0) for name, row in found.comparison.items()}
        assert found.best_by_metric[metric] == max(values, key=lambda name: values[name])


def test_symbols_matter(desk: FrontDesk) -> None:
    whole = compare_strategies(desk, QUICK)
    some = compare_strategies(desk, QUICK, symbols=["XOM", "AAPL"])
    assert whole.comparison != some.comparison
    assert some.data.symbols == ["XOM", "AAPL"]
    assert compare_strategies(desk, QUICK) == whole


def test_what_cannot_be_tried_is_left_out_with_the_reason(tmp_path: Path) -> None:
    short = on_prices(tmp_path, {"A": walk(1, 40), "B": walk(2, 40)})
    found = compare_strategies(short, ["momentum", "pairs", "allocation"])
    assert set(found.comparison) | set(found.left_out) == {"momentum", "pairs", "allocation"}
    assert '"sharpe_ratio":null' in found.model_dump_json()  # nothing was held: no ratio


def test_wrong_comparisons_are_refused(desk: FrontDesk) -> None:
    with pytest.raises(UsageError, match="2 to 20 different"):
        compare_strategies(desk, ["momentum", "momentum_trader"])
    with pytest.raises(UsageError, match="no metric 'luck'"):
        compare_strategies(desk, QUICK, ["luck"])
    with pytest.raises(NotFound, match="astrology"):
        compare_strategies(desk, ["momentum", "astrology"])


def test_a_regime_is_measured_without_its_future() -> None:
    close = np.column_stack([walk(1, 600), walk(2, 600)])
    ts = np.arange(600) * 86_400_000_000_000
    whole, part = regimes_of(ts, close), regimes_of(ts[:500], close[:500])
    assert np.array_equal(whole.is_up[:500], part.is_up)
    known = part.is_known
    assert whole.volatility[:500][known] == pytest.approx(part.volatility[known])
    rows = whole.rows_like(whole.asked({"trend": "up"}))
    assert not rows[0]
    after = np.flatnonzero(rows)
    assert whole.is_up[after - 1].all()  # earned in the bar after the close that was up


def test_the_recommendation_is_made_of_bars_like_those_asked_for(desk: FrontDesk) -> None:
    calm = recommend_strategy(desk, {"volatility": "low", "trend": "bullish"})
    rough = recommend_strategy(desk, {"volatility": "high", "trend": "bearish"})
    assert calm.strategy_rankings != rough.strategy_rankings
    assert (calm.market_conditions.volatility, calm.market_conditions.trend) == ("low", "up")
    assert (rough.market_conditions.volatility, rough.market_conditions.trend) == ("high", "down")
    for found in (calm, rough):
        scores = [row.score for row in found.strategy_rankings]
        assert scores == sorted(scores, reverse=True)
        best = next(
            (row.strategy for row in found.strategy_rankings if (row.annual_return or 0) > 0), None
        )
        assert found.recommendation == best
    assert recommend_strategy(desk, {"volatility": "low", "trend": "bullish"}) == calm


def test_without_conditions_those_of_now_count(desk: FrontDesk) -> None:
    found = recommend_strategy(desk, {})
    assert found.market_conditions == found.conditions_now
    number = recommend_strategy(desk, {"volatility": 5.0, "sentiment": 0.4})
    assert number.market_conditions.volatility == "high"
    assert "sentiment is not looked at" in number.notes[0]


def test_objectives_and_tolerance_matter(desk: FrontDesk) -> None:
    profit = recommend_strategy(desk, {}, "aggressive", ["profit"])
    calm = recommend_strategy(desk, {}, "aggressive", ["stability"])
    assert [row.strategy for row in profit.strategy_rankings] != [
        row.strategy for row in calm.strategy_rankings
    ]
    returns = [row.annual_return or 0 for row in profit.strategy_rankings]
    assert returns == sorted(returns, reverse=True)
    careful = recommend_strategy(desk, {}, "conservative")
    assert {row.risk_level for row in careful.strategy_rankings} == {"low"}
    assert "momentum" in careful.left_out


@pytest.mark.parametrize(
    ("conditions", "tolerance", "objectives", "told"),
    [
        ({"volatility": "purple"}, "moderate", ["profit"], "volatility is 'purple'"),
        ({"trend": "round"}, "moderate", ["profit"], "trend is 'round'"),
        ({}, "reckless", ["profit"], "risk_tolerance"),
        ({}, "moderate", ["fame"], "objective 'fame'"),
    ],
)
def test_words_that_are_not_known_are_refused(
    desk: FrontDesk, conditions: dict[str, str], tolerance: str, objectives: list[str], told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        recommend_strategy(desk, conditions, tolerance, objectives)


def test_too_few_such_bars_are_no_judgement(tmp_path: Path) -> None:
    short = on_prices(tmp_path, {"A": walk(1, 230), "B": walk(2, 230)})
    with pytest.raises(DataError, match="60 are needed"):
        recommend_strategy(short, {"trend": "up"})


def test_the_choice_for_a_symbol_is_the_best_of_its_training(desk: FrontDesk) -> None:
    apple, oil = adaptive_selection(desk, "AAPL"), adaptive_selection(desk, "XOM")
    assert apple.ranking != oil.ranking
    for found in (apple, oil):
        best = max(found.ranking, key=lambda row: row.training_sharpe or -9.0)
        assert found.selected_strategy == best.strategy
        assert sum(row.folds_chosen for row in found.ranking) <= found.record.folds
        assert found.record.folds == 15
        assert found.selected_strategy not in found.alternative_strategies
        assert len(found.data.symbols) == 1
    assert adaptive_selection(desk, "aapl") == apple


def test_the_record_is_what_the_choices_would_have_earned(desk: FrontDesk) -> None:
    found = adaptive_selection(desk, "KO")
    stored = prices_of(desk)
    columns = (stored.column("KO"),)
    returns = {
        row.strategy: tried(stored, columns, row.strategy).result.returns for row in found.ranking
    }
    market = market_of(stored, columns)
    wealth = 1.0
    for split in walk_forward_by_calendar(market.ts, parse_walk_forward("12m/3m")):
        before = {name: values[split.train] for name, values in returns.items()}
        scores = {
            name: values.mean() / values.std() for name, values in before.items() if values.any()
        }
        best = max(scores, key=lambda name: scores[name])
        if scores[best] > 0:
            wealth *= np.prod(1.0 + returns[best][split.test])
    assert found.record.total_return == pytest.approx(wealth - 1.0)


def test_a_symbol_that_only_falls_gets_no_strategy_that_bought_it(tmp_path: Path) -> None:
    fall = 100.0 * np.cumprod(np.full(800, 0.998)) * (1 + 1e-4 * np.arange(800) % 2)
    found = adaptive_selection(on_prices(tmp_path, {"A": fall}), "A")
    chosen = {row.strategy: row.training_sharpe for row in found.ranking}
    if found.selected_strategy is not None:
        assert (chosen[found.selected_strategy] or 0) > 0
    assert found.record.hold_total_return is not None
    assert found.record.hold_total_return < 0


def test_a_benchmark_sets_the_strategy_beside_doing_nothing(desk: FrontDesk) -> None:
    found = run_benchmark(desk, "momentum_trader")
    assert [row.benchmark for row in found.benchmark_comparisons] == [
        "buy_and_hold",
        "equal_weight",
    ]
    hold = found.benchmark_comparisons[0]
    own, other = found.strategy_performance.total_return, hold.benchmark_performance.total_return
    assert own is not None
    assert other is not None
    assert hold.outperformance == pytest.approx(own - other)
    assert found.system_performance is None
    assert run_benchmark(desk, "mean_reversion") != found


def test_the_system_is_timed_now(desk: FrontDesk) -> None:
    found = run_benchmark(desk, "momentum", "system").system_performance
    assert found is not None
    assert found.backtest_seconds > 0
    assert found.bars_per_second == pytest.approx(1_260 * 6 / found.backtest_seconds)
    with pytest.raises(UsageError, match="performance or system"):
        run_benchmark(desk, "momentum", "accuracy")
