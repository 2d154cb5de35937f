import numpy as np
import pytest

from trading.identifiers import InstrumentId
from trading.strategies.enhanced_momentum import EnhancedMomentum
from trading.strategies.momentum import Momentum
from trading.strategies.signals import FORECAST_DEVIATION, FORECAST_RETURN, SENTIMENT
from trading.strategies.strategy import Bars

DAY = 86_400 * 10**9
DAYS = 200
DECIDED_AT = 181  # 1 July 2022
SIGNALS = (SENTIMENT, FORECAST_RETURN, FORECAST_DEVIATION)


def bars_with(bars: Bars, volume: np.ndarray | None = None, **signals: np.ndarray) -> Bars:
    sold = bars.volume if volume is None else volume
    prices = (bars.close, bars.open, bars.high, bars.low)
    return Bars(bars.ts, bars.instrument_ids, *prices, sold, signals)


@pytest.fixture(scope="module")
def rich(bars: Bars) -> Bars:
    """The real prices with volume and every signal, some of it unknown."""
    noise = np.random.default_rng(5)
    shape = bars.close.shape
    signals = {
        SENTIMENT: noise.uniform(-1.5, 1.5, shape),
        FORECAST_RETURN: noise.normal(0, 0.01, shape),
        FORECAST_DEVIATION: noise.uniform(0.005, 0.02, shape),
    }
    for array in signals.values():
        array[noise.random(shape) < 0.2] = np.nan
    return bars_with(bars, noise.lognormal(10, 0.5, shape), **signals)


def rising(**changes: object) -> EnhancedMomentum:
    parameters: dict[str, object] = {
        "formation_bars": 60,
        "skip_bars": 5,
        "long_run_bars": 60,
        "top_k": 2,
        "volatility_target": 10.0,
    }
    return EnhancedMomentum(**{**parameters, **changes})  # type: ignore[arg-type]


def market(last_daily: float = 0.01) -> Bars:
    """A rises fastest, B slower, C falls; the daily swing of A is `last_daily` in the last 30 days."""
    start = int(np.datetime64("2022-01-01T21:00", "ns").astype(np.int64))
    swing = np.where(np.arange(DAYS) % 2, 1.0, -1.0)
    drift = np.array([0.004, 0.002, -0.002])
    daily = drift + np.outer(swing, [0.01, 0.01, 0.01])
    daily[-30:, 0] = drift[0] + swing[-30:] * last_daily
    close = 100 * np.exp(daily.cumsum(axis=0))
    names = tuple(InstrumentId(f"{name}.X") for name in "ABC")
    return Bars.of_closes(start + DAY * np.arange(DAYS, dtype=np.int64), names, close)


def known(bars: Bars, **values: float) -> Bars:
    """`bars` whose signals have the same value everywhere."""
    return bars_with(bars, **{k: np.full(bars.close.shape, v) for k, v in values.items()})


def test_decision_falls_where_the_test_says() -> None:
    assert str(np.datetime64(int(market().ts[DECIDED_AT]), "ns")).startswith("2022-07-01")


def test_without_volume_and_signals_and_in_calm_it_is_plain_momentum() -> None:
    weights = rising().targets(market())[-1]
    plain = Momentum(
        formation_bars=60, skip_bars=5, volatility_bars=21, volatility_target=10.0, top_k=2
    ).targets(market())[-1]
    np.testing.assert_allclose(weights, plain, rtol=0.02)
    np.testing.assert_allclose(weights, [0.5, 0.5, 0.0], rtol=0.02)


def test_riser_with_little_volume_is_not_held() -> None:
    volume = np.full((DAYS, 3), 1_000.0)
    volume[-60:, 0] = 500.0
    quiet = bars_with(market(), volume)
    assert rising().targets(quiet)[-1][0] == 0.0
    assert rising(volume_ratio_min=0.4).targets(quiet)[-1, 0] > 0.0


def test_volume_counts_only_up_to_the_decision() -> None:
    volume = np.full((DAYS, 3), 1_000.0)
    volume[DECIDED_AT + 1 :, 0] = 0.0
    assert rising().targets(bars_with(market(), volume))[-1, 0] > 0.0


def test_weight_shrinks_by_the_rise_of_volatility_and_ends_in_a_storm() -> None:
    calm = rising().targets(market())
    swelling = rising(regime_ratio_max=10.0).targets(market(0.02))
    stormy = rising(regime_ratio_max=1.05).targets(market(0.02))
    assert swelling[-1, 0] < 0.95 * calm[-1, 0]
    assert stormy[-1, 0] == 0.0
    assert stormy[-1, 1] == pytest.approx(calm[-1, 1])


def test_storm_after_the_decision_ends_the_position_until_it_is_over() -> None:
    bars = market()
    close = bars.close.copy()
    close[DECIDED_AT + 3 :, 0] *= 1.3
    strategy = rising(volatility_bars=5, volume_bars=5, regime_ratio_max=1.5)
    held = strategy.targets(Bars.of_closes(bars.ts, bars.instrument_ids, close))[:, 0] > 0
    assert held[DECIDED_AT : DECIDED_AT + 3].all()
    assert not held[DECIDED_AT + 3 : DECIDED_AT + 8].any()
    assert held[DECIDED_AT + 8 :].all()


