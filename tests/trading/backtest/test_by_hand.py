"""Small backtests in which every cell was worked out by hand."""

import numpy as np
import pytest

from trading.backtest.engine import Actions, run_backtest
from trading.backtest.result import FillReason
from trading.backtest.settings import (
    BacktestSettings,
    Costs,
    Execution,
    Exits,
    Financing,
    Limits,
    Orders,
    Rebalance,
    Sizing,
)

FREE = Costs(half_spread_bps=0, slippage_bps=0)
NO_INTEREST = Financing(debit_rate=0, borrow_rate=0)


def plain(**changes: object) -> BacktestSettings:
    """1,000 of cash, fixed sizes in whole units, no costs, orders on a change of the target."""
    defaults: dict[str, object] = {
        "initial_cash": 1_000.0,
        "sizing": Sizing.CAPITAL,
        "costs": FREE,
        "financing": NO_INTEREST,
        "orders": Orders(rebalance=Rebalance.ON_CHANGE, lot_size=1),
    }
    return BacktestSettings(**{**defaults, **changes})  # type: ignore[arg-type]


def weights(*rows: float) -> np.ndarray:
    return np.array(rows, dtype=float)[:, None]


def test_six_bars_with_fees_and_a_stop(make_bars) -> None:
    """Bought at 100, stopped at 90 (10 % below), kept out while the target stays, then sold short.

    Commission is 10 bps, at least 1: of 500 it is 0.50, so 1 is paid each time.
    """
    bars = make_bars(
        opens=[100, 100, 106, 95, 93, 96],
        highs=[100, 106, 110, 96, 95, 98],
        lows=[100, 99, 104, 89, 92, 95],
        closes=[100, 105, 108, 92, 94, 97],
    )
    result = run_backtest(
        bars,
        weights(0.5, 0.5, 0.5, 0.5, -0.5, -0.5),
        plain(
            costs=Costs(bps=10, minimum=1, half_spread_bps=0, slippage_bps=0),
            exits=Exits(stop_loss=0.1),
        ),
    )

    # bar 0: nothing can be filled yet
    # bar 1: 0.5 * 1,000 / 100 = 5 units at the open of 100: cash 1,000 - 500 - 1 = 499
    # bar 2: held
    # bar 3: low 89 reaches the stop at 90: cash 499 + 450 - 1 = 948
    # bar 4: the target is still long, so nothing is bought back
    # bar 5: short 0.5 * 1,000 / 94 = 5.3, so 5 units at the open of 96: cash 948 + 480 - 1 = 1,427
    np.testing.assert_allclose(result.units[:, 0], [0, 5, 5, 0, 0, -5])
    np.testing.assert_allclose(result.cash, [1_000, 499, 499, 948, 948, 1_427])
    np.testing.assert_allclose(
        result.equity, [1_000, 499 + 525, 499 + 540, 948, 948, 1_427 - 5 * 97]
    )
    np.testing.assert_allclose(result.gross, [0, 525, 540, 0, 0, 485])
    np.testing.assert_allclose(result.net, [0, 525, 540, 0, 0, -485])
    np.testing.assert_allclose(result.traded, [0, 500, 0, 450, 0, 480])
    np.testing.assert_allclose(result.commission, [0, 1, 0, 1, 0, 1])
    assert not result.slippage.any()

    assert result.fills.bar.tolist() == [1, 3, 5]
    assert result.fills.units.tolist() == [5, -5, -5]
    np.testing.assert_allclose(result.fills.price, [100, 90, 96])
    assert result.fills.reason.tolist() == [
        FillReason.TARGET,
        FillReason.STOP_LOSS,
        FillReason.TARGET,
    ]
    assert result.trades.entry_bar.tolist() == [1, 5]
    assert result.trades.exit_bar.tolist() == [3, 5]
    assert result.trades.side.tolist() == [1, -1]
    assert result.trades.is_open.tolist() == [False, True]
    np.testing.assert_allclose(result.trades.profit, [-50 - 2, 5 * (96 - 97) - 1])
    np.testing.assert_allclose(
        result.returns, np.diff(result.equity, prepend=1_000) / [1_000, *result.equity[:-1]]
    )


