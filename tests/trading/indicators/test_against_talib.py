"""TA-Lib is the oracle wherever it has the indicator."""

import numpy as np
import pytest
import talib

from trading.indicators.adx import adx
from trading.indicators.atr import atr, true_range
from trading.indicators.beta import rolling_beta
from trading.indicators.bollinger import bollinger
from trading.indicators.cci import cci
from trading.indicators.donchian import donchian
from trading.indicators.macd import macd
from trading.indicators.moving_average import dema, ema, sma, wma
from trading.indicators.obv import obv
from trading.indicators.returns import simple_returns
from trading.indicators.rsi import rsi
from trading.indicators.stochastic import fast_stochastic, slow_stochastic
from trading.indicators.windows import moving_mean_and_deviation

ROWS = 700
PERIODS = [2, 3, 14, 60]


@pytest.fixture(scope="module", params=["smooth", "rounded"])
def bars(request: pytest.FixtureRequest) -> dict[str, np.ndarray]:
    """Rounded to a tick, closes often stay the same and touch the high or the low."""
    chance = np.random.default_rng(7)
    close = 80.0 * np.exp(chance.normal(0.0, 0.01, ROWS).cumsum())
    up, down = chance.exponential(0.006, (2, ROWS))
    made = {"close": close, "high": close * (1 + up), "low": close * (1 - down)}
    if request.param == "rounded":
        made = {name: np.round(each * 2.0) / 2.0 for name, each in made.items()}
    return made | {"volume": chance.integers(0, 10**6, ROWS).astype(float)}


def column(values: np.ndarray) -> np.ndarray:
    return values.reshape(-1, 1)


def assert_agrees(found: np.ndarray, oracle: np.ndarray, scale: float = 0.0) -> None:
    """To 1e-8 of the value; `scale` is the size of the numbers that cancel out in it."""
    found = found[:, 0]
    is_known = ~np.isnan(oracle)
    assert is_known.sum() > ROWS / 2
    np.testing.assert_allclose(found[is_known], oracle[is_known], rtol=1e-8, atol=1e-10 * scale)


def assert_agrees_also_before(found: np.ndarray, oracle: np.ndarray, scale: float = 0.0) -> None:
    """Same, and the first known row is the same too."""
    np.testing.assert_array_equal(np.isnan(found[:, 0]), np.isnan(oracle))
    assert_agrees(found, oracle, scale)


@pytest.mark.parametrize("period", PERIODS)
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(sma, talib.SMA), (ema, talib.EMA), (wma, talib.WMA), (dema, talib.DEMA)],
    ids=["sma", "ema", "wma", "dema"],
)
def test_moving_average(bars, ours, theirs, period) -> None:
    close = bars["close"]
    assert_agrees_also_before(ours(column(close), period), theirs(close, period))


@pytest.mark.parametrize("period", [2, 20])
def test_exponential_average_passes_over_unknown_first_prices(bars, period) -> None:
    close = bars["close"].copy()
    close[:30] = np.nan
    assert_agrees_also_before(ema(column(close), period), talib.EMA(close, period))


@pytest.mark.parametrize("period", PERIODS)
def test_rsi(bars, period) -> None:
    close = bars["close"]
    assert_agrees_also_before(rsi(column(close), period), talib.RSI(close, period))


@pytest.mark.parametrize("periods", [(12, 26, 9), (3, 4, 2), (5, 60, 20)])
def test_macd(bars, periods) -> None:
    close = bars["close"]
    found, oracle = macd(column(close), *periods), talib.MACD(close, *periods)
    assert_agrees(found.line, oracle[0], scale=80.0)
    assert_agrees_also_before(found.signal, oracle[1], scale=80.0)
    assert_agrees_also_before(found.histogram, oracle[2], scale=80.0)


@pytest.mark.parametrize("window", PERIODS)
@pytest.mark.parametrize("width", [1.0, 2.5])
def test_bollinger(bars, window, width) -> None:
    close = bars["close"]
    found = bollinger(column(close), window, width)
    oracle = talib.BBANDS(close, window, width, width)
    for ours, theirs in zip((found.upper, found.middle, found.lower), oracle, strict=True):
        # TA-Lib subtracts squares: a window of two loses half of the digits of its deviation.
        assert_agrees_also_before(ours, theirs, scale=1e4 if window < 5 else 0.0)


@pytest.mark.parametrize("window", [14, 60])
def test_deviation_of_a_population(bars, window) -> None:
    _, deviation = moving_mean_and_deviation(column(bars["close"]), window, ddof=0)
    assert_agrees_also_before(deviation, talib.STDDEV(bars["close"], window))


