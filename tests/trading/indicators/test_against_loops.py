"""Indicators that TA-Lib lacks, against loops over single numbers that follow the text of their source."""

import math
from datetime import UTC, datetime

import numpy as np
import pytest
from statsmodels.api import OLS, add_constant

from trading.indicators.beta import rolling_beta
from trading.indicators.donchian import donchian
from trading.indicators.half_life import half_life
from trading.indicators.hurst import hurst
from trading.indicators.ichimoku import ichimoku
from trading.indicators.kalman import kalman_hedge_ratio
from trading.indicators.keltner import keltner
from trading.indicators.supertrend import supertrend
from trading.indicators.vwap import rolling_vwap, session_starts, session_vwap

ROWS = 160
NAN = math.nan


def bars(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """High, low, close, volume, one column each."""
    chance = np.random.default_rng(seed)
    close = 40.0 * np.exp(chance.normal(0.0, 0.015, (ROWS, 1)).cumsum(axis=0))
    up, down = chance.exponential(0.008, (2, ROWS, 1))
    volume = chance.integers(0, 500, (ROWS, 1)).astype(float)
    return close * (1 + up), close * (1 - down), close, volume


def numbers(*arrays: np.ndarray) -> list[list[float]]:
    return [each[:, 0].tolist() for each in arrays]


def assert_column(found: np.ndarray, expected: list[float]) -> None:
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-9, atol=1e-12)


def average_true_range(
    high: list[float], low: list[float], close: list[float], period: int
) -> list[float]:
    found = [NAN] * len(close)
    spans = [
        max(high[row], close[row - 1]) - min(low[row], close[row - 1])
        for row in range(1, len(close))
    ]
    found[period] = sum(spans[:period]) / period
    for row in range(period + 1, len(close)):
        found[row] = (found[row - 1] * (period - 1) + spans[row - 1]) / period
    return found


def middle_of(high: list[float], low: list[float], row: int, window: int) -> float:
    if row < window - 1:
        return NAN
    rows = slice(row - window + 1, row + 1)
    return (max(high[rows]) + min(low[rows])) / 2


def test_vwap_over_rows_is_that_of_the_loop() -> None:
    high, low, close, volume = numbers(*bars())
    expected = [NAN] * 9
    for row in range(9, ROWS):
        value = sum((high[i] + low[i] + close[i]) / 3 * volume[i] for i in range(row - 9, row + 1))
        expected.append(value / sum(volume[row - 9 : row + 1]))
    assert_column(rolling_vwap(*bars(), 10), expected)


def test_vwap_of_a_session_begins_anew_with_it() -> None:
    high, low, close, volume = numbers(*bars())
    starts = np.zeros(ROWS, dtype=bool)
    starts[[5, 6, 70]] = True
    expected, first = [NAN] * 5, 5
    for row in range(5, ROWS):
        first = row if starts[row] else first
        rows = range(first, row + 1)
        value = sum((high[i] + low[i] + close[i]) / 3 * volume[i] for i in rows)
        traded = sum(volume[i] for i in rows)
        expected.append(value / traded if traded else NAN)
    assert_column(session_vwap(*bars(), starts), expected)


def test_vwap_without_a_trade_is_unknown() -> None:
    high, low, close, volume = bars()
    volume[20:24] = 0.0
    starts = np.arange(ROWS) == 20
    assert np.isnan(session_vwap(high, low, close, volume, starts)[:24]).all()
    assert np.isnan(rolling_vwap(high, low, close, volume, 4)[23, 0])


def test_session_begins_with_the_first_bar_that_closes_after_its_opening() -> None:
    closes = ["01T21:59", "01T22:00", "01T22:01", "02T12:00", "02T22:00", "02T22:01", "05T09:00"]
    moments = [datetime.fromisoformat(f"2024-03-{each}").replace(tzinfo=UTC) for each in closes]
    ts = np.array([int(each.timestamp()) for each in moments], dtype=np.int64) * 10**9
    opens_at_ns = 22 * 3600 * 10**9
    expected = [False, False, True, False, False, True, True]
    assert session_starts(ts, opens_at_ns).tolist() == expected
    assert session_starts(ts).tolist() == [False, False, False, True, False, False, True]