def test_spread_slippage_and_commissions_of_one_fill(make_bars) -> None:
    """100 units at 50: 4 + 6 bps make 50.05; 2 bps of 5,005 are 1.001, and 0.01 per unit are 1."""
    result = run_backtest(
        make_bars([50, 50]),
        weights(0.5, 0.5),
        plain(
            initial_cash=10_000,
            costs=Costs(bps=2, per_unit=0.01, half_spread_bps=4, slippage_bps=6),
        ),
    )

    assert result.fills.units.tolist() == [100]
    np.testing.assert_allclose(result.fills.price, [50.05])
    np.testing.assert_allclose(result.fills.commission, [1.001 + 1])
    np.testing.assert_allclose(result.fills.slippage, [5])
    np.testing.assert_allclose(result.equity[-1], 10_000 - 5 - 2.001)


def test_impact_grows_with_the_square_root_of_the_share_of_the_volume(make_bars) -> None:
    """4 of 400 units are 1 %, the root is 0.1: an impact of 0.05 moves the price by 0.5 %."""
    result = run_backtest(
        make_bars([100, 100], volumes=[400, 400]),
        weights(0.4, 0.4),
        plain(costs=Costs(half_spread_bps=0, slippage_bps=0, impact=0.05)),
    )

    np.testing.assert_allclose(result.fills.price, [100.5])


def test_split_and_dividend(make_bars) -> None:
    """4 units at 200; a split of 2 for 1 makes 8; then 1.50 each."""
    bars = make_bars([200, 200, 100, 99])
    result = run_backtest(
        bars,
        weights(0.8, 0.8, 0.8, 0.8),
        plain(),
        Actions(splits=weights(1, 1, 2, 1), dividends=weights(0, 0, 0, 1.5)),
    )

    np.testing.assert_allclose(result.units[:, 0], [0, 4, 8, 8])
    np.testing.assert_allclose(result.cash, [1_000, 200, 200, 212])
    np.testing.assert_allclose(result.equity, [1_000, 1_000, 1_000, 212 + 792])
    np.testing.assert_allclose(result.dividends, [0, 0, 0, 12])
    assert len(result.fills) == 1
    np.testing.assert_allclose(result.trades.profit, [-8])
    np.testing.assert_allclose(result.trades.units, [8])


def test_decision_before_a_split_is_filled_after_it_with_twice_the_units(make_bars) -> None:
    result = run_backtest(
        make_bars([200, 100]),
        weights(0.8, 0.8),
        plain(),
        Actions(splits=weights(1, 2), dividends=weights(0, 0)),
    )

    np.testing.assert_allclose(result.units[:, 0], [0, 8])


def test_half_a_unit_left_by_a_split_is_paid_out(make_bars) -> None:
    """5 units become 2.5: two stay, and half a unit at 200 is 100 in cash."""
    result = run_backtest(
        make_bars([100, 100, 200]),
        weights(0.5, 0.5, 0.5),
        plain(),
        Actions(splits=weights(1, 1, 0.5), dividends=weights(0, 0, 0)),
    )

    np.testing.assert_allclose(result.units[:, 0], [0, 5, 2])
    np.testing.assert_allclose(result.equity, [1_000, 1_000, 1_000])
    np.testing.assert_allclose(result.cash[-1], 600)


def test_short_pays_the_dividend(make_bars) -> None:
    result = run_backtest(
        make_bars([100, 100, 100]),
        weights(-0.5, -0.5, -0.5),
        plain(),
        Actions(splits=weights(1, 1, 1), dividends=weights(0, 0, 2)),
    )

    np.testing.assert_allclose(result.dividends, [0, 0, -10])


def test_order_larger_than_its_part_of_the_volume_is_filled_over_several_bars(make_bars) -> None:
    """8 units wanted, 10 % of 30 allowed: 3, 3, 2; with lots of 1."""
    result = run_backtest(
        make_bars([100] * 5, volumes=[30] * 5),
        weights(0.8, 0.8, 0.8, 0.8, 0.8),
        plain(
            orders=Orders(rebalance=Rebalance.ON_CHANGE, lot_size=1, max_participation=0.1),
        ),
    )

    np.testing.assert_allclose(result.units[:, 0], [0, 3, 6, 8, 8])


