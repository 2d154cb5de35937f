import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.errors import DataError, UsageError
from trading.metrics.drawdown import max_drawdown
from trading.metrics.growth import total_return
from trading.metrics.ratios import sharpe
from trading.validation import monte_carlo
from trading.validation.bootstrap import circular_rows, shuffled_rows, stationary_rows
from trading.validation.monte_carlo import Blocks, resample_returns, resample_trades

RETURNS = np.random.default_rng(8).normal(0.0004, 0.01, 500)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("blocks", list(Blocks))
def test_each_path_has_the_figures_of_its_returns(blocks: Blocks) -> None:
    found = resample_returns(RETURNS, 252.0, rng(), paths=40, blocks=blocks, block_length=7.0)
    draw = circular_rows if blocks is Blocks.CIRCULAR else stationary_rows
    for path, rows in enumerate(draw(500, 40, 7, rng())):
        returns = RETURNS[rows]
        assert found.total_return[path] == pytest.approx(total_return(returns))
        assert found.max_drawdown[path] == pytest.approx(max_drawdown(returns))
        assert found.sharpe[path] == pytest.approx(sharpe(returns, 252.0))
        lowest = min(1.0, np.cumprod(1 + returns).min())
        assert found.lowest[path] == pytest.approx(lowest)


def test_the_fan_holds_percentiles_of_the_equity() -> None:
    found = resample_returns(
        RETURNS, 252.0, rng(), paths=60, block_length=5.0, percentiles=(0.0, 50.0, 100.0)
    )
    worth = np.cumprod(1 + RETURNS[stationary_rows(500, 60, 5.0, rng())], axis=1)
    fan = found.fan
    assert (fan.rows.size, fan.rows[-1]) == (200, 500)
    assert set(np.diff(fan.rows).tolist()) <= {2, 3}
    assert fan.equity[0] == pytest.approx(worth[:, fan.rows - 1].min(axis=0))
    assert fan.equity[1] == pytest.approx(np.median(worth[:, fan.rows - 1], axis=0))
    assert fan.equity[2] == pytest.approx(worth[:, fan.rows - 1].max(axis=0))


@settings(deadline=None, max_examples=30)
@given(count=st.integers(1, 450))
def test_the_fan_ends_at_the_end(count: int) -> None:
    found = resample_returns(RETURNS[:count], 252.0, rng(), paths=3, percentiles=(0.0,))
    assert found.fan.rows.size == min(count, 200)
    assert found.fan.rows[-1] == count
    assert (np.diff(found.fan.rows) >= 1).all()
    assert found.fan.rows[0] >= 1
    assert found.fan.equity[0, -1] == pytest.approx(1 + found.total_return.min())


@pytest.mark.parametrize("blocks", list(Blocks))
def test_block_bootstrap_keeps_the_mean(blocks: Blocks) -> None:
    # The mean log growth of the paths is that of the history, within four standard errors.
    found = resample_returns(RETURNS, 252.0, rng(), paths=10_000, blocks=blocks)
    growth = np.log1p(found.total_return)
    error = growth.std() / math.sqrt(growth.size)
    assert abs(growth.mean() - np.log1p(RETURNS).sum()) < 4 * error


def test_blocks_keep_what_bars_have_to_do_with_each_other() -> None:
    # Of an AR(1) series the sum varies more than if its bars were independent: by (1 + f) / (1 - f)
    noise, values = rng(1).normal(0, 0.001, 3000), np.zeros(3000)
    for row in range(1, 3000):
        values[row] = 0.5 * values[row - 1] + noise[row]
    alone = resample_returns(values, 252.0, rng(), paths=2000, block_length=1.0)
    blocks = resample_returns(values, 252.0, rng(), paths=2000)
    ratio = np.log1p(blocks.total_return).var() / np.log1p(alone.total_return).var()
    assert ratio == pytest.approx(3.0, rel=0.25)


