import math
import statistics
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.identifiers import InstrumentId
from trading.strategies.neural_sentiment import NeuralSentiment, decayed_mean, known_zscore
from trading.strategies.signals import SENTIMENT
from trading.strategies.strategy import Bars

DAY = 86_400 * 10**9
TONES = st.lists(
    st.one_of(st.just(math.nan), st.floats(-1.0, 1.0, width=16)), min_size=1, max_size=40
)


def naive_average(strategy: NeuralSentiment, tone: list[float], row: int) -> float:
    recent = tone[row - strategy.silence_bars_max : row + 1]
    if all(math.isnan(value) for value in recent):
        return math.nan
    total = weight = 0.0
    for age in range(strategy.average_bars):
        if not math.isnan(tone[row - age]):
            share = math.exp(-math.log(2.0) * age / strategy.half_life_bars)
            total, weight = total + share * tone[row - age], weight + share
    return total / weight


def naive_surprise(strategy: NeuralSentiment, tone: list[float], row: int) -> float:
    rows = range(row - strategy.history_bars + 1, row + 1)
    averages = [naive_average(strategy, tone, at) for at in rows]
    known = [value for value in averages if not math.isnan(value)]
    if len(known) < max(2, strategy.history_bars / 2):
        return math.nan
    return (averages[-1] - statistics.fmean(known)) / statistics.stdev(known)


def naive(strategy: NeuralSentiment, bars: Bars, row: int) -> list[float]:
    sides = []
    for column in range(bars.close.shape[1]):
        tone = bars.signals[SENTIMENT][:, column].tolist()
        close = bars.close[:, column].tolist()
        side = age = 0
        for now in range(row - strategy.hold_bars_max + 1, row + 1):
            z = naive_surprise(strategy, tone, now)
            move = close[now] - close[now - strategy.confirmation_bars]
            age += 1
            if abs(z) >= strategy.entry_z and z * move > 0:
                side, age = (1 if z > 0 else -1), 0
            elif not side * z > strategy.exit_z:
                side = 0
        if age >= strategy.hold_bars_max:
            side = 0
        sides.append(side if strategy.allow_short else max(side, 0))
    gross = sum(map(abs, sides)) * strategy.position_weight
    return [side * strategy.position_weight / max(gross, 1.0) for side in sides]


