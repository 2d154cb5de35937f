import numpy as np
import pytest

from trading.identifiers import InstrumentId
from trading.strategies.momentum import Momentum
from trading.strategies.strategy import Bars

DAY = 86_400 * 10**9
DRIFTS = np.array([0.004, 0.002, 0.001, -0.003])


def trends(days: int = 200) -> Bars:
    """Four instruments with steady drifts and some noise, from 3 January 2022 on, every day."""
    start = int(np.datetime64("2022-01-03T21:00", "ns").astype(np.int64))
    ts = start + DAY * np.arange(days, dtype=np.int64)
    noise = np.random.default_rng(1).normal(0, 0.002, (days, 4))
    close = 100.0 * np.cumprod(1.0 + DRIFTS + noise, axis=0)
    return Bars.of_closes(ts, tuple(InstrumentId(f"{name}.X") for name in "ABCD"), close)


def small(**changes: object) -> Momentum:
    parameters: dict[str, object] = {
        "formation_bars": 60,
        "skip_bars": 5,
        "volatility_bars": 20,
        "volatility_target": 10.0,
        "top_k": 2,
    }
    return Momentum(**{**parameters, **changes})  # type: ignore[arg-type]


def test_best_rising_instruments_are_held_in_equal_slots() -> None:
    np.testing.assert_allclose(small().targets(trends())[-1], [0.5, 0.5, 0.0, 0.0])


def test_falling_instruments_are_not_bought_even_when_slots_are_free() -> None:
    np.testing.assert_allclose(small(top_k=4).targets(trends())[-1], [0.25, 0.25, 0.25, 0.0])


def test_only_falling_instruments_are_sold_short() -> None:
    weights = small(allow_short=True).targets(trends())[-1]
    np.testing.assert_allclose(weights, [0.25, 0.25, 0.0, -0.25])


def test_weight_shrinks_in_proportion_to_volatility_above_the_target() -> None:
    bars = trends()
    full = small(top_k=1).targets(bars)[-1, 0]
    half = small(top_k=1, volatility_target=0.01).targets(bars)[-1, 0]
    month_start = next(
        row
        for row in range(len(bars) - 1, 0, -1)
        if str(np.datetime64(int(bars.ts[row]), "ns"))[8:10] == "01"
    )
    returns = bars.close[1:, 0] / bars.close[:-1, 0] - 1
    volatility = returns[month_start - 20 : month_start].std(ddof=1) * np.sqrt(252)
    assert full == 1.0
    assert half == pytest.approx(0.01 / volatility)


def test_weights_change_only_at_the_start_of_a_month() -> None:
    bars = trends(400)
    weights = small(volatility_target=0.01).targets(bars)
    changed = np.flatnonzero((weights[1:] != weights[:-1]).any(axis=1)) + 1
    days = [str(np.datetime64(int(bars.ts[row]), "ns"))[8:10] for row in changed]
    first = small().lookback - 1
    assert len(changed) > 5
    assert all(day == "01" or row == first for day, row in zip(days, changed, strict=True))


def test_decision_is_given_up_when_no_new_one_can_follow() -> None:
    """More bars in a month than daily data can have: the memory stays finite."""
    bars = trends()
    month_start = int(np.datetime64("2022-02-01", "ns").astype(np.int64))
    hours = month_start + DAY // 24 * (np.arange(200, dtype=np.int64) - 100)
    weights = small().targets(Bars.of_closes(hours, bars.instrument_ids, bars.close))
    is_held = weights.any(axis=1)
    assert np.flatnonzero(is_held).tolist() == list(range(100, 131))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"top_k": 0}, r"Momentum: top_k must be a whole number from 1 to 1000, got 0"),
        ({"top_k": 2.5}, "top_k"),
        ({"top_k": True}, "top_k"),
        ({"top_k": "5"}, "top_k"),
        ({"formation_bars": 1}, "formation_bars"),
        ({"skip_bars": 60}, "skip_bars must be a whole number from 0 to 59"),
        ({"volatility_bars": 1}, "volatility_bars"),
        ({"volatility_target": 0.0}, "volatility_target"),
        ({"volatility_target": float("nan")}, "volatility_target"),
        ({"rebalance_months": 13}, "rebalance_months"),
        ({"allow_short": 1}, "allow_short must be true or false"),
    ],
)
def test_parameter_out_of_range_is_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small(**changes)