def test_openings_shrink_together_to_what_the_equity_pays(make_bars) -> None:
    """Twice 80 % of 1,000, with 100 bps of commission: 2 s 800 1.01 = 1,000."""
    result = run_backtest(
        make_bars([[100, 50], [100, 50]]),
        np.full((2, 2), 0.8),
        plain(
            costs=Costs(bps=100, half_spread_bps=0, slippage_bps=0),
            orders=Orders(rebalance=Rebalance.ON_CHANGE),
        ),
    )

    share = 1_000 / (1_600 * 1.01)
    np.testing.assert_allclose(result.units[1], [8 * share, 16 * share])
    np.testing.assert_allclose(result.cash[1], 0, atol=1e-9)


def test_leverage_of_two_lends_the_rest_and_charges_for_it(make_bars) -> None:
    """1,500 of stock on 1,000: 500 borrowed at 7.305 % for one day is 0.10."""
    result = run_backtest(
        make_bars([100, 100, 100]),
        weights(1.5, 1.5, 1.5),
        plain(limits=Limits(max_leverage=2), financing=Financing(debit_rate=0.07305)),
    )

    np.testing.assert_allclose(result.cash, [1_000, -500, -500.1])
    np.testing.assert_allclose(result.interest, [0, 0, -0.1])


def test_short_pays_for_what_it_borrows_and_cash_earns_interest(make_bars) -> None:
    """Cash 1,500 at 3.6525 % is 0.15 a day; 500 borrowed at 7.305 % costs 0.10."""
    result = run_backtest(
        make_bars([100, 100, 100]),
        weights(-0.5, -0.5, -0.5),
        plain(financing=Financing(cash_rate=0.036525, borrow_rate=0.07305, debit_rate=0)),
    )

    # the first night earns on 1,000 alone, the second on 1,500.10
    np.testing.assert_allclose(result.interest, [0, 0.1, 0.15001 - 0.1])


def test_change_of_side_is_two_fills_and_two_trades(make_bars) -> None:
    result = run_backtest(make_bars([100, 100, 110]), weights(0.5, -0.5, -0.5), plain())

    assert result.fills.units.tolist() == [5, -5, -5]
    assert result.trades.side.tolist() == [1, -1]
    np.testing.assert_allclose(result.trades.profit, [50, 0])


def test_take_profit_fills_at_its_price_without_slippage(make_bars) -> None:
    result = run_backtest(
        make_bars([100, 100, 104], highs=[100, 100, 112]),
        weights(0.5, 0.5, 0.5),
        plain(exits=Exits(take_profit=0.1), costs=Costs(half_spread_bps=0, slippage_bps=0)),
    )

    assert result.fills.reason.tolist() == [FillReason.TARGET, FillReason.TAKE_PROFIT]
    np.testing.assert_allclose(result.fills.price, [100, 110])


def test_trailing_stop_follows_the_best_price(make_bars) -> None:
    """Best price 120: the stop of 10 % stands at 108."""
    result = run_backtest(
        make_bars([100, 100, 118, 107], highs=[100, 100, 120, 119], opens=[100, 100, 101, 118]),
        weights(0.5, 0.5, 0.5, 0.5),
        plain(exits=Exits(trailing_stop=0.1)),
    )

    assert result.fills.reason.tolist() == [FillReason.TARGET, FillReason.TRAILING_STOP]
    np.testing.assert_allclose(result.fills.price, [100, 108])


def test_gap_beyond_the_stop_fills_at_the_open(make_bars) -> None:
    result = run_backtest(
        make_bars([100, 100, 80], opens=[100, 100, 82]),
        weights(0.5, 0.5, 0.5),
        plain(exits=Exits(stop_loss=0.1)),
    )

    np.testing.assert_allclose(result.fills.price, [100, 82])