@pytest.mark.parametrize(
    "strategy",
    [
        NeuralSentiment(),
        NeuralSentiment(silence_bars_max=3, entry_z=0.8, history_bars=40, allow_short=True),
        NeuralSentiment(
            average_bars=3,
            half_life_bars=0.5,
            history_bars=20,
            hold_bars_max=2,
            position_weight=0.6,
        ),
        NeuralSentiment(average_bars=1, history_bars=5, entry_z=0.9, confirmation_bars=9),
    ],
    ids=["default", "sparse", "fast", "single"],
)
def test_decides_like_the_loop(strategy: NeuralSentiment, bars: Bars) -> None:
    """The tone is noise that rises with the return of the day, and is silent on one day of five."""
    generator = np.random.default_rng(2)
    tone = generator.normal(0.0, 0.2, bars.close.shape)
    tone[1:] += 10.0 * (bars.close[1:] / bars.close[:-1] - 1.0)
    tone = np.where(generator.random(tone.shape) < 0.2, np.nan, np.clip(tone, -1.0, 1.0))
    told = replace(bars, signals={SENTIMENT: tone})
    batch = strategy.targets(told)
    held = np.flatnonzero(batch.any(axis=1)).tolist()
    assert len(held) >= 10
    for row in [*range(200, 900, 71), *held[:: len(held) // 10]]:
        expected = naive(strategy, told, row)
        np.testing.assert_allclose(batch[row], expected, rtol=1e-9, atol=1e-12, err_msg=str(row))


@given(TONES, st.integers(1, 20), st.floats(0.05, 1.0))
@settings(deadline=None, max_examples=80)
def test_decayed_mean_is_that_of_the_loop(tones: list[float], window: int, decay: float) -> None:
    made = decayed_mean(np.array(tones)[:, None], window, decay)[:, 0]
    for row, mean in enumerate(made.tolist()):
        ages = [age for age in range(window) if row >= age and not math.isnan(tones[row - age])]
        if row < window - 1 or not ages:
            assert math.isnan(mean)
        else:
            weight = sum(decay**age for age in ages)
            expected = sum(decay**age * tones[row - age] for age in ages) / weight
            assert mean == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(TONES, st.integers(2, 20))
@settings(deadline=None, max_examples=80)
def test_zscore_of_known_rows_is_that_of_the_loop(tones: list[float], window: int) -> None:
    made = known_zscore(np.array(tones)[:, None], window)[:, 0]
    for row, score in enumerate(made.tolist()):
        known = [x for x in tones[max(row - window + 1, 0) : row + 1] if not math.isnan(x)]
        is_enough = row >= window - 1 and len(known) >= max(2, window / 2)
        if not is_enough or math.isnan(tones[row]) or statistics.pstdev(known) == 0.0:
            assert math.isnan(score)
        elif statistics.stdev(known) > 2e-9:
            expected = (tones[row] - statistics.fmean(known)) / statistics.stdev(known)
            assert score == pytest.approx(expected, rel=1e-6, abs=1e-7)


def one_instrument(tone: list[float], close: list[float]) -> Bars:
    ts = DAY * np.arange(len(close), dtype=np.int64)
    made = Bars.of_closes(ts, (InstrumentId("A.X"),), np.array(close)[:, None])
    return replace(made, signals={SENTIMENT: np.array(tone)[:, None]})


QUIET = [0.1, -0.1] * 10
SMALL = NeuralSentiment(
    average_bars=1, history_bars=10, entry_z=2.0, confirmation_bars=1, hold_bars_max=5, exit_z=0.2
)


def test_good_news_is_bought_when_the_price_rises_and_not_when_it_falls() -> None:
    rising, falling = [100.0] * 20 + [101.0], [100.0] * 20 + [99.0]
    assert SMALL.targets(one_instrument([*QUIET, 0.9], rising))[-1, 0] == 0.2
    assert SMALL.targets(one_instrument([*QUIET, 0.9], falling))[-1, 0] == 0.0


def test_bad_news_is_sold_when_shorts_are_allowed_and_the_price_falls() -> None:
    bars = one_instrument([*QUIET, -0.9], [100.0] * 20 + [99.0])
    assert SMALL.targets(bars)[-1, 0] == 0.0
    assert replace_short(SMALL).targets(bars)[-1, 0] == -0.2


def replace_short(strategy: NeuralSentiment) -> NeuralSentiment:
    fields = {name: getattr(strategy, name) for name in strategy.__struct_fields__}
    return NeuralSentiment(**{**fields, "allow_short": True})


def test_same_tone_surprises_only_against_a_quiet_history() -> None:
    prices = [100.0] * 20 + [101.0]
    loud = [0.9, -0.9] * 10
    assert SMALL.targets(one_instrument([*loud, 0.9], prices))[-1, 0] == 0.0
    assert SMALL.targets(one_instrument([0.9] * 21, prices))[-1, 0] == 0.0


@pytest.mark.parametrize(("oldest", "expected"), [(-0.1, 0.2), (-1.0, 0.0)])
def test_lookback_holds_the_oldest_tone_that_counts(oldest: float, expected: float) -> None:
    """One bad day, 16 bars ago, makes the good news of three bars ago less of a surprise."""
    strategy = NeuralSentiment(
        average_bars=3, half_life_bars=252.0, history_bars=12, entry_z=2.5, hold_bars_max=4
    )
    assert strategy.lookback == 17
    tone = [*QUIET[:7], oldest, *QUIET[8:], 0.9, 0.3, 0.3, 0.3]
    bars = one_instrument(tone, [100.0] * 20 + [101.0] * 4)
    assert strategy.targets(bars)[-1, 0] == expected
    assert strategy.targets(bars.rows(7, 24))[-1, 0] == expected


def test_silence_and_missing_price_end_the_position() -> None:
    tone, prices = [*QUIET, 0.9, 0.8, 0.8], [100.0] * 20 + [101.0] * 3
    held = SMALL.targets(one_instrument(tone, prices))[-3:, 0]
    np.testing.assert_array_equal(held, [0.2, 0.2, 0.2])
    silent = [*QUIET, 0.9, math.nan, 0.8]
    np.testing.assert_array_equal(
        SMALL.targets(one_instrument(silent, prices))[-3:, 0], [0.2, 0.0, 0.0]
    )
    holed = [100.0] * 20 + [101.0, math.nan, 101.0]
    np.testing.assert_array_equal(
        SMALL.targets(one_instrument(tone, holed))[-3:, 0], [0.2, 0.0, 0.0]
    )


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"average_bars": 0}, "average_bars must be a whole number from 1 to 252"),
        (
            {"average_bars": 4, "silence_bars_max": 4},
            "silence_bars_max must be a whole number from 0 to 3",
        ),
        ({"half_life_bars": 0.0}, "half_life_bars must be a number from 0.1 to 252.0"),
        ({"entry_z": 1.0, "exit_z": 1.1}, "exit_z must be a number from 0.0 to 1.0"),
        ({"allow_short": "yes"}, "allow_short must be true or false"),
    ],
)
def test_parameter_out_of_range_is_named(changes: dict[str, float], what: str) -> None:
    with pytest.raises(ValueError, match=f"NeuralSentiment: {what}"):
        NeuralSentiment(**changes)  # type: ignore[arg-type]