def test_keltner_is_that_of_the_loop() -> None:
    high, low, close, _ = bars()
    spans = average_true_range(*numbers(high, low, close), 7)
    closes = numbers(close)[0]
    middle = [NAN] * 11 + [sum(closes[:12]) / 12]
    for value in closes[12:]:
        middle.append(middle[-1] + (value - middle[-1]) * 2 / 13)
    found = keltner(high, low, close, 12, 7, 1.5)
    assert_column(found.middle, middle)
    assert_column(found.upper, [m + 1.5 * s for m, s in zip(middle, spans, strict=True)])
    assert_column(found.lower, [m - 1.5 * s for m, s in zip(middle, spans, strict=True)])


def test_middle_of_donchian_is_that_of_the_loop() -> None:
    high, low, *_ = bars()
    expected = [middle_of(*numbers(high, low), row, 15) for row in range(ROWS)]
    assert_column(donchian(high, low, 15).middle, expected)


def test_ichimoku_is_that_of_the_loop() -> None:
    high, low, close, _ = bars()
    found = ichimoku(high, low, close)
    highs, lows, closes = numbers(high, low, close)
    lines = {
        window: [middle_of(highs, lows, row, window) for row in range(ROWS)]
        for window in (9, 26, 52)
    }
    cloud = [(a + b) / 2 for a, b in zip(lines[9], lines[26], strict=True)]
    assert_column(found.conversion, lines[9])
    assert_column(found.base, lines[26])
    assert_column(found.leading_a, [NAN] * 26 + cloud[:-26])
    assert_column(found.leading_b, [NAN] * 26 + lines[52][:-26])
    assert_column(found.past_close, [NAN] * 26 + closes[:-26])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("width", [1.2, 0.02])
def test_supertrend_is_that_of_the_script(seed: int, width: float) -> None:
    """The published Pine source of `ta.supertrend`, line by line (its direction is -1 upwards)."""
    high, low, close = numbers(*bars(seed)[:3])
    spans = average_true_range(high, low, close, 6)
    lines, directions = [NAN] * 6, [NAN] * 6
    before_lower = before_upper = before_line = NAN
    for row in range(6, ROWS):
        middle = (high[row] + low[row]) / 2
        lower, upper = middle - width * spans[row], middle + width * spans[row]
        if row > 6:
            if not (lower > before_lower or close[row - 1] < before_lower):
                lower = before_lower
            if not (upper < before_upper or close[row - 1] > before_upper):
                upper = before_upper
        if row == 6:
            direction = 1
        elif before_line == before_upper:
            direction = -1 if close[row] > upper else 1
        else:
            direction = 1 if close[row] < lower else -1
        before_line = lower if direction == -1 else upper
        before_lower, before_upper = lower, upper
        lines.append(before_line)
        directions.append(float(-direction))
    assert {1.0, -1.0} <= set(directions)
    found = supertrend(*bars(seed)[:3], 6, width)
    assert_column(found.line, lines)
    assert_column(found.direction, directions)


def test_beta_is_that_of_statsmodels() -> None:
    chance = np.random.default_rng(3)
    x = chance.normal(0.0, 0.01, (60, 1))
    y = np.array([1.3, -0.4]) * x + chance.normal(0.0, 0.01, (60, 2))
    found = rolling_beta(y, x, 20)
    for row in range(19, 60):
        rows = slice(row - 19, row + 1)
        for column in range(2):
            expected = OLS(y[rows, column], add_constant(x[rows, 0])).fit().params[1]
            assert found[row, column] == pytest.approx(expected, rel=1e-9)


def reverting(phi: float, rows: int, seed: int = 5) -> np.ndarray:
    values, noise = np.zeros((rows, 1)), np.random.default_rng(seed).normal(size=rows)
    for row in range(1, rows):
        values[row] = phi * values[row - 1] + noise[row]
    return values


