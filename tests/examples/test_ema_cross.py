"""The example strategy does what its docstrings promise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.ema_cross import EmaCross, bars_in_a_row, main
from trading.identifiers import InstrumentId
from trading.strategies.strategy import Bars

MINUTE_NS = 60_000_000_000


def bars_of(close: np.ndarray) -> Bars:
    ts = MINUTE_NS * np.arange(1, len(close) + 1, dtype=np.int64)
    names = tuple(InstrumentId(f"S{column}.TEST") for column in range(close.shape[1]))
    return Bars.of_closes(ts, names, close)


def walk(seed: int, rows: int, columns: int = 2) -> np.ndarray:
    source = np.random.default_rng(seed)
    return 100.0 * np.exp(np.cumsum(source.normal(0.0, 0.01, (rows, columns)), axis=0))


def naive_average(prices: list[float], period: int) -> float:
    """As it is written in textbooks: begins with the mean of the first prices."""
    average = sum(prices[:period]) / period
    for price in prices[period:]:
        average = 2 / (period + 1) * price + (1 - 2 / (period + 1)) * average
    return average


def test_weights_are_those_of_a_plain_loop() -> None:
    strategy, close = EmaCross(fast=3, slow=8), walk(1, 260, 1)
    weights = strategy.targets(bars_of(close))
    for row in range(len(close)):
        prices = close[: row + 1, 0].tolist()
        leads = row >= strategy.lookback - 1 and naive_average(prices, 3) > naive_average(prices, 8)
        assert weights[row, 0] == float(leads)
    assert 0 < weights.sum() < len(close) - strategy.lookback


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), fast=st.integers(1, 6), gap=st.integers(1, 6))
def test_window_of_lookback_bars_gives_the_weight_of_all_history(
    seed: int, fast: int, gap: int
) -> None:
    strategy = EmaCross(fast=fast, slow=fast + gap)
    close = walk(seed, 3 * strategy.lookback)
    close[strategy.lookback + gap, 0] = np.nan
    bars = bars_of(close)
    weights = strategy.targets(bars)
    for row in range(strategy.lookback - 1, len(close)):
        window = bars.rows(row - strategy.lookback + 1, row + 1)
        np.testing.assert_array_equal(strategy.targets(window)[-1], weights[row])


def test_prices_that_stand_still_are_no_trend_whatever_came_before() -> None:
    strategy = EmaCross(fast=5, slow=20)
    close = np.vstack([walk(3, 200, 1), np.full((2_000, 1), 123.45)])
    assert not strategy.targets(bars_of(close))[-1_000:].any()


def test_instrument_with_a_gap_is_out_until_the_gap_has_left_the_window() -> None:
    strategy = EmaCross(fast=2, slow=4)
    close = np.linspace(100.0, 200.0, 300)[:, np.newaxis] * np.ones(2)
    close[150, 0] = np.nan
    weights = strategy.targets(bars_of(close))
    first, back = strategy.lookback - 1, 150 + strategy.lookback
    assert weights[first:, 1].all()
    assert weights[first:150, 0].all()
    assert not weights[150:back, 0].any()
    assert weights[back:, 0].all()


def test_bars_in_a_row_begin_anew_after_a_gap() -> None:
    close = np.array([[1.0, np.nan], [1.0, 1.0], [np.nan, 1.0], [1.0, 1.0]])
    np.testing.assert_array_equal(bars_in_a_row(close), [[1, 0], [2, 1], [0, 2], [1, 3]])


@pytest.mark.parametrize(
    ("fast", "slow", "text"),
    [
        (30, 30, "fast must be a whole number from 1 to 29, got 30"),
        (0, 30, "fast must be a whole number from 1 to 29, got 0"),
        (1, 1, "slow must be a whole number from 2 to 10000, got 1"),
        (2, 10.5, "slow must be a whole number from 2 to 10000, got 10.5"),
    ],
)
def test_parameter_out_of_its_range_is_refused(fast: int, slow: float, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        EmaCross(fast=fast, slow=slow)


def test_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    main()
    assert "trades" in capsys.readouterr().out
