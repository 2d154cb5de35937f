"""Each strategy's weights at single bars, decided again by plain loops over single numbers."""

import math
import statistics
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import combinations, permutations
from typing import Any, NamedTuple

import numpy as np
import pytest
from statsmodels.tsa.adfvalues import mackinnoncrit
from statsmodels.tsa.stattools import coint
from statsmodels.tsa.vector_ar.vecm import coint_johansen

from trading.identifiers import InstrumentId
from trading.strategies.enhanced_momentum import EnhancedMomentum
from trading.strategies.mean_reversion import MeanReversion
from trading.strategies.momentum import Momentum
from trading.strategies.neural_arbitrage import NeuralArbitrage
from trading.strategies.pairs import Pairs
from trading.strategies.signals import FORECAST_DEVIATION, FORECAST_RETURN, SENTIMENT
from trading.strategies.strategy import Bars, Strategy

BARS = range(430, 900, 47)


class Link(NamedTuple):
    """A pair: log y = intercept + slope log x."""

    y: int
    x: int
    slope: float
    intercept: float


def period_of(ts: int, months: int) -> int:
    moment = datetime.fromtimestamp(ts // 10**9, UTC)
    return ((moment.year - 1970) * 12 + moment.month - 1) // months


def last_start(bars: Bars, row: int, months: int) -> int:
    """The first row of the period that `row` is in."""
    while period_of(int(bars.ts[row - 1]), months) == period_of(int(bars.ts[row]), months):
        row -= 1
    return row


def momentum(strategy: Momentum, bars: Bars, row: int) -> list[float]:
    start = last_start(bars, row, strategy.rebalance_months)
    scores, volatilities = [], []
    for column in range(bars.close.shape[1]):
        close = bars.close[:, column].tolist()
        scores.append(
            close[start - strategy.skip_bars] / close[start - strategy.formation_bars] - 1
        )
        recent = range(start - strategy.volatility_bars + 1, start + 1)
        daily = [close[i] / close[i - 1] - 1 for i in recent]
        volatilities.append(statistics.stdev(daily) * math.sqrt(252))
    best = sorted(range(len(scores)), key=lambda column: -scores[column])
    longs = [column for column in best[: strategy.top_k] if scores[column] > 0]
    shorts = [column for column in best[-strategy.top_k :] if scores[column] < 0]
    slots = strategy.top_k * (2 if strategy.allow_short else 1)
    weights = [0.0] * len(scores)
    for column in longs:
        weights[column] += min(1.0, strategy.volatility_target / volatilities[column]) / slots
    for column in shorts if strategy.allow_short else []:
        weights[column] -= min(1.0, strategy.volatility_target / volatilities[column]) / slots
    return weights


def reversion(strategy: MeanReversion, bars: Bars, row: int) -> list[float]:
    sides = []
    for column in range(bars.close.shape[1]):
        side = 0
        for now in range(row - strategy.hold_bars_max + 1, row + 1):
            window = bars.close[now - strategy.window_bars + 1 : now + 1, column].tolist()
            z = (window[-1] - statistics.fmean(window)) / statistics.stdev(window)
            if z <= -strategy.entry_z:
                side = 1
            elif z >= strategy.entry_z:
                side = -1
            elif (side == 1 and z >= -strategy.exit_z) or (side == -1 and z <= strategy.exit_z):
                side = 0
        sides.append(side if strategy.allow_short else max(side, 0))
    gross = sum(abs(side) for side in sides) * strategy.position_weight
    return [side * strategy.position_weight / max(gross, 1.0) for side in sides]


def linked(strategy: Pairs | NeuralArbitrage, sample: np.ndarray) -> list[Link]:
    """Every pair that passes the test, the strongest first."""
    found = []
    columns = np.flatnonzero(np.isfinite(sample).all(axis=0)).tolist()
    if strategy.test == "engle_granger":
        limits = dict(zip((0.01, 0.05, 0.1), mackinnoncrit(2, "c", len(sample) - 1), strict=True))
        for y, x in permutations(columns, 2):
            statistic = coint(sample[:, y], sample[:, x], trend="c", maxlag=1, autolag=None)[0]
            slope, intercept = np.polyfit(sample[:, x], sample[:, y], 1)
            if statistic < limits[strategy.significance] and slope > 0:
                found.append((statistic, y, x, slope, intercept))
    else:
        for y, x in combinations(columns, 2):
            result = coint_johansen(sample[:, [y, x]], det_order=0, k_ar_diff=1)
            limit = dict(zip((0.1, 0.05, 0.01), result.cvt[0], strict=True))[strategy.significance]
            slope = -result.evec[1, 0] / result.evec[0, 0]
            if result.lr1[0] > limit and slope > 0:
                intercept = (sample[:, y] - slope * sample[:, x]).mean()
                found.append((-result.lr1[0], y, x, slope, intercept))
    return [Link(*pair[1:]) for pair in sorted(found)]


def disjoint(links: list[Link], count: int) -> list[Link]:
    chosen: list[Link] = []
    for link in links:
        taken = {leg for other in chosen for leg in (other.y, other.x)}
        if len(chosen) < count and not taken & {link.y, link.x}:
            chosen.append(link)
    return chosen


def pairs(strategy: Pairs, bars: Bars, row: int) -> list[float]:
    start = last_start(bars, row, strategy.trading_months)
    logs = np.log(bars.close)
    sample = logs[start - strategy.formation_bars + 1 : start + 1]
    weights = [0.0] * logs.shape[1]
    for link in disjoint(linked(strategy, sample), strategy.max_pairs):
        side, slope, intercept = 0, link.slope, link.intercept
        for now in range(start, row + 1):
            until = start
            if strategy.hedge == "rolling":
                until = now
                window = slice(now - strategy.formation_bars + 1, now + 1)
                slope, intercept = np.polyfit(logs[window, link.x], logs[window, link.y], 1)
            spread = logs[: now + 1, link.y] - intercept - slope * logs[: now + 1, link.x]
            deviation = spread[until - strategy.formation_bars + 1 : until + 1].std()
            z = spread[-1] / deviation
            if abs(z) >= strategy.stop_z or slope <= 0:
                side = 0
                break
            if abs(z) >= strategy.entry_z:
                side = -1 if z > 0 else 1
            elif side * z >= -strategy.exit_z:
                side = 0
        weights[link.y] = side / (1 + slope) / strategy.max_pairs
        weights[link.x] = -side * slope / (1 + slope) / strategy.max_pairs
    return weights


def arbitrage(strategy: NeuralArbitrage, bars: Bars, row: int) -> list[float]:
    start = last_start(bars, row, strategy.trading_months)
    logs = np.log(bars.close)
    sample = logs[start - strategy.formation_bars + 1 : start + 1]
    symbols = [name.split(".")[0] for name in bars.instrument_ids]
    same = []
    for y, x in combinations(range(len(symbols)), 2):
        if symbols[y] == symbols[x]:
            same.append(Link(y, x, 1.0, (sample[:, y] - sample[:, x]).mean()))
    links = disjoint([*same, *linked(strategy, sample)], strategy.max_pairs)
    forecast, error = bars.signals[FORECAST_RETURN], bars.signals[FORECAST_DEVIATION]
    weights = [0.0] * logs.shape[1]
    for y, x, slope, intercept in links:
        deviation = (sample[:, y] - slope * sample[:, x]).std()
        cost = strategy.cost_bps / 10_000 * (1 + slope)
        side = 0
        for now in range(start, row + 1):
            z = (logs[now, y] - intercept - slope * logs[now, x]) / deviation
            gain = forecast[now, y] - slope * forecast[now, x]
            doubt = math.sqrt(error[now, y] ** 2 + slope**2 * error[now, x] ** 2)
            is_enough = (
                abs(gain) > strategy.cost_margin * cost
                and abs(gain) > strategy.certainty_min * doubt
            )
            if abs(z) >= strategy.stop_z:
                side = 0
                break
            if is_enough and abs(z) >= strategy.entry_z and z * gain < 0:
                side = 1 if gain > 0 else -1
            elif side * z >= -strategy.exit_z or side * gain <= 0:
                side = 0
        weights[y] = side / (1 + slope) / strategy.max_pairs
        weights[x] = -side * slope / (1 + slope) / strategy.max_pairs
    return weights


def deviation_of_returns(close: list[float], row: int, count: int) -> float:
    daily = [close[i] / close[i - 1] - 1 for i in range(row - count + 1, row + 1)]
    return statistics.stdev(daily) * math.sqrt(252)


def enhanced(strategy: EnhancedMomentum, bars: Bars, row: int) -> list[float]:
    start = last_start(bars, row, strategy.rebalance_months)
    scores, sizes, is_stormy = [], [], []
    for column in range(bars.close.shape[1]):
        close, volume = bars.close[:, column].tolist(), bars.volume[:, column].tolist()
        score = close[start - strategy.skip_bars] / close[start - strategy.formation_bars] - 1
        recent = statistics.fmean(volume[start - strategy.volume_bars + 1 : start + 1])
        usual = statistics.fmean(volume[start - strategy.long_run_bars + 1 : start + 1])
        scores.append(score if recent >= strategy.volume_ratio_min * usual else 0.0)
        present = deviation_of_returns(close, start, strategy.volatility_bars)
        long_run = deviation_of_returns(close, start, strategy.long_run_bars)
        sizes.append(min(1.0, strategy.volatility_target / present) * min(1.0, long_run / present))
        is_stormy.append(
            deviation_of_returns(close, row, strategy.volatility_bars)
            > strategy.regime_ratio_max * deviation_of_returns(close, row, strategy.long_run_bars)
        )
    best = sorted(range(len(scores)), key=lambda column: -scores[column])
    sides = [0] * len(scores)
    for column in best[: strategy.top_k]:
        sides[column] += scores[column] > 0
    for column in best[-strategy.top_k :] if strategy.allow_short else []:
        sides[column] -= scores[column] < 0
    slots = strategy.top_k * (2 if strategy.allow_short else 1)
    weights = []
    for column, (side, size) in enumerate(zip(sides, sizes, strict=True)):
        at = {name: float(array[start, column]) for name, array in bars.signals.items()}
        tone = 0.0 if math.isnan(at[SENTIMENT]) else max(-1.0, min(1.0, at[SENTIMENT]))
        outlook = max(-1.0, min(1.0, at[FORECAST_RETURN] / at[FORECAST_DEVIATION]))
        tilt = strategy.sentiment_tilt * tone + strategy.forecast_tilt * outlook
        weights.append(side * size * max(0.0, 1 + side * tilt) / slots)
    gross = sum(abs(weight) for weight in weights)
    return [
        0.0 if is_out else weight / max(1.0, gross)
        for weight, is_out in zip(weights, is_stormy, strict=True)
    ]


@pytest.mark.parametrize("row", BARS)
@pytest.mark.parametrize(
    "strategy",
    [
        Momentum(top_k=2),
        Momentum(formation_bars=60, skip_bars=5, volatility_bars=80, top_k=3, allow_short=True),
        Momentum(
            formation_bars=40, skip_bars=0, rebalance_months=3, top_k=2, volatility_target=0.1
        ),
    ],
    ids=["default", "both sides", "quarterly"],
)
def test_momentum_decides_like_the_loop(strategy: Momentum, bars: Bars, row: int) -> None:
    np.testing.assert_allclose(
        strategy.targets(bars)[row], momentum(strategy, bars, row), rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("row", BARS)
@pytest.mark.parametrize(
    "strategy",
    [
        MeanReversion(),
        MeanReversion(window_bars=10, entry_z=1.2, hold_bars_max=7, allow_short=True),
        MeanReversion(window_bars=30, entry_z=0.8, position_weight=0.5, allow_short=True),
    ],
    ids=["default", "both sides", "crowded"],
)
def test_mean_reversion_decides_like_the_loop(
    strategy: MeanReversion, bars: Bars, row: int
) -> None:
    np.testing.assert_allclose(
        strategy.targets(bars)[row], reversion(strategy, bars, row), rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize(
    "strategy",
    [
        Pairs(formation_bars=60, significance=0.1, max_pairs=3, entry_z=1.0, stop_z=2.5),
        Pairs(formation_bars=252, significance=0.1, max_pairs=2, entry_z=0.7, exit_z=0.2),
        Pairs(formation_bars=90, test="johansen", max_pairs=2, entry_z=1.0),
        Pairs(formation_bars=60, hedge="rolling", significance=0.1, entry_z=1.0, stop_z=2.5),
        Pairs(formation_bars=120, test="johansen", hedge="rolling", trading_months=2),
    ],
    ids=["short", "long", "johansen", "rolling", "both"],
)
def test_pairs_decide_like_the_loop(strategy: Pairs, bars: Bars) -> None:
    assert_decides_like(pairs, strategy, bars)


@pytest.fixture(scope="module")
def rich(bars: Bars) -> Bars:
    """The real prices and a second venue for two of them, with volume and all signals."""
    noise = np.random.default_rng(11)
    second = bars.close[:, [0, 3]] * np.exp(noise.normal(0, 0.003, (len(bars), 2)))
    close = np.column_stack([bars.close, second])
    signals = {
        SENTIMENT: noise.uniform(-1.3, 1.3, close.shape),
        FORECAST_RETURN: noise.normal(0, 0.01, close.shape),
        FORECAST_DEVIATION: noise.uniform(0.005, 0.02, close.shape),
    }
    signals[SENTIMENT][noise.random(close.shape) < 0.3] = np.nan
    names = (*bars.instrument_ids, InstrumentId("AAPL.SECOND"), InstrumentId("KO.SECOND"))
    volume = noise.lognormal(10, 0.4, close.shape)
    return Bars(bars.ts, names, close, close, close, close, volume, signals)


@pytest.mark.parametrize(
    "strategy",
    [
        NeuralArbitrage(formation_bars=60, significance=0.1, entry_z=0.7),
        NeuralArbitrage(formation_bars=90, test="johansen", max_pairs=3, certainty_min=0.3),
    ],
    ids=["engle_granger", "johansen"],
)
def test_neural_arbitrage_decides_like_the_loop(strategy: NeuralArbitrage, rich: Bars) -> None:
    assert_decides_like(arbitrage, strategy, rich)


@pytest.mark.parametrize(
    "strategy",
    [
        EnhancedMomentum(volatility_target=0.15, top_k=3),
        EnhancedMomentum(
            formation_bars=60,
            skip_bars=3,
            long_run_bars=100,
            regime_ratio_max=1.3,
            volume_ratio_min=1.0,
            top_k=2,
            allow_short=True,
        ),
        EnhancedMomentum(
            formation_bars=80,
            rebalance_months=3,
            sentiment_tilt=1.0,
            forecast_tilt=1.0,
            volatility_target=3.0,
            top_k=2,
        ),
    ],
    ids=["default", "both sides", "tilted"],
)
def test_enhanced_momentum_decides_like_the_loop(strategy: EnhancedMomentum, rich: Bars) -> None:
    assert_decides_like(enhanced, strategy, rich)


def assert_decides_like(
    loop: Callable[[Any, Bars, int], list[float]], strategy: Strategy, bars: Bars
) -> None:
    """Compare at a few bars of all history, and at some where something is held."""
    batch = strategy.targets(bars)
    held = np.flatnonzero(batch.any(axis=1)).tolist()
    rows = {*range(440, 900, 115), *held[:: max(1, len(held) // 6)]}
    assert len(rows & set(held)) >= 5
    for row in sorted(rows):
        expected = loop(strategy, bars, row)
        np.testing.assert_allclose(batch[row], expected, rtol=1e-6, atol=1e-9, err_msg=str(row))


def test_loops_are_compared_where_something_is_held(bars: Bars) -> None:
    for strategy in (Momentum(top_k=2), MeanReversion(window_bars=10, entry_z=1.2)):
        assert strategy.targets(bars)[list(BARS)].any(axis=1).sum() >= 5