@pytest.mark.parametrize(
    ("signals", "factor"),
    [
        ({SENTIMENT: -1.0}, 0.5),
        ({SENTIMENT: -7.0}, 0.5),
        ({SENTIMENT: -0.5}, 0.75),
        ({SENTIMENT: float("nan")}, 1.0),
        ({FORECAST_RETURN: -0.01, FORECAST_DEVIATION: 0.02}, 0.75),
        ({FORECAST_RETURN: -0.5, FORECAST_DEVIATION: 0.02}, 0.5),
        ({FORECAST_RETURN: -0.01, FORECAST_DEVIATION: 0.0}, 1.0),
        ({FORECAST_RETURN: -0.01}, 1.0),
        ({FORECAST_DEVIATION: 0.02}, 1.0),
        ({SENTIMENT: -1.0, FORECAST_RETURN: -1.0, FORECAST_DEVIATION: 0.1}, 0.0),
        ({SENTIMENT: -1.0, FORECAST_RETURN: 1.0, FORECAST_DEVIATION: 0.1}, 1.0),
    ],
)
def test_signal_tilts_the_size(signals: dict[str, float], factor: float) -> None:
    neutral = rising().targets(market())[-1]
    tilted = rising().targets(known(market(), **signals))[-1]
    np.testing.assert_allclose(tilted, factor * neutral, rtol=1e-12)


def test_good_tone_helps_longs_and_hurts_shorts() -> None:
    strategy = rising(allow_short=True, top_k=1)
    neutral = strategy.targets(market())[-1]
    tilted = strategy.targets(known(market(), **{SENTIMENT: 0.4}))[-1]
    assert neutral[2] < 0 < neutral[0]
    np.testing.assert_allclose(tilted, neutral * [1.2, 1.0, 0.8])


def test_tilts_never_lift_the_gross_weight_above_one() -> None:
    signals = {SENTIMENT: 1.0, FORECAST_RETURN: 1.0, FORECAST_DEVIATION: 0.1}
    weights = rising().targets(known(market(), **signals))[-1]
    assert np.abs(weights).sum() == pytest.approx(1.0)


STRATEGIES = [
    EnhancedMomentum(),
    EnhancedMomentum(
        formation_bars=60,
        skip_bars=5,
        volatility_bars=10,
        long_run_bars=100,
        regime_ratio_max=1.2,
        top_k=3,
        allow_short=True,
    ),
    EnhancedMomentum(formation_bars=90, skip_bars=0, rebalance_months=3, volume_ratio_min=1.0),
]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_live_equals_batch_to_the_bit_and_the_future_changes_nothing(
    strategy: EnhancedMomentum, rich: Bars
) -> None:
    batch, lookback = strategy.targets(rich), strategy.lookback
    assert not batch[: lookback - 1].any()
    assert np.isfinite(batch).all()
    assert np.abs(batch).sum(axis=1).max() <= 1.0 + 1e-12
    assert batch[lookback:].any(axis=1).mean() > 0.3
    for row in range(lookback - 1, len(rich)):
        live = strategy.targets(rich.rows(row - lookback + 1, row + 1))
        np.testing.assert_array_equal(live[-1], batch[row], err_msg=f"row {row}")
    for row in (450, 640, 801):
        np.testing.assert_array_equal(strategy.targets(rich.rows(0, row)), batch[:row])


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_signal_and_the_volume_matter(strategy: EnhancedMomentum, rich: Bars) -> None:
    batch = strategy.targets(rich)
    for name in SIGNALS:
        others = {key: array for key, array in rich.signals.items() if key != name}
        assert (strategy.targets(bars_with(rich, **others)) != batch).any(), name
    without = bars_with(rich, np.zeros(rich.close.shape), **rich.signals)
    assert (strategy.targets(without) != batch).any()


def test_instrument_with_an_unknown_price_or_volume_gets_no_weight(rich: Bars) -> None:
    strategy = STRATEGIES[1]
    close, volume = rich.close.copy(), rich.volume.copy()
    close[:, 0], close[700, 1], volume[700, 2] = np.nan, np.nan, np.nan
    prices = (close, close, close, close)
    holed = Bars(rich.ts, rich.instrument_ids, *prices, volume, rich.signals)
    weights = strategy.targets(holed)
    assert np.isfinite(weights).all()
    assert not weights[:, 0].any()
    assert not weights[700:801, 1].any()
    held = (weights[700:730, 2] != 0) & (strategy.targets(rich)[700:730, 2] == 0)
    assert not held.any()


def test_too_little_history_gives_no_weights(rich: Bars) -> None:
    strategy = EnhancedMomentum()
    for count in (0, 1, strategy.lookback - 1):
        assert not strategy.targets(rich.rows(0, count)).any()


def test_second_run_on_the_same_bars_is_the_same(rich: Bars) -> None:
    strategy = EnhancedMomentum()
    np.testing.assert_array_equal(strategy.targets(rich), strategy.targets(rich))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"formation_bars": 1}, "EnhancedMomentum: formation_bars must be a whole number from 2"),
        ({"skip_bars": 60}, "skip_bars must be a whole number from 0 to 59"),
        ({"volatility_bars": 1}, "volatility_bars"),
        ({"volume_bars": 0}, "volume_bars"),
        ({"long_run_bars": 21}, "long_run_bars must be a whole number from 22 to 2520"),
        ({"volume_ratio_min": -0.1}, "volume_ratio_min"),
        ({"regime_ratio_max": 0.9}, "regime_ratio_max"),
        ({"volatility_target": float("nan")}, "volatility_target"),
        ({"sentiment_tilt": 1.1}, "sentiment_tilt"),
        ({"forecast_tilt": -0.1}, "forecast_tilt"),
        ({"top_k": 0}, "top_k"),
        ({"rebalance_months": 13}, "rebalance_months"),
        ({"allow_short": 1}, "allow_short must be true or false"),
    ],
)
def test_parameter_out_of_range_is_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rising(**changes)
