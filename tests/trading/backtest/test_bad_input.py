import numpy as np
import pytest

from trading.backtest.engine import Actions, run_backtest
from trading.backtest.settings import (
    BacktestSettings,
    Costs,
    Exits,
    Financing,
    Limits,
    Orders,
)
from trading.errors import DataError
from trading.strategies.strategy import Bars

NAN, INF = np.nan, np.inf
HALF = np.full((3, 1), 0.5)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"closes": [1, -2, 3]}, r"S0\.XNAS at bar 2 .*: the open is -2; it must be a positive"),
        ({"closes": [1, 0, 3]}, "bar 2 .* is 0; it must be a positive number"),
        ({"closes": [1, INF, 3]}, "bar 2 .* is inf"),
        ({"closes": [1, 2, 3], "opens": [1, NAN, 3]}, "bar 2 .* the open is nan"),
        ({"closes": [1, 2, 3], "highs": [1, 1.5, 3]}, "bar 2 .* within low and high"),
        ({"closes": [1, 2, 3], "lows": [1, 2.5, 3]}, "bar 2 .* within low and high"),
        ({"closes": [1, 2, 3], "volumes": [1, -1, 1]}, "bar 2 .* the volume is -1"),
        ({"closes": [1, 2, 3], "volumes": [1, NAN, 1]}, "bar 2 .* the volume is nan"),
        ({"closes": [NAN, 2, 3], "opens": [-1, 2, 3]}, "bar 1 .* the open is -1"),
    ],
)
def test_unusable_price_is_named(make_bars, columns: dict[str, list[float]], message: str) -> None:
    with pytest.raises(DataError, match=message):
        run_backtest(make_bars(**columns), HALF)


@pytest.mark.parametrize("weight", [NAN, INF, -INF])
def test_unusable_weight_is_named(make_bars, weight: float) -> None:
    weights = HALF.copy()
    weights[1] = weight

    with pytest.raises(DataError, match=r"S0\.XNAS at bar 2 .*: the weight is .*finite"):
        run_backtest(make_bars([1, 2, 3]), weights)


def test_weights_of_another_shape_are_refused(make_bars) -> None:
    with pytest.raises(DataError, match=r"shape \(2, 1\), must be \(3, 1\)"):
        run_backtest(make_bars([1, 2, 3]), HALF[:2])


@pytest.mark.parametrize(("ts", "word"), [([0, 2, 1], "older"), ([0, 1, 1], "repeats")])
def test_times_that_do_not_rise_are_refused(make_bars, ts: list[int], word: str) -> None:
    bars = make_bars([1, 2, 3])
    columns = (bars.close, bars.open, bars.high, bars.low, bars.volume)

    with pytest.raises(DataError, match=f"bar 3 .* {word}"):
        run_backtest(Bars(np.array(ts), bars.instrument_ids, *columns), HALF)


def test_no_bars_are_refused(make_bars) -> None:
    with pytest.raises(DataError, match="no bars"):
        run_backtest(make_bars([1, 2, 3]).rows(0, 0), HALF[:0])


@pytest.mark.parametrize(
    ("splits", "dividends", "message"),
    [
        ([1, 0, 1], [0, 0, 0], "bar 2 .* split ratio is 0"),
        ([1, NAN, 1], [0, 0, 0], "split ratio is nan"),
        ([1, 1, 1], [0, -1, 0], "bar 2 .* dividend is -1"),
        ([1, 1], [0, 0], "splits are of shape"),
    ],
)
def test_unusable_action_is_named(
    make_bars, splits: list[float], dividends: list[float], message: str
) -> None:
    actions = Actions(np.array(splits)[:, None], np.array(dividends)[:, None])

    with pytest.raises(DataError, match=message):
        run_backtest(make_bars([1, 2, 3]), HALF, actions=actions)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BacktestSettings(initial_cash=0), "initial_cash must be a positive number"),
        (lambda: Costs(bps=-1), "costs: bps"),
        (lambda: Costs(impact=NAN), "costs: impact"),
        (lambda: Financing(borrow_rate=-0.1), "financing: borrow_rate"),
        (lambda: Exits(stop_loss=1.0), "a stop must be below 1"),
        (lambda: Limits(max_leverage=0), "limits: max_leverage"),
        (lambda: Orders(band=-0.1), "orders: band"),
        (lambda: Orders(max_participation=0), "orders: max_participation"),
    ],
)
def test_assumption_that_makes_no_sense_is_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
