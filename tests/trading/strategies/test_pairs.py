import numpy as np
import pytest

from trading.identifiers import InstrumentId
from trading.strategies.pairs import Pairs
from trading.strategies.strategy import Bars

DAY = 86_400 * 10**9
DAYS = 120
FORMED_AT = 90  # 1 April 2022


def linked(after: list[float], seed: int = 3) -> Bars:
    """B follows A with slope 1 and small noise; `after` is added to B's log price from 2 April on.

    C is a walk of its own.
    """
    start = int(np.datetime64("2022-01-01T21:00", "ns").astype(np.int64))
    noise = np.random.default_rng(seed)
    a = 4.0 + noise.normal(0, 0.01, DAYS).cumsum()
    b = 0.3 + a + noise.normal(0, 0.005, DAYS)
    shock = np.zeros(DAYS)
    shock[FORMED_AT + 1 : FORMED_AT + 1 + len(after)] = after
    c = 3.0 + noise.normal(0, 0.01, DAYS).cumsum()
    close = np.exp(np.column_stack([a, b + shock, c]))
    names = tuple(InstrumentId(f"{name}.X") for name in "ABC")
    return Bars.of_closes(start + DAY * np.arange(DAYS, dtype=np.int64), names, close)


def small(**changes: object) -> Pairs:
    parameters: dict[str, object] = {"formation_bars": 60, "max_pairs": 2}
    return Pairs(**{**parameters, **changes})  # type: ignore[arg-type]


def test_period_begins_where_the_test_says() -> None:
    day = np.datetime64(int(linked([]).ts[FORMED_AT]), "ns")
    assert str(day).startswith("2022-04-01")


def test_dear_leg_is_sold_and_cheap_leg_bought_until_the_spread_is_back() -> None:
    weights = small().targets(linked([0.015, 0.015, 0.0, 0.0]))
    entered = weights[FORMED_AT + 1]
    assert entered[1] < 0 < entered[0]
    assert entered[2] == 0
    assert np.abs(entered).sum() == pytest.approx(0.5)
    assert entered[0] / -entered[1] == pytest.approx(1.0, abs=0.1)
    assert not weights[FORMED_AT + 4 :].all(axis=1).any()


def test_cheap_other_leg_gives_the_mirrored_position() -> None:
    entered = small().targets(linked([-0.011]))[FORMED_AT + 1]
    assert entered[0] < 0 < entered[1]


def test_pair_beyond_the_stop_is_out_for_the_rest_of_the_period() -> None:
    weights = small().targets(linked([0.015, 0.05, 0.015, 0.015, 0.015]))
    assert weights[FORMED_AT + 1].any()
    assert not weights[FORMED_AT + 2 :, :2].any()


def test_unlinked_prices_are_left_alone() -> None:
    bars = linked([0.1, 0.2, 0.1])
    alone = Bars.of_closes(bars.ts, bars.instrument_ids[::2], bars.close[:, ::2])
    assert not small(significance=0.01).targets(alone).any()


def test_one_instrument_alone_has_no_pair() -> None:
    bars = linked([0.1])
    alone = Bars.of_closes(bars.ts, bars.instrument_ids[:1], bars.close[:, :1])
    assert not small().targets(alone).any()


def test_instrument_is_in_one_pair_at_most(bars: Bars) -> None:
    formation = Pairs(formation_bars=60, significance=0.1)._form(np.log(bars.close[:60]))
    legs = [*formation.y.tolist(), *formation.x.tolist()]
    assert len(legs) == len(set(legs))
    assert (formation.beta > 0).all()


OTHERS = [
    Pairs(formation_bars=60, test="johansen", max_pairs=3, entry_z=1.0, stop_z=2.5),
    Pairs(formation_bars=60, hedge="rolling", significance=0.1, max_pairs=1, entry_z=1.0),
    Pairs(formation_bars=90, test="johansen", hedge="rolling", trading_months=3),
]