def test_bar_that_reaches_stop_and_profit_counts_as_a_loss(make_bars) -> None:
    result = run_backtest(
        make_bars([100, 100, 100], highs=[100, 100, 120], lows=[100, 100, 80]),
        weights(0.5, 0.5, 0.5),
        plain(exits=Exits(stop_loss=0.1, take_profit=0.1)),
    )

    assert result.fills.reason.tolist() == [FillReason.TARGET, FillReason.STOP_LOSS]


def test_stop_of_a_short_stands_above(make_bars) -> None:
    result = run_backtest(
        make_bars([100, 100, 105], highs=[100, 100, 112]),
        weights(-0.5, -0.5, -0.5),
        plain(exits=Exits(stop_loss=0.1)),
    )

    np.testing.assert_allclose(result.fills.price, [100, 110])


@pytest.mark.parametrize(
    ("execution", "prices"),
    [
        (Execution.NEXT_OPEN, [101, 103]),
        (Execution.NEXT_CLOSE, [102, 104]),
        (Execution.SAME_CLOSE, [100, 102]),
    ],
)
def test_execution_says_at_which_price_a_decision_is_filled(
    make_bars, execution: Execution, prices: list[float]
) -> None:
    bars = make_bars([100, 102, 104], opens=[99, 101, 103])

    result = run_backtest(bars, weights(0.5, 0.0, 0.0), plain(execution=execution))

    np.testing.assert_allclose(result.fills.price, prices)
    assert result.fills.units.tolist() == [5, -5]


def test_missing_bar_delays_the_fill_and_keeps_the_value(make_bars) -> None:
    nan = np.nan
    bars = make_bars([[100, 10], [nan, 10], [110, 10], [nan, 10]])

    result = run_backtest(bars, np.array([[0.5, 0.0]] * 4), plain(execution=Execution.NEXT_CLOSE))

    np.testing.assert_allclose(result.units[:, 0], [0, 0, 5, 5])
    np.testing.assert_allclose(result.equity, [1_000] * 4)


def test_loss_of_everything_closes_all_and_ends_the_game(make_bars) -> None:
    """Short 10 units on 1,000: a rise from 100 to 210 costs 1,100."""
    result = run_backtest(make_bars([100, 100, 210, 50]), weights(-1.0, -1.0, -1.0, 1.0), plain())

    assert result.ruined_at == 2
    np.testing.assert_allclose(result.equity, [1_000, 1_000, -100, -100])
    assert result.fills.reason.tolist() == [FillReason.TARGET, FillReason.RUIN]


def test_change_below_the_band_is_left_alone(make_bars) -> None:
    """With a band of 5 % of 1,000, 4 units become 5 at once, but 5 do not become 5.4."""
    settings = plain(orders=Orders(band=0.05))

    result = run_backtest(make_bars([100, 100, 100, 100]), weights(0.4, 0.5, 0.54, 0.0), settings)

    np.testing.assert_allclose(result.units[:, 0], [0, 4, 5, 5])


def test_weights_beyond_the_limits_are_cut(make_bars) -> None:
    settings = plain(limits=Limits(max_weight=0.3, allow_short=False))

    result = run_backtest(
        make_bars([[100, 100], [100, 100]]), np.array([[0.9, -0.9], [0.9, -0.9]]), settings
    )

    np.testing.assert_allclose(result.units[1], [3, 0])


@pytest.mark.parametrize("rebalance", Rebalance)
def test_instrument_without_a_price_yet_does_not_keep_the_others_from_trading(
    make_bars, rebalance: Rebalance
) -> None:
    bars = make_bars([[10.0, np.nan], [10.0, np.nan], [10.0, 20.0]])
    config = plain(
        execution=Execution.SAME_CLOSE, sizing=Sizing.EQUITY, orders=Orders(rebalance=rebalance)
    )

    result = run_backtest(bars, np.full((3, 2), 0.5), config)

    np.testing.assert_allclose(result.units, [[50, 0], [50, 0], [50, 25]])
    np.testing.assert_allclose(result.equity, [1_000, 1_000, 1_000])
