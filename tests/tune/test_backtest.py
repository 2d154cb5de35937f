"""One run, its yardsticks and its costs: hand-computed bars, and strategies that misbehave."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.backtest.engine import run_backtest
from trading.backtest.settings import BacktestSettings, Costs, Exits
from trading.errors import ConfigError, DataError, TradingError, UsageError
from trading.identifiers import InstrumentId
from trading.indicators.rolling import FloatArray
from trading.metrics.summary import metrics_of
from trading.strategies.momentum import Momentum
from trading.strategies.strategy import Bars
from tune.backtest import (
    BUY_AND_HOLD,
    COST_MULTIPLES,
    EQUAL_WEIGHT,
    backtest,
    returns_under_costs,
    weights_of,
    yardsticks,
)

DAY_NS = 86_400 * 10**9
FREE = BacktestSettings(initial_cash=1_000.0, costs=Costs(half_spread_bps=0.0, slippage_bps=0.0))
IDS = (InstrumentId("AAA.X"), InstrumentId("BBB.X"))


def daily(close: FloatArray, first: str = "2020-05-04") -> Bars:
    start = int(datetime.fromisoformat(first).replace(tzinfo=UTC).timestamp()) * 10**9
    ts = start + DAY_NS * np.arange(len(close), dtype=np.int64)
    ids = tuple(InstrumentId(f"{chr(65 + i) * 3}.X") for i in range(close.shape[1]))
    return Bars.of_closes(ts, ids, close)


def random_walk(rows: int, columns: int, seed: int) -> FloatArray:
    steps = np.random.default_rng(seed).normal(0.0, 0.02, (rows, columns))
    close: FloatArray = 100.0 * np.exp(np.cumsum(steps, axis=0))
    return close


THREE = daily(np.array([[10.0, 20.0], [11.0, 20.0], [12.0, 10.0]]))


@dataclass(frozen=True)
class Guest:
    """A strategy that answers as it is told."""

    answer: Callable[[Bars], object]
    lookback: int = 1

    def targets(self, bars: Bars) -> FloatArray:
        return self.answer(bars)  # type: ignore[return-value]


def constant(weight: float) -> Guest:
    return Guest(lambda bars: np.full(bars.close.shape, weight))


# -- yardsticks


def test_when_three_bars_are_held_the_courses_are_those_worked_out_by_hand() -> None:
    """Half of 1,000 each is 50 at 10 and 25 at 20: at the next open 50 * 11 + 25 * 20 = 1,050, so 20/21 of it."""
    hold, _ = yardsticks(THREE, FREE)
    units = np.array([50.0, 25.0]) * 20 / 21
    np.testing.assert_allclose(hold.result.units, np.array([np.zeros(2), units, units]), rtol=1e-12)
    last = units @ [12.0, 10.0]
    np.testing.assert_allclose(hold.result.equity, np.array([1000.0, 1000.0, last]), rtol=1e-12)
    np.testing.assert_allclose(hold.result.cash, [1000, 0, 0], atol=1e-9)
    assert hold.metrics.total_return == pytest.approx(last / 1000 - 1)


def test_when_yardsticks_are_drawn_they_bear_their_names_and_their_own_metrics() -> None:
    runs = yardsticks(daily(random_walk(120, 3, 4)), BacktestSettings())
    assert [run.strategy for run in runs] == [BUY_AND_HOLD, EQUAL_WEIGHT]
    for run in runs:
        assert run.params == {}
        assert run.notes == ()
        ours, again = (msgspec.structs.astuple(m) for m in (run.metrics, metrics_of(run.result)))
        np.testing.assert_array_equal(ours, again)


@settings(deadline=None, max_examples=25)
@given(
    rows=st.integers(3, 120),
    columns=st.integers(1, 5),
    seed=st.integers(0, 10**6),
    fee=st.floats(0, 30),
)
def test_when_prices_wander_buy_and_hold_buys_once_and_never_sells(
    rows: int, columns: int, seed: int, fee: float
) -> None:
    costs = Costs(bps=fee)
    hold, _ = yardsticks(daily(random_walk(rows, columns, seed)), BacktestSettings(costs=costs))
    assert set(hold.result.fills.bar.tolist()) == {1}
    assert (hold.result.fills.units > 0).all()
    assert len(hold.result.fills) == columns
    assert (hold.result.units[1:] == hold.result.units[1]).all()


@pytest.mark.parametrize(
    "exits", [Exits(stop_loss=0.02), Exits(take_profit=0.02), Exits(trailing_stop=0.02)]
)
def test_when_the_strategy_has_stops_buy_and_hold_still_holds(exits: Exits) -> None:
    bars = daily(random_walk(150, 3, 1))
    stopped, plain = BacktestSettings(exits=exits), BacktestSettings()
    for with_stops, without in zip(yardsticks(bars, stopped), yardsticks(bars, plain), strict=True):
        np.testing.assert_array_equal(with_stops.result.equity, without.result.equity)
    assert set(yardsticks(bars, stopped)[0].result.fills.bar.tolist()) == {1}


def test_when_an_instrument_is_listed_late_buy_and_hold_never_has_it() -> None:
    close = random_walk(80, 3, 2)
    close[:30, 2] = np.nan
    hold, _ = yardsticks(daily(close), FREE)
    assert (hold.result.units[:, 2] == 0).all()
    alone, _ = yardsticks(daily(close[:, :2]), FREE)
    np.testing.assert_allclose(hold.result.equity, alone.result.equity, rtol=1e-12)


def test_when_an_instrument_is_listed_late_equal_weights_take_it_in_the_next_month() -> None:
    close = random_walk(80, 3, 2)
    close[:10, 2] = np.nan
    bars = daily(close)  # 4 May 2020; the third is listed on 14 May, June begins in row 28
    _, equal = yardsticks(bars, FREE)
    held = equal.result.units[:, 2]
    assert (held[:29] == 0).all()
    assert held[29] > 0
    shares = equal.result.units[29] * close[29] / equal.result.equity[29]
    np.testing.assert_allclose(shares, 1 / 3, rtol=0.05)


def test_when_a_month_has_begun_equal_weights_are_renewed_and_at_no_other_time() -> None:
    bars = daily(random_walk(200, 3, 5))
    _, equal = yardsticks(bars, FREE)
    months = bars.ts.astype("datetime64[ns]").astype("datetime64[M]")
    begins = [1 + row for row in range(1, 199) if months[row] != months[row - 1]]
    assert set(equal.result.fills.bar.tolist()) == {1, *begins}


def test_when_months_pass_equal_weights_follow_a_naive_loop() -> None:
    bars = daily(random_walk(130, 4, 6))
    _, equal = yardsticks(bars, FREE)
    months = bars.ts.astype("datetime64[ns]").astype("datetime64[M]")
    units, cash, course = np.zeros(4), 1_000.0, []
    decided = None
    for row, price in enumerate(bars.close):
        if decided is not None:
            cost = float((decided - units) @ price)
            if cost > cash:
                # What cannot be paid is left out of the purchases alone.
                sold = float(np.minimum(decided - units, 0.0) @ price)
                bought = float(np.maximum(decided - units, 0.0) @ price)
                part = (cash - sold) / bought
                change = np.where(decided > units, part, 1.0) * (decided - units)
                units, cash = units + change, cash - float(change @ price)
            else:
                units, cash = decided, cash - cost
            decided = None
        course.append(cash + float(units @ price))
        if row == 0 or months[row] != months[row - 1]:
            decided = course[-1] / 4 / price
    np.testing.assert_allclose(equal.result.equity, course, rtol=2e-3)


# -- one strategy


def test_when_a_strategy_runs_its_parameters_and_figures_are_kept() -> None:
    bars = daily(random_walk(400, 3, 7))
    strategy = Momentum(formation_bars=60, skip_bars=5, top_k=2)
    against = yardsticks(bars, BacktestSettings())[0].result.returns
    run = backtest("momentum", strategy, bars, BacktestSettings(), benchmark=against)
    expected = run_backtest(bars, strategy.targets(bars), BacktestSettings())
    np.testing.assert_array_equal(run.result.equity, expected.equity)
    assert run.params["formation_bars"] == 60
    assert run.params["top_k"] == 2
    assert run.metrics.total_return == pytest.approx(run.result.equity[-1] / 1e6 - 1)
    assert math.isfinite(run.metrics.beta)


def test_when_the_market_is_another_the_fills_have_its_prices() -> None:
    bars = daily(random_walk(30, 2, 8))
    market = daily(2.0 * bars.close)
    run = backtest("guest", constant(0.5), bars, FREE, market=market)
    np.testing.assert_allclose(
        run.result.fills.price, market.open[run.result.fills.bar, run.result.fills.column]
    )
    assert run.params == {}


def raising(error: Exception) -> Guest:
    def answer(_: Bars) -> object:
        raise error

    return Guest(answer)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no such window"),
        ValueError("two\nlines"),
        ZeroDivisionError("division"),
        KeyError("sentiment"),
        MemoryError(),
    ],
)
def test_when_a_strategy_raises_the_sentence_names_it_and_the_error(error: Exception) -> None:
    with pytest.raises(UsageError) as caught:
        weights_of("my_own", raising(error), THREE)
    text = str(caught.value)
    assert "'my_own'" in text
    assert type(error).__name__ in text
    assert "\n" not in text
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("kind", [UsageError, ConfigError, DataError])
def test_when_a_strategy_raises_an_error_of_ours_it_keeps_its_kind(
    kind: type[TradingError],
) -> None:
    with pytest.raises(kind, match="strategy 'my_own': bad luck") as caught:
        weights_of("my_own", raising(kind("bad luck")), THREE)
    assert caught.value.exit_status == kind.exit_status


@pytest.mark.parametrize(
    "answer",
    [
        lambda bars: bars.close[1:],
        lambda bars: bars.close[:, :1],
        lambda bars: bars.close.T,
        lambda bars: np.zeros(len(bars)),
        lambda bars: 0.5,
        lambda bars: None,
    ],
)
def test_when_weights_have_the_wrong_shape_the_sentence_says_both(
    answer: Callable[[Bars], object],
) -> None:
    with pytest.raises(
        UsageError, match=r"'my_own' returned weights of shape .* 3 bars of 2 instr"
    ):
        weights_of("my_own", Guest(answer), THREE)


@pytest.mark.parametrize("answer", [lambda bars: "buy", lambda bars: [["a", "b"]] * 3])
def test_when_weights_are_no_numbers_the_sentence_names_the_strategy(
    answer: Callable[[Bars], object],
) -> None:
    with pytest.raises(UsageError, match="'my_own'"):
        weights_of("my_own", Guest(answer), THREE)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_when_a_weight_is_no_number_strategy_instrument_and_bar_are_named(bad: float) -> None:
    weights = np.full((3, 2), 0.5)
    weights[1, 1] = bad
    with pytest.raises(DataError) as caught:
        backtest("my_own", Guest(lambda _: weights), THREE, FREE)
    text = str(caught.value)
    assert text.startswith("strategy 'my_own': ")
    assert "BBB" in text
    assert "2020-05-05" in text
    assert "bar 2" in text


def test_when_a_price_is_bad_strategy_instrument_and_bar_are_named() -> None:
    bars = daily(np.array([[10.0, 20.0], [11.0, -1.0], [12.0, 10.0]]))
    with pytest.raises(DataError, match=r"'my_own'.*BBB"):
        backtest("my_own", constant(0.5), bars, FREE)


# -- costs


def test_when_costs_are_multiplied_each_return_is_that_of_a_run_with_them() -> None:
    bars = daily(random_walk(260, 2, 9))
    weights = np.where(np.arange(260)[:, None] % 7 < 3, 0.5, 0.0) * np.ones(2)
    costs = Costs(
        bps=3.0, per_unit=0.01, minimum=2.0, half_spread_bps=2.0, slippage_bps=1.0, impact=0.0
    )
    assumed = BacktestSettings(costs=costs)
    multiples, annual = returns_under_costs(weights, bars, assumed)
    assert tuple(multiples) == COST_MULTIPLES == (0.0, 0.5, 1.0, 2.0, 4.0)
    for multiple, figure in zip(multiples.tolist(), annual.tolist(), strict=True):
        scaled = Costs(
            bps=3.0 * multiple,
            per_unit=0.01 * multiple,
            minimum=2.0 * multiple,
            half_spread_bps=2.0 * multiple,
            slippage_bps=1.0 * multiple,
        )
        alone = run_backtest(bars, weights, BacktestSettings(costs=scaled))
        assert figure == metrics_of(alone).annual_return
    assert (np.diff(annual) < 0).all()


def test_when_nothing_costs_anything_every_multiple_earns_the_same() -> None:
    bars = daily(random_walk(60, 2, 10))
    _, annual = returns_under_costs(np.full((60, 2), 0.5), bars, FREE)
    assert len(set(annual.tolist())) == 1
