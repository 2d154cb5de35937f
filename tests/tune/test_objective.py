from dataclasses import dataclass

import numpy as np
import pytest

from trading.backtest.engine import Actions, run_backtest
from trading.backtest.settings import BacktestSettings, Costs
from trading.errors import ConfigError, UsageError
from trading.indicators.rolling import FloatArray
from trading.metrics.summary import metrics_of
from trading.strategies.mean_reversion import MeanReversion
from trading.strategies.signals import LEADER_WEIGHT
from trading.strategies.strategy import Bars
from trading.validation.splits import Split
from tune.ledger import Measured
from tune.objective import Fold, Objective, backtest_rows, folds_of, needs_of, strategy_of
from tune.prices import Quoted

SETTINGS = BacktestSettings()


@dataclass(frozen=True)
class Clairvoyant:
    """Knows the last price that it was shown, and all before."""

    lookback: int = 1

    def targets(self, bars: Bars) -> FloatArray:
        return np.where(bars.close[-1] > bars.close, 0.3, -0.3)


@pytest.mark.parametrize("rows", [slice(0, 120), slice(37, 120), slice(200, 400)])
def test_slice_is_backtested_with_the_weights_of_the_whole_history(bars: Bars, rows: slice) -> None:
    """Bars before the slice warm the strategy up: the same decisions as over all of history."""
    strategy = MeanReversion(window_bars=20)
    whole = strategy.targets(bars)[rows]
    expected = run_backtest(bars.rows(rows.start, rows.stop), whole, SETTINGS)
    found = backtest_rows(strategy, bars, rows, SETTINGS)
    np.testing.assert_array_equal(found.equity, expected.equity)
    np.testing.assert_array_equal(found.ts, bars.ts[rows])


def quoted_of(bars: Bars, split_at: int) -> Quoted:
    """Prices before the split are twice as high, and units half as many."""
    times = np.where(np.arange(len(bars))[:, None] < split_at, 2.0, 1.0)
    splits = np.ones_like(bars.close)
    splits[split_at] = 2.0
    market = Bars.of_closes(bars.ts, bars.instrument_ids, bars.close * times)
    return Quoted(market, Actions(splits, np.zeros_like(splits)))


@pytest.mark.parametrize("rows", [slice(0, 120), slice(90, 300)])
def test_split_changes_no_return_of_a_slice(bars: Bars, rows: slice) -> None:
    """Without costs by the unit, halved prices of doubled units are the same money."""
    strategy = MeanReversion(window_bars=20)
    found = backtest_rows(strategy, bars, rows, SETTINGS, quoted_of(bars, 150))
    expected = backtest_rows(strategy, bars, rows, SETTINGS)
    np.testing.assert_allclose(found.equity, expected.equity)


def test_costs_by_the_unit_are_those_of_the_quoted_units(bars: Bars) -> None:
    settings = BacktestSettings(costs=Costs(per_unit=0.1, half_spread_bps=0, slippage_bps=0))
    strategy, rows = MeanReversion(window_bars=20), slice(0, 150)
    quoted = quoted_of(bars, 200)
    found = metrics_of(backtest_rows(strategy, bars, rows, settings, quoted)).commission
    adjusted = metrics_of(backtest_rows(strategy, bars, rows, settings)).commission
    assert adjusted > 0
    assert found == pytest.approx(adjusted / 2, rel=0.05)
    objective = Objective(
        strategy="mean_reversion", folds=(Fold(0, 150, 150, 300),), settings=settings
    )
    measured = objective.measure(strategy, bars, 0, 0, quoted)
    assert measured.train["commission"] == found


def test_needs_are_those_of_the_class_or_of_the_parameters() -> None:
    assert needs_of("momentum", {}) == ()
    assert needs_of("mirror", {"delay_bars": -1}) == (LEADER_WEIGHT,)
    assert needs_of("ensemble", {"members": {"mirror": {}}}) == (LEADER_WEIGHT,)
    assert needs_of("ensemble", {"members": {"momentum": {}}}) == ()


