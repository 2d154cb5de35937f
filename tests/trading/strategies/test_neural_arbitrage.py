import numpy as np
import pytest

from trading.errors import DataError
from trading.identifiers import InstrumentId
from trading.strategies.neural_arbitrage import NeuralArbitrage
from trading.strategies.signals import FORECAST_DEVIATION, FORECAST_RETURN
from trading.strategies.strategy import Bars

DAY = 86_400 * 10**9
DAYS = 120
FORMED_AT = 90  # 1 April 2022
DEVIATION = 0.005


def venues(after: list[float], expected: list[float], error: float = 0.01) -> Bars:
    """BTC on venue A and, `after` dearer from 2 April on, on venue B; ETH alone.

    `expected` is the forecast return of BTC on A from 2 April on; all others are 0.
    """
    start = int(np.datetime64("2022-01-01T21:00", "ns").astype(np.int64))
    noise = np.random.default_rng(3)
    a = 4.0 + noise.normal(0, 0.03, DAYS).cumsum()
    gap = noise.normal(0, 1, DAYS)
    formed = slice(FORMED_AT - 59, FORMED_AT + 1)
    gap = DEVIATION * (gap - gap[formed].mean()) / gap[formed].std()
    gap[FORMED_AT + 1 :] = 0.0
    gap[FORMED_AT + 1 : FORMED_AT + 1 + len(after)] = after
    close = np.exp(np.column_stack([a, a + gap, 3 + noise.normal(0, 0.03, DAYS).cumsum()]))
    forecast = np.zeros(close.shape)
    forecast[FORMED_AT + 1 : FORMED_AT + 1 + len(expected), 0] = expected
    signals = {FORECAST_RETURN: forecast, FORECAST_DEVIATION: np.full(close.shape, error)}
    names = tuple(InstrumentId(name) for name in ("BTC.A", "BTC.B", "ETH.A"))
    prices = (close, close, close, close)
    return Bars(
        start + DAY * np.arange(DAYS, dtype=np.int64),
        names,
        *prices,
        np.zeros(close.shape),
        signals,
    )


def small(**changes: object) -> NeuralArbitrage:
    parameters: dict[str, object] = {
        "formation_bars": 60,
        "max_pairs": 2,
        "cost_bps": 10.0,
        "cost_margin": 2.0,
        "significance": 0.01,
    }
    return NeuralArbitrage(**{**parameters, **changes})  # type: ignore[arg-type]


def held(bars: Bars, **changes: object) -> list[float]:
    """Weight of BTC on A on the five days from 2 April on."""
    weights = small(**changes).targets(bars)
    np.testing.assert_allclose(weights[:, 1], -weights[:, 0])  # ratio 1
    return weights[FORMED_AT + 1 : FORMED_AT + 6, 0].tolist()


def test_dear_venue_is_sold_against_the_cheap_one_until_the_gap_has_closed() -> None:
    gap = [2 * DEVIATION] * 3
    assert held(venues(gap, [0.01, 0.001, 0.001])) == [0.25, 0.25, 0.25, 0.0, 0.0]


def test_dear_first_venue_is_sold() -> None:
    assert held(venues([-2 * DEVIATION] * 2, [-0.01, -0.01]))[:3] == [-0.25, -0.25, 0.0]


def test_gap_without_enough_forecast_is_left_alone() -> None:
    """Both legs cost 20 bps, the margin makes it 40."""
    gap = [2 * DEVIATION] * 2
    assert held(venues(gap, [0.0039, 0.0041]))[:2] == [0.0, 0.25]
    assert held(venues(gap, [0.0039, 0.0041]), cost_margin=1.0)[:2] == [0.25, 0.25]
    assert held(venues(gap, [0.0039, 0.0041]), cost_bps=20.0)[:2] == [0.0, 0.0]


def test_uncertain_forecast_is_not_enough() -> None:
    """The deviation of the spread is sqrt(2) times that of one leg."""
    bars = venues([2 * DEVIATION] * 2, [0.0141, 0.0142], error=0.01)
    assert held(bars, certainty_min=1.0)[:2] == [0.0, 0.25]


def test_forecast_against_the_score_is_no_entry() -> None:
    assert not any(held(venues([2 * DEVIATION] * 3, [-0.02] * 3)))


def test_forecast_without_a_gap_is_no_entry() -> None:
    assert not any(held(venues([0.5 * DEVIATION] * 3, [0.02] * 3)))


def test_position_is_given_up_when_the_forecast_turns_or_is_unknown() -> None:
    gap = [2 * DEVIATION] * 4
    assert held(venues(gap, [0.01, -0.001, 0.001]))[:3] == [0.25, 0.0, 0.0]
    assert held(venues(gap, [0.01, np.nan, 0.001]))[:3] == [0.25, 0.0, 0.0]
    bars = venues(gap, [0.01, 0.01, 0.001])
    bars.signals[FORECAST_DEVIATION][FORMED_AT + 2, 1] = np.nan
    assert held(bars)[:3] == [0.25, 0.0, 0.0]


def test_pair_beyond_the_stop_is_out_for_the_rest_of_the_period() -> None:
    gap = [2 * DEVIATION, 4.1 * DEVIATION, 2 * DEVIATION]
    assert held(venues(gap, [0.01] * 3)) == [0.25, 0.0, 0.0, 0.0, 0.0]


