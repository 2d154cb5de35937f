import math
from dataclasses import replace

import numpy as np
import pytest

from trading.identifiers import InstrumentId
from trading.strategies.mirror import Mirror, last_changes
from trading.strategies.signals import LEADER_WEIGHT
from trading.strategies.strategy import Bars

DAY = 86_400 * 10**9


def naive(strategy: Mirror, bars: Bars, row: int) -> list[float]:
    leader = bars.signals[LEADER_WEIGHT].tolist()
    seen = row - strategy.delay_bars
    changed = next(
        (at for at in range(seen, 0, -1) if str(leader[at]) != str(leader[at - 1])), None
    )
    weights = [0.0] * len(leader[0])
    if changed is None or row - changed > strategy.max_age_bars:
        return weights
    followed = []
    for column, weight in enumerate(leader[seen]):
        is_long = weight > 0 or strategy.allow_short
        is_traded = not math.isnan(bars.close[row, column])
        if is_traded and is_long and abs(weight) >= strategy.weight_min:
            followed.append((-abs(weight), column))
    for size, column in sorted(followed)[: strategy.max_positions]:
        ours = min(-size * strategy.sizing_factor, strategy.weight_cap)
        weights[column] = math.copysign(ours, leader[seen][column])
    gross = sum(map(abs, weights))
    return [weight / max(gross, 1.0) for weight in weights]


@pytest.mark.parametrize(
    "strategy",
    [
        Mirror(),
        Mirror(delay_bars=0, max_age_bars=20, weight_min=0.1, sizing_factor=0.5, allow_short=True),
        Mirror(delay_bars=7, max_positions=2, sizing_factor=4.0, weight_cap=0.9),
        Mirror(delay_bars=3, max_age_bars=4, weight_min=0.0, weight_cap=1.0, allow_short=True),
    ],
    ids=["default", "careful", "bold", "short memory"],
)
def test_decides_like_the_loop(strategy: Mirror, bars: Bars) -> None:
    """A leader who changes some weights, or none, every nine bars on average, and is unknown at times."""
    generator = np.random.default_rng(4)
    leader = np.full(bars.close.shape, np.nan)
    for row in range(30, len(bars)):
        leader[row] = leader[row - 1]
        if generator.random() < 1 / 9:
            leader[row] = generator.uniform(-0.2, 0.4, 6) * (generator.random(6) < 0.7)
        if generator.random() < 0.01:
            leader[row, 3:] = np.nan
    close = np.where(generator.random(bars.close.shape) < 0.02, np.nan, bars.close)
    made = Bars.of_closes(bars.ts, bars.instrument_ids, close)
    told = replace(made, signals={LEADER_WEIGHT: leader})
    batch = strategy.targets(told)
    assert 0.2 < batch.any(axis=1).mean() < 1.0
    for row in range(strategy.lookback - 1, len(bars)):
        expected = naive(strategy, told, row)
        np.testing.assert_allclose(batch[row], expected, rtol=1e-12, err_msg=str(row))


def told_bars(leader: list[list[float]]) -> Bars:
    weights = np.array(leader)
    ts = DAY * np.arange(len(weights), dtype=np.int64)
    names = tuple(InstrumentId(f"{name}.X") for name in "ABC"[: weights.shape[1]])
    made = Bars.of_closes(ts, names, np.full(weights.shape, 10.0))
    return replace(made, signals={LEADER_WEIGHT: weights})


def test_position_begins_after_the_delay_and_ends_when_the_disclosure_is_old() -> None:
    strategy = Mirror(delay_bars=2, max_age_bars=4, weight_cap=1.0)
    nothing, held = [math.nan, math.nan], [0.5, 0.25]
    weights = strategy.targets(told_bars([nothing] * 7 + [held] * 8))
    assert np.flatnonzero(weights.any(axis=1)).tolist() == [9, 10, 11]
    np.testing.assert_array_equal(weights[9], held)


def test_changed_weight_of_one_instrument_renews_the_whole_portfolio() -> None:
    strategy = Mirror(delay_bars=0, max_age_bars=3, weight_cap=1.0)
    leader = [[0.0, 0.0]] * 6 + [[0.5, 0.2]] * 3 + [[0.5, 0.3]] * 6
    weights = strategy.targets(told_bars(leader))
    assert np.flatnonzero(weights.any(axis=1)).tolist() == list(range(6, 13))


def test_largest_positions_are_scaled_capped_and_never_above_the_capital() -> None:
    leader = [[0.0] * 3] * 8 + [[0.1, -0.5, 0.4]]
    assert Mirror(delay_bars=0, max_age_bars=3).targets(told_bars(leader))[-1].tolist() == [
        0.1,
        0.0,
        0.2,
    ]
    both = Mirror(
        delay_bars=0,
        max_age_bars=3,
        max_positions=2,
        sizing_factor=2.0,
        weight_cap=0.9,
        allow_short=True,
    )
    weights = both.targets(told_bars(leader))[-1]
    np.testing.assert_allclose(weights, np.array([0.0, -0.9, 0.8]) / 1.7)


def test_instrument_without_a_price_does_not_take_a_place() -> None:
    bars = told_bars([[0.0] * 3] * 8 + [[0.5, 0.3, 0.2]])
    bars.close[-1, 0] = np.nan
    weights = Mirror(delay_bars=0, max_age_bars=3, max_positions=1).targets(bars)
    assert weights[-1].tolist() == [0.0, 0.2, 0.0]


def test_rows_of_last_changes_take_unknown_as_equal_to_unknown() -> None:
    values = np.array([[math.nan], [math.nan], [1.0], [1.0], [math.nan], [2.0]])
    assert last_changes(values).tolist() == [-1, -1, 2, 2, 4, 5]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"delay_bars": -1}, "delay_bars must be a whole number from 0 to 252"),
        (
            {"delay_bars": 5, "max_age_bars": 5},
            "max_age_bars must be a whole number from 6 to 2520",
        ),
        ({"weight_cap": 1.5}, "weight_cap must be a number from 0.001 to 1.0"),
        ({"sizing_factor": math.inf}, "sizing_factor must be a number from 0.01 to 10.0"),
    ],
)
def test_parameter_out_of_range_is_named(changes: dict[str, float], what: str) -> None:
    with pytest.raises(ValueError, match=f"Mirror: {what}"):
        Mirror(**changes)  # type: ignore[arg-type]