@pytest.mark.parametrize("period", PERIODS)
def test_ranges(bars, period) -> None:
    prices = bars["high"], bars["low"], bars["close"]
    columns = [column(each) for each in prices]
    assert_agrees_also_before(true_range(*columns), talib.TRANGE(*prices))
    assert_agrees_also_before(atr(*columns, period), talib.ATR(*prices, period))


@pytest.mark.parametrize("period", PERIODS)
def test_directional_movement(bars, period) -> None:
    prices = bars["high"], bars["low"], bars["close"]
    found = adx(*(column(each) for each in prices), period)
    assert_agrees_also_before(found.plus_di, talib.PLUS_DI(*prices, period))
    assert_agrees_also_before(found.minus_di, talib.MINUS_DI(*prices, period))
    assert_agrees_also_before(found.adx, talib.ADX(*prices, period))


@pytest.mark.parametrize("windows", [(5, 3, 3), (14, 1, 4), (2, 2, 1)])
def test_stochastic(bars, windows) -> None:
    prices = bars["high"], bars["low"], bars["close"]
    columns = [column(each) for each in prices]
    window, k_window, d_window = windows
    fast, slow = fast_stochastic(*columns, window, d_window), slow_stochastic(*columns, *windows)
    fast_k, fast_d = talib.STOCHF(*prices, window, d_window)
    slow_k, slow_d = talib.STOCH(*prices, window, k_window, 0, d_window, 0)
    for ours, theirs in ((fast.k, fast_k), (slow.k, slow_k)):
        assert_agrees(ours, theirs, scale=100.0)
    for ours, theirs in ((fast.d, fast_d), (slow.d, slow_d)):
        assert_agrees_also_before(ours, theirs, scale=100.0)


@pytest.mark.parametrize("window", [3, 14, 60])
def test_cci(bars, window) -> None:
    prices = bars["high"], bars["low"], bars["close"]
    found = cci(*(column(each) for each in prices), window)
    assert_agrees_also_before(found, talib.CCI(*prices, window), scale=100.0)


def test_obv(bars) -> None:
    close, volume = bars["close"], bars["volume"]
    assert_agrees_also_before(obv(column(close), column(volume)), talib.OBV(close, volume))


@pytest.mark.parametrize("window", PERIODS)
def test_edges_of_donchian(bars, window) -> None:
    found = donchian(column(bars["high"]), column(bars["low"]), window)
    np.testing.assert_array_equal(found.upper[:, 0], talib.MAX(bars["high"], window))
    np.testing.assert_array_equal(found.lower[:, 0], talib.MIN(bars["low"], window))


@pytest.mark.parametrize("window", [5, 60])
def test_beta_of_returns(bars, window) -> None:
    """TA-Lib takes prices, calls the series it explains the second one, and says 0 where we say NaN."""
    y, x = bars["close"], bars["high"]
    found = rolling_beta(simple_returns(column(y)), simple_returns(column(x)), window)
    is_flat = talib.MAX(x, window + 1) == talib.MIN(x, window + 1)
    assert np.isnan(found[is_flat]).all()
    oracle = np.where(is_flat, np.nan, talib.BETA(x, y, window))
    assert_agrees_also_before(found, oracle, scale=10.0)


def test_directional_movement_after_a_long_rest(bars) -> None:
    """Until row 100 every bar lies inside of the one before."""
    row = np.arange(ROWS)
    inside = 90.0 - row / 50.0, 70.0 + row / 50.0, np.full(ROWS, 80.0)
    moving = bars["high"], bars["low"], bars["close"]
    prices = [np.where(row < 100, *each) for each in zip(inside, moving, strict=True)]
    found = adx(*(column(each) for each in prices), 14)
    assert (found.adx[27:99, 0] == 0.0).all()
    assert_agrees_also_before(found.adx, talib.ADX(*prices, 14))


def test_nothing_moves() -> None:
    """All of these divide by a range that is 0."""
    flat = np.full(40, 0.1)
    one = column(flat)
    np.testing.assert_array_equal(rsi(one, 5)[:, 0], talib.RSI(flat, 5))
    found, oracle = fast_stochastic(one, one, one), talib.STOCHF(flat, flat, flat)
    np.testing.assert_array_equal(found.d[:, 0], oracle[1])
    np.testing.assert_array_equal(cci(one, one, one, 8)[7:, 0], 0.0)
    lines = adx(one, one, one, 5)
    np.testing.assert_array_equal(lines.adx[:, 0], talib.ADX(flat, flat, flat, 5))
    np.testing.assert_array_equal(lines.plus_di[:, 0], talib.PLUS_DI(flat, flat, flat, 5))