def test_linked_assets_are_paired_beside_the_venues() -> None:
    bars = venues([2 * DEVIATION] * 2, [0.01] * 2)
    noise = np.random.default_rng(8)
    close = np.column_stack(
        [bars.close, np.exp(1.5 * np.log(bars.close[:, 2]) + noise.normal(0, 0.004, DAYS))]
    )
    close[FORMED_AT + 1, 3] *= 1.012
    signals = {name: np.column_stack([a, a[:, 2]]) for name, a in bars.signals.items()}
    signals[FORECAST_RETURN][FORMED_AT + 1, 3] = -0.05
    names = (*bars.instrument_ids, InstrumentId("LTC.A"))
    wide = Bars(bars.ts, names, close, close, close, close, np.zeros(close.shape), signals)
    weights = small().targets(wide)[FORMED_AT + 1]
    assert weights[:2].tolist() == [0.25, -0.25]
    assert weights[3] < 0 < weights[2]
    assert np.abs(weights[2:]).sum() == pytest.approx(0.5)
    assert -weights[2] / weights[3] == pytest.approx(1.5, rel=0.1)
    assert small(max_pairs=1).targets(wide)[FORMED_AT + 1].tolist() == [0.5, -0.5, 0.0, 0.0]


def test_bars_without_forecasts_are_refused() -> None:
    bars = venues([], [])
    plain = Bars.of_closes(bars.ts, bars.instrument_ids, bars.close)
    with pytest.raises(DataError, match=r"NeuralArbitrage needs .* forecast_return, forecast_dev"):
        small().targets(plain)


@pytest.fixture(scope="module")
def rich(bars: Bars) -> Bars:
    """The real prices, each also on a second venue at a noisy distance, with forecasts of a reversal."""
    noise = np.random.default_rng(5)
    second = bars.close[:, :2] * np.exp(noise.normal(0, 0.003, (len(bars), 2)))
    close = np.column_stack([bars.close, second])
    logs = np.log(close)
    forecast = noise.normal(0, 0.004, close.shape)
    forecast[5:] -= 0.3 * (logs[5:] - logs[:-5])
    forecast[noise.random(close.shape) < 0.05] = np.nan
    signals = {
        FORECAST_RETURN: forecast,
        FORECAST_DEVIATION: noise.uniform(0.005, 0.02, close.shape),
    }
    names = (*bars.instrument_ids, InstrumentId("AAPL.SECOND"), InstrumentId("BAC.SECOND"))
    return Bars(bars.ts, names, close, close, close, close, np.zeros(close.shape), signals)


STRATEGIES = [
    NeuralArbitrage(formation_bars=120, significance=0.1),
    NeuralArbitrage(formation_bars=60, test="johansen", max_pairs=3, stop_z=2.5),
    NeuralArbitrage(formation_bars=120, trading_months=3, stop_z=8.0, certainty_min=0.1),
]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_live_equals_batch_to_the_bit_and_the_future_changes_nothing(
    strategy: NeuralArbitrage, rich: Bars
) -> None:
    batch, lookback = strategy.targets(rich), strategy.lookback
    assert not batch[: lookback - 1].any()
    assert np.isfinite(batch).all()
    assert np.abs(batch).sum(axis=1).max() <= 1.0 + 1e-12
    assert batch[:, 2:6].any(axis=1).mean() > 0.05
    assert batch[:, 6:].any(axis=1).mean() > 0.05
    for row in range(lookback - 1, len(rich)):
        live = strategy.targets(rich.rows(row - lookback + 1, row + 1))
        np.testing.assert_array_equal(live[-1], batch[row], err_msg=f"row {row}")
    for row in (450, 640, 801):
        np.testing.assert_array_equal(strategy.targets(rich.rows(0, row)), batch[:row])


def test_instrument_with_an_unknown_price_gets_no_weight(rich: Bars) -> None:
    close = rich.close.copy()
    close[:, 0], close[700, 1] = np.nan, np.nan
    prices = (close, close, close, close)
    holed = Bars(rich.ts, rich.instrument_ids, *prices, rich.volume, rich.signals)
    weights = STRATEGIES[1].targets(holed)
    assert np.isfinite(weights).all()
    assert not weights[:, 0].any()
    assert not weights[700:760, 1].any()


def test_too_little_history_gives_no_weights(rich: Bars) -> None:
    for count in (0, 1, STRATEGIES[0].lookback - 1):
        assert not STRATEGIES[0].targets(rich.rows(0, count)).any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"formation_bars": 29}, "NeuralArbitrage: formation_bars must be a whole number from 30"),
        ({"trading_months": 0}, "trading_months"),
        ({"max_pairs": 0}, "max_pairs"),
        ({"test": "adf"}, "test must be one of engle_granger, johansen, got 'adf'"),
        ({"significance": 0.07}, "significance must be one of"),
        ({"exit_z": 1.0}, "NeuralArbitrage: must be exit_z < entry_z < stop_z, got 1.0, 1.0, 4.0"),
        ({"cost_bps": -1.0}, "cost_bps"),
        ({"cost_margin": float("inf")}, "cost_margin"),
        ({"certainty_min": 11.0}, "certainty_min"),
    ],
)
def test_parameter_out_of_range_is_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small(**changes)