def test_half_life_is_that_of_statsmodels() -> None:
    values = reverting(0.6, 120)
    found = half_life(values, 30)
    kinds = set()
    for row in range(29, 120):
        seen = values[row - 29 : row + 1, 0]
        phi = OLS(seen[1:], add_constant(seen[:-1])).fit().params[1]
        expected = math.log(0.5) / math.log(phi) if 0 < phi < 1 else math.inf if phi >= 1 else 0.0
        kinds.add(0 < phi < 1)
        assert found[row, 0] == pytest.approx(expected, rel=1e-8)
    assert True in kinds


def test_half_life_of_what_never_and_at_once_reverts() -> None:
    grows, jumps = 1.1 ** np.arange(20.0), (-0.9) ** np.arange(20.0)
    found = half_life(np.stack([grows, jumps], axis=1), 10)
    assert found[-1].tolist() == [math.inf, 0.0]


def test_half_life_finds_the_one_that_was_put_in() -> None:
    found = half_life(reverting(0.95, 20_000), 20_000)[-1, 0]
    assert found == pytest.approx(math.log(0.5) / math.log(0.95), rel=0.1)


def test_hurst_is_that_of_polyfit() -> None:
    values = np.log(bars()[2])
    found = hurst(values, 100, (1, 2, 5, 9))
    for row in range(99, ROWS):
        seen = values[row - 99 : row + 1, 0]
        spread = [np.mean((seen[lag:] - seen[:-lag]) ** 2) for lag in (1, 2, 5, 9)]
        slope = np.polyfit(np.log([1, 2, 5, 9]), np.log(spread), 1)[0]
        assert found[row, 0] == pytest.approx(slope / 2, rel=1e-9)


def test_hurst_tells_reverting_from_random_from_trending() -> None:
    rows = 20_000
    walk = np.random.default_rng(6).normal(size=(rows, 1)).cumsum(axis=0)
    trend = np.arange(float(rows)).reshape(-1, 1)
    found = hurst(np.concatenate([reverting(0.2, rows), walk, trend], axis=1), rows)[-1]
    assert found[0] < 0.1
    assert found[1] == pytest.approx(0.5, abs=0.03)
    assert found[2] == pytest.approx(1.0)


def chans_filter(
    y: list[float], x: list[float], delta: float, noise: float
) -> list[tuple[float, ...]]:
    """Example 3.3 in matrices, as printed: state (beta, alpha), no step before the first row."""
    walk = delta / (1 - delta) * np.eye(2)
    state, uncertainty, found = np.zeros(2), np.zeros((2, 2)), []
    for row, (seen, factor) in enumerate(zip(y, x, strict=True)):
        predicted = uncertainty + walk if row else uncertainty
        observed = np.array([factor, 1.0])
        variance = observed @ predicted @ observed + noise
        error = seen - observed @ state
        gain = predicted @ observed / variance
        state = state + gain * error
        uncertainty = predicted - np.outer(gain, observed) @ predicted
        found.append((state[1], state[0], error, math.sqrt(variance)))
    return found


@pytest.mark.parametrize(("delta", "noise"), [(1e-4, 1e-3), (0.01, 1.0)])
def test_hedge_ratio_is_that_of_the_matrices(delta: float, noise: float) -> None:
    x = bars(8)[2]
    y = 3.0 + 1.7 * x + np.random.default_rng(9).normal(0.0, 0.3, x.shape)
    found = kalman_hedge_ratio(y, x, delta, noise)
    together = np.stack([found.alpha, found.beta, found.error, found.deviation])[:, :, 0]
    expected = np.array(chans_filter(*numbers(y, x), delta, noise)).T
    np.testing.assert_allclose(together, expected, rtol=1e-8, atol=1e-10)


def test_hedge_ratio_finds_the_one_that_was_put_in() -> None:
    chance = np.random.default_rng(10)
    x = chance.normal(0.0, 1.0, (3000, 1))
    y = 3.0 + 1.7 * x + chance.normal(0.0, 0.1, x.shape)
    found = kalman_hedge_ratio(y, x, 1e-7, 0.01)
    assert found.beta[-1, 0] == pytest.approx(1.7, abs=0.02)
    assert found.alpha[-1, 0] == pytest.approx(3.0, abs=0.02)
