"""What holds for all indicators: causal, the same row by row, honest about NaN and about the rows that they need."""

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.indicators import moving_average
from trading.indicators.adx import Adx, adx
from trading.indicators.atr import Atr, TrueRange, atr, true_range
from trading.indicators.beta import RollingBeta, rolling_beta
from trading.indicators.bollinger import Bollinger, bollinger
from trading.indicators.cci import Cci, cci
from trading.indicators.donchian import Donchian, donchian
from trading.indicators.half_life import HalfLife, half_life
from trading.indicators.hurst import Hurst, hurst
from trading.indicators.ichimoku import Ichimoku, ichimoku
from trading.indicators.kalman import KalmanHedgeRatio, kalman_hedge_ratio
from trading.indicators.keltner import Keltner, keltner
from trading.indicators.macd import Macd, macd
from trading.indicators.obv import Obv, obv
from trading.indicators.rsi import Rsi, rsi
from trading.indicators.stochastic import (
    FastStochastic,
    SlowStochastic,
    fast_stochastic,
    slow_stochastic,
)
from trading.indicators.supertrend import SuperTrend, supertrend
from trading.indicators.volatility import RollingVolatility, rolling_volatility
from trading.indicators.vwap import RollingVwap, SessionVwap, rolling_vwap, session_vwap
from trading.indicators.windows import MovingMean, moving_mean
from trading.indicators.zscore import ZScore, moving_zscore

DOCS = Path(__file__).parents[3] / "docs" / "indicators.md"
ROWS, COLUMNS = 60, 2
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Case:
    """`inputs` go to both forms in this order; `warm_up` has one number per output."""

    compute: Callable[..., Any]
    incremental: Callable[[], Any]
    inputs: tuple[str, ...]
    warm_up: tuple[int, ...]
    arguments: tuple[Any, ...] = ()

    def outputs(self, arrays: Arrays) -> tuple[np.ndarray, ...]:
        result = self.compute(*(arrays[name] for name in self.inputs), *self.arguments)
        if is_dataclass(result):
            return tuple(getattr(result, field.name) for field in fields(result))
        return (result,)


def case(
    compute: Callable[..., Any],
    kind: Callable[..., Any],
    inputs: str,
    warm_up: tuple[int, ...],
    *arguments: Any,
) -> Any:
    made = Case(compute, lambda: kind(*arguments), tuple(inputs.split()), warm_up, arguments)
    return pytest.param(made, id=compute.__name__)


CASES = [
    case(moving_mean, MovingMean, "close", (6,), 7),
    case(moving_average.sma, moving_average.Sma, "close", (4,), 5),
    case(moving_average.ema, moving_average.Ema, "close", (4,), 5),
    case(moving_average.wilder, moving_average.Wilder, "close", (4,), 5),
    case(moving_average.wma, moving_average.Wma, "close", (5,), 6),
    case(moving_average.dema, moving_average.Dema, "close", (8,), 5),
    case(rsi, Rsi, "close", (5,), 5),
    case(macd, Macd, "close", (6, 9, 9), 3, 7, 4),
    case(bollinger, Bollinger, "close", (5, 5, 5), 6, 2.5),
    case(true_range, TrueRange, "high low close", (1,)),
    case(atr, Atr, "high low close", (5,), 5),
    case(adx, Adx, "high low close", (9, 5, 5), 5),
    case(fast_stochastic, FastStochastic, "high low close", (4, 6), 5, 3),
    case(slow_stochastic, SlowStochastic, "high low close", (6, 7), 5, 3, 2),
    case(cci, Cci, "high low close", (6,), 7),
    case(obv, Obv, "close volume", (0,)),
    case(rolling_vwap, RollingVwap, "high low close volume", (5,), 6),
    case(keltner, Keltner, "high low close", (6, 6, 6), 7, 4, 1.5),
    case(donchian, Donchian, "high low", (6, 6, 6), 7),
    case(ichimoku, Ichimoku, "high low close", (2, 4, 7, 10, 3), 3, 5, 8, 3),
    case(supertrend, SuperTrend, "high low close", (4, 4), 4, 1.0),
    case(supertrend, SuperTrend, "high low close", (4, 4), 4, 0.02),
    case(moving_zscore, ZScore, "close", (6,), 7),
    case(rolling_beta, RollingBeta, "close other", (6,), 7),
    case(half_life, HalfLife, "close", (9,), 10),
    case(hurst, Hurst, "close", (11,), 12, (1, 2, 4)),
    case(rolling_volatility, RollingVolatility, "close", (6,), 6),
    case(kalman_hedge_ratio, KalmanHedgeRatio, "close other", (0, 0, 0, 0), 1e-3, 1e-2),
]
every_indicator = pytest.mark.parametrize("case", CASES)