@pytest.mark.parametrize("strategy", OTHERS)
def test_live_equals_batch_to_the_bit_with_the_other_tests_and_hedges(
    strategy: Pairs, bars: Bars
) -> None:
    close = bars.close.copy()
    close[:500, 0], close[640, 2] = np.nan, np.nan
    holed = Bars.of_closes(bars.ts, bars.instrument_ids, close)
    batch, lookback = strategy.targets(holed), strategy.lookback
    assert not batch[: lookback - 1].any()
    assert np.isfinite(batch).all()
    assert np.abs(batch).sum(axis=1).max() <= 1.0 + 1e-12
    assert batch.any(axis=1).mean() > 0.02
    for row in range(lookback - 1, len(holed)):
        live = strategy.targets(holed.rows(row - lookback + 1, row + 1))
        np.testing.assert_array_equal(live[-1], batch[row], err_msg=f"row {row}")
    for row in (450, 733):
        np.testing.assert_array_equal(strategy.targets(holed.rows(0, row)), batch[:row])


def test_johansen_finds_the_linked_pair() -> None:
    entered = small(test="johansen").targets(linked([0.015]))[FORMED_AT + 1]
    assert entered[1] < 0 < entered[0]
    assert np.abs(entered).sum() == pytest.approx(0.5)


def test_rolling_hedge_learns_a_new_level_where_the_fixed_one_does_not() -> None:
    shifted = linked([0.02] * 29)
    fixed = small(entry_z=1.8, exit_z=1.2, stop_z=20.0).targets(shifted)[FORMED_AT + 1 :, 1]
    rolling = small(entry_z=1.8, exit_z=1.2, stop_z=20.0, hedge="rolling").targets(shifted)[
        FORMED_AT + 1 :, 1
    ]
    assert fixed[0] < 0
    assert rolling[0] < 0
    assert fixed[28] < 0
    assert rolling[28] == 0


def test_pair_whose_rolling_ratio_turns_negative_is_out_for_the_rest_of_the_period() -> None:
    parted = linked(np.linspace(-0.02, -3.0, 29).tolist())
    ratio = small(stop_z=20.0, hedge="rolling").targets(parted)[FORMED_AT + 1 :]
    assert ratio[0].any()
    assert not ratio[-5:].any()
    assert np.isfinite(ratio).all()


@pytest.mark.parametrize(
    "changes",
    [
        {"max_pairs": 1},
        {"significance": 0.05},
        {"test": "johansen"},
        {"formation_bars": 75},
        {"trading_months": 2},
        {"hedge": "fixed"},
    ],
)
def test_what_other_parameters_left_in_the_bars_changes_nothing(
    changes: dict[str, object], bars: Bars
) -> None:
    used = bars.rows(0, len(bars))
    parameters = {"formation_bars": 60, "significance": 0.1, "hedge": "rolling", "entry_z": 1.0}
    small(**parameters).targets(used)
    other = small(**{**parameters, **changes})
    np.testing.assert_array_equal(other.targets(used), other.targets(bars.rows(0, len(bars))))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"formation_bars": 29}, "Pairs: formation_bars must be a whole number from 30 to 2520"),
        ({"trading_months": 0}, "trading_months"),
        ({"max_pairs": 0}, "max_pairs"),
        ({"significance": 0.07}, r"significance must be one of 0.01, 0.05, 0.1, got 0.07"),
        ({"exit_z": 2.0}, "exit_z < entry_z < stop_z"),
        ({"stop_z": 1.0}, "exit_z < entry_z < stop_z"),
        ({"entry_z": float("inf")}, "entry_z"),
        ({"test": "adf"}, "Pairs: test must be one of engle_granger, johansen, got 'adf'"),
        ({"hedge": "kalman"}, "hedge must be one of fixed, rolling, got 'kalman'"),
    ],
)
def test_parameter_out_of_range_is_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small(**changes)
