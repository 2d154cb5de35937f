"""Trades towards target weights: calculated, never sent."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from serve.desk.analysis.allocation import rebalance
from serve.desk.answers import Source
from serve.desk.front_desk import FrontDesk
from serve.desk.portfolio import portfolio_of
from tests.serve.analysis.desks import on_prices, simulated, walk, without_cluster
from trading.errors import NotFound, UsageError


@pytest.fixture
def desk(tmp_path: Path) -> FrontDesk:
    constant = {"A": np.full(70, 10.0), "B": np.full(70, 20.0), "C": walk(1, 70)}
    return on_prices(tmp_path, constant)


def test_half_and_half_by_hand(desk: FrontDesk) -> None:
    found = rebalance(desk, {"A": 0.5, "B": 0.5}, {"A": 1_000.0}, 0.0)
    trades = {trade.symbol: trade for trade in found.required_trades}
    assert (trades["A"].action, trades["A"].quantity) == ("sell", Decimal(50))
    assert trades["B"].action == "buy"
    assert trades["B"].quantity == Decimal(24)  # 25 would cost more than the sale brings
    assert trades["A"].deviation == pytest.approx(0.5)
    assert found.tracking_error == pytest.approx(np.sqrt(0.5))
    assert found.tracking_error_after < 0.03
    assert found.cash_after >= 0
    assert found.total_value == Decimal("1000.00")
    assert found.source is Source.COMPUTED


def test_what_is_on_target_is_left_alone(desk: FrontDesk) -> None:
    found = rebalance(desk, {"A": 0.5, "B": 0.5}, {"A": 520.0, "B": 480.0}, 0.05)
    assert not found.trades_needed
    assert found.required_trades == []
    assert found.tracking_error == pytest.approx(np.hypot(0.02, 0.02))
    assert rebalance(desk, {"A": 0.5, "B": 0.5}, {"A": 520.0, "B": 480.0}, 0.01).trades_needed


def test_what_is_not_named_is_sold_and_the_rest_is_cash(desk: FrontDesk) -> None:
    found = rebalance(desk, {"A": 0.5, "cash": 0.5}, {"A": 500.0, "B": 300.0, "cash": 200.0})
    assert [(t.symbol, t.action, t.quantity) for t in found.required_trades] == [
        ("B", "sell", Decimal(15))
    ]
    assert found.target_allocations["B"] == 0.0


def test_trades_are_of_whole_lots_and_pay_for_themselves(desk: FrontDesk) -> None:
    found = rebalance(desk, {"A": 0.3, "B": 0.3, "C": 0.4}, {"cash": 997.0}, 0.0)
    assert all(trade.quantity % 1 == 0 for trade in found.required_trades)
    assert found.cash_after >= 0
    spent = sum(trade.value + trade.estimated_cost for trade in found.required_trades)
    assert found.cash_before - found.cash_after == pytest.approx(spent, abs=Decimal("0.03"))


def test_the_clusters_portfolio_is_rebalanced_at_its_quotes(tmp_path: Path) -> None:
    desk, trading = simulated(tmp_path)
    sent = len(trading.exchange_orders())
    held = portfolio_of(trading.snapshot())
    found = rebalance(desk, {"MSFT": 0.5})
    assert found.source is Source.PAPER
    assert found.total_value == held.accounts[0].equity
    sold = {trade.symbol for trade in found.required_trades if trade.action == "sell"}
    assert sold == {row.symbol for row in held.positions} - {"MSFT"}
    bought = next(trade for trade in found.required_trades if trade.symbol == "MSFT")
    quote = next(quote for quote in trading.quotes() if quote.symbol == "MSFT")
    assert quote.bid is not None
    assert quote.ask is not None
    assert float(bought.price) == pytest.approx((quote.bid + quote.ask) / 2)
    assert len(trading.exchange_orders()) == sent
    trading.advance(5)
    assert rebalance(desk, {"MSFT": 0.5}) != found


@pytest.mark.parametrize(
    ("targets", "current", "threshold", "told"),
    [
        ({}, None, 0.05, "1 to 200"),
        ({"A": 0.8, "B": 0.4}, {"A": 1.0}, 0.05, "add up to 1.2"),
        ({"A": float("nan")}, {"A": 1.0}, 0.05, "A is nan"),
        ({"A": 0.5}, {"A": "lots"}, 0.05, "value in money"),
        ({"A": 0.5}, {"A": 0.0}, 0.05, "nothing to allocate"),
        ({"A": 0.5}, {"A": 1.0}, 1.5, "rebalance_threshold"),
    ],
)
def test_wrong_questions_are_refused(
    desk: FrontDesk,
    targets: dict[str, float],
    current: dict[str, object] | None,
    threshold: float,
    told: str,
) -> None:
    with pytest.raises(UsageError, match=told):
        rebalance(desk, targets, current, threshold)


def test_a_symbol_without_a_price_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="ZZZ"):
        rebalance(without_cluster(tmp_path), {"ZZZ": 0.5}, {"AAPL": 100.0})