def bars(seed: int, rows: int = ROWS, tick: float = 0.0) -> Arrays:
    """Prices of `COLUMNS` instruments; a `tick` makes equal and flat ones common."""
    chance = np.random.default_rng(seed)
    shape = (rows, COLUMNS)
    close = 50.0 * np.exp(chance.normal(0.0, 0.02, shape).cumsum(axis=0))
    close[:, 1] *= 1000.0
    reach_up, reach_down = chance.uniform(0.0, 0.02, (2, *shape))
    arrays = {
        "close": close,
        "high": close * (1.0 + reach_up),
        "low": close * (1.0 - reach_down),
        "other": 30.0 * np.exp(chance.normal(0.0, 0.02, shape).cumsum(axis=0)),
    }
    if tick:
        arrays = {name: np.maximum(np.round(each / tick), 1.0) for name, each in arrays.items()}
    arrays["volume"] = chance.integers(0, 1000, shape).astype(float)
    return arrays


def with_holes(arrays: Arrays, holes: list[tuple[int, int, str]]) -> Arrays:
    damaged = {name: each.copy() for name, each in arrays.items()}
    for row, column, name in holes:
        damaged[name][row, column] = np.nan
    return damaged


def row_by_row(case: Case, arrays: Arrays, column: int) -> np.ndarray:
    """(time, output) of the incremental form."""
    machine = case.incremental()
    rows = zip(*(arrays[name][:, column].tolist() for name in case.inputs), strict=True)
    return np.array([np.atleast_1d(machine.update(*row)) for row in rows])


def assert_same(found: np.ndarray, expected: np.ndarray, scale: float) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-9 * scale)


def shrunk_per_row(rows_to_half: np.ndarray) -> np.ndarray:
    """The share of a distance that is left after one row."""
    return np.where(
        rows_to_half == 0, 0.0, 0.5 ** (1 / np.where(rows_to_half == 0, 1, rows_to_half))
    )


names = st.sampled_from(["close", "high", "low", "other", "volume"])
holes = st.lists(
    st.tuples(st.integers(0, ROWS - 1), st.integers(0, COLUMNS - 1), names), max_size=4
)


@every_indicator
@settings(deadline=None, max_examples=12)
@given(seed=st.integers(0, 10_000), tick=st.sampled_from([0.0, 20.0]), holes=holes)
def test_row_by_row_is_the_same_as_all_at_once(
    case: Case, seed: int, tick: float, holes: list[tuple[int, int, str]]
) -> None:
    arrays = with_holes(bars(seed, tick=tick), holes)
    outputs = case.outputs(arrays)
    for column in range(COLUMNS):
        scale = np.nanmax(arrays["close"][:, column])
        expected = np.stack([each[:, column] for each in outputs], axis=1)
        found = row_by_row(case, arrays, column)
        if case.compute is half_life:  # from 1e15 rows to infinity it is one bit of phi
            found, expected = shrunk_per_row(found), shrunk_per_row(expected)
        assert_same(found, expected, scale)


@every_indicator
@settings(deadline=None, max_examples=12)
@given(seed=st.integers(0, 10_000), kept=st.integers(0, ROWS), holes=holes)
def test_no_row_changes_when_the_future_is_cut_off(
    case: Case, seed: int, kept: int, holes: list[tuple[int, int, str]]
) -> None:
    arrays = with_holes(bars(seed), holes)
    past = {name: each[:kept] for name, each in arrays.items()}
    for whole, cut in zip(case.outputs(arrays), case.outputs(past), strict=True):
        np.testing.assert_array_equal(cut, whole[:kept])


@every_indicator
def test_first_known_row_is_the_documented_one(case: Case) -> None:
    outputs = case.outputs(bars(1))
    assert all(each.shape == (ROWS, COLUMNS) for each in outputs)
    is_known = [~np.isnan(each) for each in outputs]
    assert tuple(int(each[:, 0].argmax()) for each in is_known) == case.warm_up
    for each, warm_up in zip(is_known, case.warm_up, strict=True):
        assert each[warm_up:].all()


@every_indicator
def test_hole_in_a_price_shows_and_heals(case: Case) -> None:
    """In its own row for all, the other column untouched, and gone at the end."""
    whole = case.outputs(bars(2))
    for name in case.inputs:
        found = case.outputs(with_holes(bars(2), [(30, 0, name)]))
        assert any(np.isnan(each[30, 0]) for each in found) or case.compute is ichimoku
        for each, before in zip(found, whole, strict=True):
            assert not np.isnan(each[-1]).any()
            np.testing.assert_array_equal(each[:, 1], before[:, 1])


