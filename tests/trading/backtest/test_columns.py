"""Columns of a result: made when they are first looked at, or given as arrays."""

import pickle
from dataclasses import replace

import numpy as np

from trading.backtest.engine import run_backtest
from trading.backtest.settings import BacktestSettings, Costs, Orders, Rebalance

SETTINGS = BacktestSettings(
    initial_cash=1_000.0,
    orders=Orders(rebalance=Rebalance.ON_CHANGE),
    costs=Costs(bps=100.0, half_spread_bps=0.0, slippage_bps=0.0),
)


def test_columns_between_two_fills_stay_or_are_zero(make_bars) -> None:  # type: ignore[no-untyped-def]
    bars = make_bars(
        [10.0, 10.0, 12.0, 11.0, 11.0, 20.0], opens=[10.0, 10.0, 10.0, 12.0, 11.0, 20.0]
    )
    weights = np.array([[0.5], [0.5], [0.5], [0.0], [0.0], [0.0]])

    found = run_backtest(bars, weights, SETTINGS)

    # 50 units at 10 in bar 1, sold at 11 in bar 4; 1 % of 500 and of 550
    np.testing.assert_allclose(found.units[:, 0], [0, 50, 50, 50, 0, 0])
    np.testing.assert_allclose(found.cash, [1000, 495, 495, 495, 1039.5, 1039.5])
    np.testing.assert_allclose(found.net, [0, 500, 600, 550, 0, 0])
    np.testing.assert_allclose(found.traded, [0, 500, 0, 0, 550, 0])
    np.testing.assert_allclose(found.commission, [0, 5, 0, 0, 5.5, 0])
    np.testing.assert_allclose(found.equity, found.cash + found.net)


def test_columns_are_made_once(make_bars) -> None:  # type: ignore[no-untyped-def]
    found = run_backtest(make_bars([10.0, 11.0, 12.0]), np.ones((3, 1)))

    assert found.gross is found.gross
    assert found.units is found.units


def test_columns_may_be_replaced_and_pickled(make_bars) -> None:  # type: ignore[no-untyped-def]
    found = run_backtest(make_bars([10.0, 11.0, 12.0]), np.ones((3, 1)))
    other = np.array([1.0, 2.0, 3.0])

    np.testing.assert_array_equal(replace(found, cash=other).cash, other)
    np.testing.assert_array_equal(replace(found, cash=other).gross, found.gross)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(found)).net, found.net)