def test_batches_do_not_change_the_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = resample_returns(RETURNS, 252.0, rng(), paths=50)
    monkeypatch.setattr(monte_carlo, "_ELEMENTS_AT_ONCE", 7 * RETURNS.size)
    pieces = resample_returns(RETURNS, 252.0, rng(), paths=50)
    assert (whole.total_return == pieces.total_return).all()
    assert (whole.fan.equity == pieces.fan.equity).all()


def test_what_is_lost_stays_lost() -> None:
    found = resample_returns(np.array([-1.5, 0.5]), 252.0, rng(), paths=64, block_length=1.0)
    lost = found.lowest < 0
    assert 0.6 < lost.mean() < 0.9  # three in four
    assert set(found.total_return[lost].round(9)) == {-1.5, -1.75}
    assert found.probability_of_ruin(0.0) == found.probability_of_loss == lost.mean()


@settings(deadline=None, max_examples=40)
@given(profit=st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=30), seed=st.integers(0, 99))
def test_another_order_of_trades_ends_at_the_same_profit(profit: list[float], seed: int) -> None:
    found = resample_trades(
        np.array(profit), 1e5, 50.0, rng(seed), paths=20, with_replacement=False
    )
    assert found.total_return == pytest.approx(math.fsum(profit) / 1e5, abs=1e-9)


def test_trades_add_up_on_each_path() -> None:
    profit = np.array([300.0, -200.0, 50.0, -400.0, 600.0])
    found = resample_trades(profit, 1000.0, 5.0, rng(2), paths=30, with_replacement=False)
    for path, rows in enumerate(shuffled_rows(5, 30, rng(2))):
        equity = np.concatenate([[1000.0], 1000.0 + np.cumsum(profit[rows])])
        best = np.maximum.accumulate(equity)
        assert found.max_drawdown[path] == pytest.approx((1 - equity / best).max())
        assert found.lowest[path] == pytest.approx(equity.min() / 1000)
    expected = profit.mean() / profit.std(ddof=1) * math.sqrt(5)
    assert found.sharpe == pytest.approx(expected)


def test_an_equity_at_the_fraction_is_not_below_it() -> None:
    found = resample_trades(
        np.array([-50.0, 50.0]), 100.0, 2.0, rng(), paths=64, with_replacement=False
    )
    assert found.probability_of_ruin(0.5) == found.probability_of_loss == 0.0
    assert 0.2 < found.probability_of_ruin(0.51) < 0.8


def test_ruin_and_loss_of_two_trades_by_hand() -> None:
    # +50 % or -60 %, drawn twice: ++ 2.0, +- 0.9, -+ 0.9 (by way of 0.4), -- -0.2
    found = resample_trades(np.array([50.0, -60.0]), 100.0, 2.0, rng(), paths=20_000)
    assert found.probability_of_loss == pytest.approx(0.75, abs=0.015)
    assert found.probability_of_ruin(0.5) == pytest.approx(0.5, abs=0.015)
    assert found.probability_of_ruin(0.0) == pytest.approx(0.25, abs=0.015)
    assert np.isnan(found.sharpe).mean() == pytest.approx(0.5, abs=0.015)  # ++ and --


def test_unusable_input_is_refused() -> None:
    with pytest.raises(DataError, match="at least one return or trade"):
        resample_returns(np.zeros(0), 252.0, rng())
    with pytest.raises(DataError, match="finite"):
        resample_trades(np.array([1.0, math.nan]), 100.0, 2.0, rng())
    with pytest.raises(UsageError, match="at least one path"):
        resample_returns(RETURNS, 252.0, rng(), paths=0)
    with pytest.raises(UsageError, match="initial cash must be positive"):
        resample_trades(np.ones(3), 0.0, 2.0, rng())
    with pytest.raises(UsageError, match="blocks from 1 to 500"):
        resample_returns(RETURNS, 252.0, rng(), block_length=0.5)