@every_indicator
def test_instruments_do_not_touch_each_other(case: Case) -> None:
    arrays = bars(3)
    alone = case.outputs({name: each[:, 1:].copy() for name, each in arrays.items()})
    for each, together in zip(alone, case.outputs(arrays), strict=True):
        np.testing.assert_array_equal(each[:, 0], together[:, 1])


@every_indicator
@pytest.mark.parametrize("rows", [0, 1, 2])
def test_hardly_any_history_gives_nan_of_its_length(case: Case, rows: int) -> None:
    for each, warm_up in zip(case.outputs(bars(4, rows)), case.warm_up, strict=True):
        assert each.shape == (rows, COLUMNS)
        assert np.isnan(each[:warm_up]).all()


@every_indicator
def test_flat_prices_give_numbers_or_nan_and_no_warning(case: Case) -> None:
    shape = (ROWS, 1)
    flat = {name: np.full(shape, 0.1) for name in ("close", "high", "low", "other", "volume")}
    outputs = case.outputs(flat)
    assert not any(np.isinf(each).any() for each in outputs)
    expected = np.stack([each[:, 0] for each in outputs], axis=1)
    assert_same(row_by_row(case, flat, 0), expected, 1.0)


@every_indicator
def test_input_is_left_alone(case: Case) -> None:
    arrays = bars(5)
    copies = {name: each.copy() for name, each in arrays.items()}
    case.outputs(arrays)
    for name, each in arrays.items():
        np.testing.assert_array_equal(each, copies[name])


@every_indicator
def test_arrays_of_another_namespace_give_the_same_numbers(case: Case) -> None:
    xp = pytest.importorskip("array_api_strict", reason="array-api-strict is not installed")
    arrays = with_holes(bars(3), [(7, 0, "close"), (20, 1, "high"), (33, 0, "volume")])
    found = case.outputs({name: xp.asarray(each) for name, each in arrays.items()})
    for ours, expected in zip(found, case.outputs(arrays), strict=True):
        assert ours.__array_namespace__() is xp
        np.testing.assert_array_equal(np.asarray(ours), expected)


@every_indicator
def test_page_of_indicators_names_it(case: Case) -> None:
    assert f"`{case.compute.__name__}(" in DOCS.read_text()


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), marks=st.lists(st.booleans(), min_size=ROWS, max_size=ROWS))
def test_session_average_is_the_same_row_by_row(seed: int, marks: list[bool]) -> None:
    arrays = with_holes(bars(seed), [(7, 0, "volume"), (20, 0, "close")])
    names = ("high", "low", "close", "volume")
    starts = np.array(marks)
    found = session_vwap(*(arrays[name] for name in names), starts)
    for column in range(COLUMNS):
        machine = SessionVwap()
        for row in range(ROWS):
            values = [float(arrays[name][row, column]) for name in names]
            expected = machine.update(*values, starts=marks[row])
            assert found[row, column] == pytest.approx(expected, rel=1e-12, nan_ok=True)
    cut = session_vwap(*(arrays[name][:40] for name in names), starts[:40])
    np.testing.assert_array_equal(cut, found[:40])


BAD_CALLS = [
    (lambda x: moving_mean(x, 0), "window must be a whole number of at least 1, got 0"),
    (lambda x: moving_average.ema(x, 0), "period must be a whole number of at least 1, got 0"),
    (lambda x: moving_average.ema(x[:, 0], 2), "values must be \\(time, instrument\\)"),
    (lambda _: moving_average.Wma(True), "window must be a whole number of at least 1, got True"),
    (lambda _: Bollinger(2.5), "window must be a whole number of at least 1, got 2.5"),
    (lambda x: macd(x, 26, 12), "fast must be below slow, got 26 and 12"),
    (lambda x: adx(x, x, x, 1), "period must be a whole number of at least 2, got 1"),
    (lambda x: moving_zscore(x, 1), "window must be a whole number of at least 2, got 1"),
    (lambda x: half_life(x, 2), "window must be a whole number of at least 3, got 2"),
    (lambda x: hurst(x, 16), "window must be a whole number of at least 17, got 16"),
    (lambda x: hurst(x, 16, (4, 2)), "lags must be at least two, rising"),
    (lambda x: kalman_hedge_ratio(x, x, 1.0), "delta must be above 0 and below 1, got 1.0"),
    (lambda x: kalman_hedge_ratio(x, x, 0.1, 0.0), "noise must be above 0, got 0.0"),
    (lambda x: kalman_hedge_ratio(x, x[1:]), "arrays must have one shape"),
    (lambda x: session_vwap(x, x, x, x, np.array([True])), "starts is \\(1,\\), must be \\(60,\\)"),
]


@pytest.mark.parametrize(("call", "message"), BAD_CALLS)
def test_impossible_parameter_is_refused_by_name(
    call: Callable[[np.ndarray], object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        call(bars(6)["close"])