def test_not_even_a_clairvoyant_sees_the_test_while_it_is_chosen(bars: Bars) -> None:
    """Other prices from the test on change the test figures and none of the training."""
    other_close = bars.close.copy()
    other_close[200:] = 0.9 * other_close[200:][::-1]
    other = Bars.of_closes(bars.ts, bars.instrument_ids, other_close)
    objective = Objective(strategy="unused", folds=(Fold(50, 200, 200, 300),))
    first = objective.measure(Clairvoyant(), bars, 0, 0)
    second = objective.measure(Clairvoyant(), other, 0, 0)
    np.testing.assert_equal(first.train, second.train)
    assert first.test["sharpe"] != second.test["sharpe"]
    assert first.returns != second.returns


def test_measured_figures_are_those_of_the_two_slices(bars: Bars) -> None:
    strategy = MeanReversion(window_bars=20)
    objective = Objective(strategy="mean_reversion", folds=(Fold(0, 200, 210, 300),))
    measured = objective.measure(strategy, bars, 4, 0)
    weights = strategy.targets(bars)
    train = run_backtest(bars.rows(0, 200), weights[:200], SETTINGS)
    test = run_backtest(bars.rows(210, 300), weights[210:300], SETTINGS)
    assert (measured.number, measured.fold) == (4, 0)
    assert measured.train["sharpe"] == metrics_of(train).sharpe
    assert measured.test["total_return"] == metrics_of(test).total_return
    np.testing.assert_array_equal(np.frombuffer(measured.returns), test.returns)


def test_score_is_the_mean_of_the_training_figures_and_less_can_be_better() -> None:
    folds = [
        Measured(0, 0, {"sharpe": 1.0, "max_drawdown": 0.2}, {"sharpe": 9.0}, b""),
        Measured(0, 1, {"sharpe": 2.0, "max_drawdown": 0.4}, {"sharpe": 9.0}, b""),
    ]
    assert Objective(strategy="x", folds=()).score(folds) == 1.5
    deep = Objective(strategy="x", folds=(), metric="max_drawdown", is_minimised=True)
    assert deep.score(folds) == pytest.approx(-0.3)
    folds.append(Measured(0, 2, {"sharpe": np.nan}, {}, b""))
    assert np.isnan(Objective(strategy="x", folds=()).score(folds))


def test_splits_become_folds() -> None:
    splits = [Split(slice(0, 50), slice(50, 80)), Split(slice(None, 80), slice(85, None))]
    assert folds_of(splits, 100) == (Fold(0, 50, 50, 80), Fold(0, 80, 85, 100))


@pytest.mark.parametrize(
    "split",
    [
        Split(slice(0, 50), slice(49, 80)),  # the test begins in the training
        Split(slice(50, 80), slice(0, 50)),  # the test lies before the training
        Split(slice(0, 0), slice(10, 20)),
        Split(slice(0, 50), slice(100, 120)),  # beyond the bars
    ],
)
def test_split_that_would_cheat_or_is_empty_is_refused(split: Split) -> None:
    with pytest.raises(UsageError, match="Fold 1 trains on rows"):
        folds_of([split], 100)
    with pytest.raises(UsageError, match="There is no fold"):
        folds_of([], 100)


def test_strategy_is_found_by_name_or_by_its_place() -> None:
    expected = MeanReversion(window_bars=30)
    assert strategy_of("mean_reversion", {"window_bars": 30}) == expected
    place = "trading.strategies.mean_reversion:MeanReversion"
    assert strategy_of(place, {"window_bars": 30}) == expected
    with pytest.raises(UsageError, match=r"no strategy 'trading\.nowhere:X'"):
        strategy_of("trading.nowhere:X", {})
    with pytest.raises(UsageError, match="no strategy"):
        strategy_of("trading.strategies.mean_reversion:Nobody", {})
    with pytest.raises(ConfigError, match="window_bars"):
        strategy_of(place, {"window_bars": -1})
