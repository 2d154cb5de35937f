"""What running strategies made, how orders were executed, and whether strategies are well."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from serve.desk.analysis.performance import (
    execution_analytics,
    performance_report,
    strategy_health,
)
from serve.desk.analysis.prices import prices_of
from serve.desk.front_desk import FrontDesk
from serve.desk.order_rows import fills_of
from serve.desk.portfolio import portfolio_of
from serve.desk.view import ClusterSnapshot
from tests.serve.analysis.desks import simulated, without_cluster
from trading.errors import ClusterUnreachable, NotFound, UsageError


class Altered:
    """A trading desk that says something else of the ledger and the strategies."""

    def __init__(self, desk: Any, **changes: Any) -> None:
        self._desk, self._changes = desk, changes

    def snapshot(self) -> ClusterSnapshot:
        found = self._desk.snapshot()
        machines = {name: dict(view) for name, view in found.machines.items()}
        for name, changes in self._changes.items():
            for machine in machines:
                if machine.replace(":", "_").startswith(name):
                    machines[machine] |= changes
        return msgspec.structs.replace(found, machines=machines)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._desk, name)


def _altered(desk: FrontDesk, **changes: Any) -> FrontDesk:
    return replace(desk, trading=Altered(desk.trading, **changes))


def test_the_report_agrees_with_the_ledger_and_the_marks(tmp_path: Path) -> None:
    desk, trading = simulated(tmp_path)
    trading.advance(20)
    for row in portfolio_of(trading.snapshot()).strategies:
        found = performance_report(desk, row.strategy_id, period_days=365)
        assert found.performance_metrics.sharpe_ratio == pytest.approx(row.sharpe_ratio)
        assert found.performance_metrics.max_drawdown == pytest.approx(row.max_drawdown)
        marks = trading.strategy_course(row.strategy_id, 1_000)
        equity = np.array([float(row.capital + mark.profit) for mark in marks])
        expected = equity[-1] / float(row.capital) - 1.0
        assert found.performance_metrics.total_return == pytest.approx(expected)
        assert found.days == len(marks)
        assert found.profit == row.profit


def test_a_shorter_period_begins_later(tmp_path: Path) -> None:
    desk, trading = simulated(tmp_path)
    trading.advance(20)
    whole = performance_report(desk, "trend", period_days=365)
    week = performance_report(desk, "trend", period_days=7)
    assert week.days < whole.days
    assert week.days == 5
    marks = trading.strategy_course("trend", 1_000)
    capital = float(whole.capital)
    before, last = (capital + float(marks[i].profit) for i in (-6, -1))
    assert week.performance_metrics.total_return == pytest.approx(last / before - 1.0)
    assert week.trade_statistics.fills <= whole.trade_statistics.fills


def test_trades_are_those_of_the_strategy(tmp_path: Path) -> None:
    desk, trading = simulated(tmp_path)
    trading.advance(20)
    found = performance_report(desk, "trend", period_days=365).trade_statistics
    own = [fill for fill in fills_of(trading.snapshot()) if fill.strategy_id == "trend"]
    assert found.fills == len(own) > 0
    closing = [float(fill.realized_pnl) for fill in own if fill.realized_pnl]
    assert found.winning == sum(profit > 0 for profit in closing)
    assert found.largest_loss == (min(closing) if min(closing) < 0 else None)


def test_the_benchmark_is_of_the_same_days(tmp_path: Path) -> None:
    desk, trading = simulated(tmp_path)
    found = performance_report(desk, "trend").benchmark_comparison
    assert found is not None
    assert found.data.last == portfolio_of(trading.snapshot()).as_of
    assert found.data.symbols == sorted(row.symbol for row in trading.instruments())
    table = prices_of(desk).table
    columns = prices_of(desk).columns(found.data.symbols)
    days = performance_report(desk, "trend").days
    close = table.close[-days - 1 :, columns]
    expected = np.prod(1.0 + (close[1:] / close[:-1] - 1.0).mean(axis=1)) - 1.0
    assert found.benchmark_return == pytest.approx(expected)
    assert performance_report(desk, "trend", include_benchmark=False).benchmark_comparison is None


def test_a_strategy_that_does_not_run_here_can_be_backtested(tmp_path: Path) -> None:
    desk, _ = simulated(tmp_path)
    with pytest.raises(NotFound, match=r"running: reversion, trend.*trader backtest pairs"):
        performance_report(desk, "pairs_trading")
    with pytest.raises(NotFound, match="does not run"):
        strategy_health(desk, "nothing")
    with pytest.raises(UsageError, match="period_days"):
        performance_report(desk, "trend", 0)
    with pytest.raises(ClusterUnreachable):
        performance_report(without_cluster(tmp_path / "other"), "trend")


def test_execution_counts_what_the_exchange_received(tmp_path: Path) -> None:
    desk, trading = simulated(tmp_path)
    before = execution_analytics(desk, "all")
    trading.advance(20)
    found = execution_analytics(desk, "all")
    assert found.success_rates.orders_submitted == len(trading.exchange_orders())
    assert found.success_rates.orders_submitted > before.success_rates.orders_submitted
    rates = found.success_rates
    assert rates.order_fill_rate == rates.orders_filled / rates.orders_submitted
    assert found.slippage_analysis.measured_orders == rates.orders_filled
    groups = {group.name: group for group in found.slippage_analysis.by_strategy}
    assert set(groups) == {"reversion", "trend"}
    costs = [group.worst_bps for group in groups.values()]
    assert found.slippage_analysis.max_slippage_bps == max(costs)
    assert found.execution_stats.median_execution_ms is not None
    volume = sum(fill.quantity * fill.price for fill in fills_of(trading.snapshot()))
    assert found.throughput.volume_processed["USD"] == volume


def test_a_period_without_orders_has_no_averages(tmp_path: Path) -> None:
    desk, _ = simulated(tmp_path)  # its host time is long ago
    found = execution_analytics(desk, "1h")
    assert found.slippage_analysis.measured_orders == 0
    assert found.slippage_analysis.avg_slippage_bps is None
    assert found.execution_stats.mean_execution_ms is None
    assert found.throughput.orders_per_second == 0.0
    with pytest.raises(UsageError, match="1h, 24h"):
        execution_analytics(desk, "2h")


def test_refusals_are_counted_by_code(tmp_path: Path) -> None:
    desk, _ = simulated(tmp_path)
    orders = {"submitted": 4, "filled": 2, "rejected": 1, "denied": {"RISK_A": 2, "RISK_B": 1}}
    found = execution_analytics(_altered(desk, ledger={"orders": orders}), "all").success_rates
    assert found.refusals == {"RISK_A": 2, "RISK_B": 1}
    assert found.orders_denied == 3
    assert (found.order_fill_rate, found.execution_success_rate) == (0.5, 0.75)


def test_a_healthy_strategy_keeps_every_rule(tmp_path: Path) -> None:
    desk, _ = simulated(tmp_path)
    found = strategy_health(desk, "reversion")
    assert (found.health_score, found.health_status) == (100, "healthy")
    assert all(rule.deducted == 0 for rule in found.rules)


def test_each_broken_rule_takes_its_points(tmp_path: Path) -> None:
    desk, _ = simulated(tmp_path)
    broken = strategy_health(
        _altered(
            desk,
            risk={"halted_strategies": {"reversion": "lost too much"}},
            strategy_reversion={"denials": {"RISK_A": 30}, "orders_sent": 100},
        ),
        "reversion",
    )
    taken = {rule.name: rule.deducted for rule in broken.rules if rule.deducted}
    assert taken == {"halted": 40, "refusals": 10}
    assert broken.health_score == 50
    assert broken.health_status == "critical"
    assert any("lost too much" in issue for issue in broken.issues)
    assert len(broken.recommendations) == 2


def test_a_strategy_that_switched_itself_off_is_said_so(tmp_path: Path) -> None:
    desk, _ = simulated(tmp_path)
    off = _altered(desk, strategy_trend={"disabled": "raised ValueError"})
    found = strategy_health(off, "trend")
    assert found.health_score <= 60
    assert any("raised ValueError" in issue for issue in found.issues)
    down = strategy_health(_machine_gone(desk, "strategy:trend"), "trend")
    assert "machine_down" in {rule.name for rule in down.rules if rule.deducted}


def _machine_gone(desk: FrontDesk, name: str) -> FrontDesk:
    class Gone(Altered):
        def snapshot(self) -> ClusterSnapshot:
            found = super().snapshot()
            left = {key: view for key, view in found.machines.items() if key != name}
            return msgspec.structs.replace(found, machines=left)

    return replace(desk, trading=Gone(desk.trading))


def test_concentration_is_of_the_strategys_own_positions(tmp_path: Path) -> None:
    desk, trading = simulated(tmp_path)
    trading.advance(5)
    machine = trading.snapshot().machines["strategy:trend"]
    found = strategy_health(desk, "trend").position_concentration
    assert found.symbol in machine["positions"]
    assert found.max_single_position is not None
    assert 0 < found.max_single_position < 1
