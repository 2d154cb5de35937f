"""Each strategy's weights at single bars, decided again by plain loops over single numbers."""

import math
import statistics
from datetime import UTC, datetime
from itertools import permutations

import numpy as np
import pytest
from statsmodels.tsa.adfvalues import mackinnoncrit
from statsmodels.tsa.stattools import coint

from trading.strategies.mean_reversion import MeanReversion
from trading.strategies.momentum import Momentum
from trading.strategies.pairs import Pairs
from trading.strategies.strategy import Bars

BARS = range(430, 900, 47)


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


def pairs(strategy: Pairs, bars: Bars, row: int) -> list[float]:
    start = last_start(bars, row, strategy.trading_months)
    logs = np.log(bars.close)
    sample = logs[start - strategy.formation_bars + 1 : start + 1]
    limits = dict(zip((0.01, 0.05, 0.1), mackinnoncrit(2, "c", len(sample) - 1), strict=True))
    found = []
    for y, x in permutations(range(logs.shape[1]), 2):
        statistic = coint(sample[:, y], sample[:, x], trend="c", maxlag=1, autolag=None)[0]
        slope, intercept = np.polyfit(sample[:, x], sample[:, y], 1)
        if statistic < limits[strategy.significance] and slope > 0:
            found.append((statistic, y, x, slope, intercept))
    weights = [0.0] * logs.shape[1]
    taken: list[int] = []
    for _, y, x, slope, intercept in sorted(found):
        if y in taken or x in taken or len(taken) == 2 * strategy.max_pairs:
            continue
        taken += [y, x]
        spread = logs[:, y] - intercept - slope * logs[:, x]
        deviation = spread[start - strategy.formation_bars + 1 : start + 1].std()
        side = 0
        for z in (spread[start : row + 1] / deviation).tolist():
            if abs(z) >= strategy.stop_z:
                side = 0
                break
            if abs(z) >= strategy.entry_z:
                side = -1 if z > 0 else 1
            elif side * z >= -strategy.exit_z:
                side = 0
        weights[y] = side / (1 + slope) / strategy.max_pairs
        weights[x] = -side * slope / (1 + slope) / strategy.max_pairs
    return weights


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
    ],
    ids=["short", "long"],
)
def test_pairs_decide_like_the_loop(strategy: Pairs, bars: Bars) -> None:
    batch = strategy.targets(bars)
    held = np.flatnonzero(batch.any(axis=1)).tolist()
    rows = {*range(440, 900, 115), *held[:: max(1, len(held) // 6)]}
    assert len(rows & set(held)) >= 5
    for row in sorted(rows):
        expected = pairs(strategy, bars, row)
        np.testing.assert_allclose(batch[row], expected, rtol=1e-6, atol=1e-9, err_msg=str(row))


def test_loops_are_compared_where_something_is_held(bars: Bars) -> None:
    for strategy in (Momentum(top_k=2), MeanReversion(window_bars=10, entry_z=1.2)):
        assert strategy.targets(bars)[list(BARS)].any(axis=1).sum() >= 5
